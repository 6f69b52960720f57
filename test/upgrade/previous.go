// Package upgrade runs the programs of the release before this one: the commit in
// .previous-release, which this repository must hold.
package upgrade

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// releaseFile names the commit of the previous release, in the root of the repository.
const releaseFile = ".previous-release"

// PreviousBuild is the version that programs of Previous say that they are.
const PreviousBuild = "previous"

// Previous builds the programs of the previous release once for a test binary, out of a
// clone of this repository, and returns their folder, which the caller removes.
var Previous = sync.OnceValues(func() (bin string, err error) {
	root, err := git(".", "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("the test of rolling upgrades needs a git repository, and this is none: %w", err)
	}
	commit, err := previousCommit(root)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "frostfleet-previous-")
	if err != nil {
		return "", err
	}
	if bin, err = build(root, commit, dir); err != nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return bin, err
})

// previousCommit reads which it is, and wants it to be there.
func previousCommit(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, releaseFile))
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(text))
	if _, err := git(root, "cat-file", "-e", commit+"^{commit}"); err != nil {
		return "", fmt.Errorf("commit %.64s, which %s names, is not in this clone: a shallow one gets it by "+
			"git fetch --unshallow, and CI has to clone the whole history: %w", commit, releaseFile, err)
	}
	return commit, nil
}

// build leaves nothing in the repository: objects are read where they are.
func build(root, commit, dir string) (bin string, err error) {
	source := filepath.Join(dir, "source")
	if _, err := git(root, "clone", "--quiet", "--shared", "--no-checkout", root, source); err != nil {
		return "", err
	}
	if _, err := git(source, "checkout", "--quiet", "--detach", commit); err != nil {
		return "", err
	}
	bin = filepath.Join(dir, "bin")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-w -X=github.com/frostfleet/frostfleet/internal/command.version="+PreviousBuild, "-o", bin+"/", "./cmd/...")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the previous release, commit %.12s: %w: %s", commit, err, out)
	}
	return bin, os.RemoveAll(source)
}

// git gives what the command prints. Its own environment, as in a hook, is not inherited.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_DIR=") && !strings.HasPrefix(v, "GIT_WORK_TREE=") &&
			!strings.HasPrefix(v, "GIT_INDEX_FILE=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
