package command

import (
	"runtime"
	"runtime/debug"
)

// version is set by the build: -ldflags "-X <this package>.version=v1.2.3".
var version string

// Version is the program's version and that of Go. A build that was given no
// version has the module's, or the commit that it was built from.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return describe(version, info) + " " + runtime.Version()
}

func describe(stamped string, info *debug.BuildInfo) string {
	if stamped != "" {
		return stamped
	}
	if info == nil {
		return "unversioned"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unversioned"
}
