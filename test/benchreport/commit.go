package benchreport

import (
	"flag"
	"os"
	"os/exec"
	"strings"
)

// Begin is for a program of benchmarks, before it runs them: the list says of which commit
// they are, and what the machine was like (Watch). Writes are timed in the folder for
// temporary files, where fleets have theirs, too. Tests alone measure nothing, and nobody
// watches.
func (r *Report) Begin(name string) (end func(), err error) {
	if f := flag.Lookup("test.bench"); f == nil || f.Value.String() == "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "fitness-")
	if err != nil {
		return nil, err
	}
	r.RecordText("commit", Commit())
	stop, err := r.Watch(name, dir)
	if err != nil {
		return nil, err
	}
	return func() {
		stop()
		_ = os.RemoveAll(dir)
	}, nil
}

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
