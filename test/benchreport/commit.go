package benchreport

import (
	"os/exec"
	"strings"
)

// Commit is the commit of the code that this folder belongs to, with "-dirty" behind it if
// files differ from it, or why there is none.
func Commit() string {
	git := func(args ...string) (string, error) {
		text, err := exec.Command("git", args...).Output()
		return strings.TrimSpace(string(text)), err
	}
	hash, err := git("rev-parse", "HEAD")
	if err != nil {
		return "unknown: " + err.Error()
	}
	if changes, err := git("status", "--porcelain"); err != nil || changes != "" {
		hash += "-dirty"
	}
	return hash
}
