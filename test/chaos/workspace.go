package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The directory of a run has all that it leaves on the machine: programs, fleets, a small
// disk. It belongs to the process that has a lock on the file owner in it, which the
// kernel takes from a process however that ends.
const (
	workspacePrefix = "frostfleet-chaos-"
	ownerFile       = "owner"
)

// workspace is that of this process.
type workspace struct {
	dir   string
	owner *os.File
	once  sync.Once
}

// Workspace makes a directory for everything that this process writes to temporary
// files, and removes those of earlier runs that were killed. What is in it, and every
// program that runs, is gone after end and after SIGINT or SIGTERM, also when that comes
// from the end of the parent, such as go run or make.
func Workspace() (end func(), err error) {
	base := os.TempDir()
	removeAbandoned(base)
	w, err := newWorkspace(base)
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("TMPDIR", w.dir); err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals // others follow: one comes as each thread of the parent ends
		fmt.Fprintf(os.Stderr, "chaos: %v: ending every program and removing what they wrote\n", s)
		w.end()
		os.Exit(128 + int(s.(syscall.Signal)))
	}()
	if err := endWithParent(signals); err != nil {
		w.end()
		return nil, err
	}
	return w.end, nil
}

// endWithParent has the kernel send SIGTERM when the parent ends. Whoever ends make or go
// run by a signal would leave this process running without them.
func endWithParent(signals chan<- os.Signal) error {
	parent := os.Getppid()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent { // it has just ended
		signals <- syscall.SIGTERM
	}
	return nil
}

// newWorkspace makes a directory, which has its name once it has its owner.
func newWorkspace(base string) (*workspace, error) {
	unnamed, err := os.MkdirTemp(base, ".frostfleet-")
	if err != nil {
		return nil, err
	}
	owner, err := own(unnamed, os.O_CREATE)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(unnamed))
	}
	dir := filepath.Join(base, workspacePrefix+strings.TrimPrefix(filepath.Base(unnamed), ".frostfleet-"))
	if err := os.Rename(unnamed, dir); err != nil {
		return nil, errors.Join(err, owner.Close(), os.RemoveAll(unnamed))
	}
	return &workspace{dir: dir, owner: owner}, nil
}

// own locks a workspace; an error if it has an owner, or is none.
func own(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removeAbandoned removes the workspaces of processes that are gone. It is for the order
// of the machine: what can't be removed stays.
func removeAbandoned(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, workspacePrefix+"*"))
	for _, dir := range dirs {
		if owner, err := own(dir, 0); err == nil {
			fmt.Fprintln(os.Stderr, "chaos: removing what a run left that was killed:", dir)
			(&workspace{dir: dir, owner: owner}).remove()
		}
	}
}

// end ends every program and removes everything. Who calls it while it is under way
// waits for it.
func (w *workspace) end() {
	w.once.Do(func() {
		children.end()
		w.remove()
	})
}

func (w *workspace) remove() {
	for _, at := range mountsBelow(w.dir) {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			fmt.Fprintf(os.Stderr, "chaos: unmounting %s: %v\n", at, err)
		}
	}
	var err error
	for range 10 { // somebody in this process may still write to it
		if err = os.RemoveAll(w.dir); err == nil {
			break
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	_ = w.owner.Close()
}

// mountsBelow lists the small disks in a directory, the last first.
func mountsBelow(dir string) (all []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(text)) {
		// ID, parent's, device, root, where, options, ..., -, type, source, options
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "tmpfs ") {
			continue
		}
		if at := unescape.Replace(fields[4]); strings.HasPrefix(at, dir+"/") {
			all = append(all, at)
		}
	}
	slices.Reverse(all)
	return all
}
