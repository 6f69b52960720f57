package command

import (
	"runtime"
	"runtime/debug"
)

// version is set by the build: -ldflags "-X <this package>.version=v1.2.3".
var version string

// Version is the program's version and that of Go. A build that was given no
// version has the module's, into which Go puts the commit.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return describe(version, info) + " " + runtime.Version()
}

func describe(stamped string, info *debug.BuildInfo) string {
	if stamped != "" {
		return stamped
	}
	if info == nil || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "unversioned"
	}
	return info.Main.Version
}
