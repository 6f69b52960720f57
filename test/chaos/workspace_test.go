package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// abandonedEnv has this test binary be a run that somebody ends.
const abandonedEnv = "FROSTFLEET_CHAOS_ABANDONED"

// abandoned is a run that says where its directory is, starts something, and waits.
func abandoned(as string) {
	if _, err := Workspace(); err != nil {
		panic(err)
	}
	fleettest.Program(context.Background(), os.Stderr, func(t fleettest.T) {
		switch as {
		case "runs":
			newDisk(t, filepath.Join(t.TempDir(), "disk"))
			p := newProcess(t.TempDir(), "program", os.TempDir(), nil, "sh", "-c", program)
			if err := p.start(); err != nil {
				t.Fatal(err)
			}
		case "builds":
			go func() { _, _ = programs(false) }()
		}
		fmt.Println(os.TempDir())
		select {}
	})
}

// Scripts of a program, and of a build, which is a program with a child. Each says that
// it runs with a file.
const (
	says    = ` >"$TMPDIR/new" && mv "$TMPDIR/new" "$TMPDIR/child"; `
	program = `echo $$` + says + `exec sleep 600`
	build   = `sleep 600 & echo $!` + says + `wait`
)

// TestEnded: a run that is ended takes with it its programs, its small disk and its
// directory, whatever it does just then. One that is killed leaves the directory and the
// disk, and the next run removes them.
func TestEnded(t *testing.T) {
	signal := func(s os.Signal) func(*started) error { return func(r *started) error { return r.run.Signal(s) } }
	for _, test := range []struct {
		name, as string
		end      func(*started) error
		left     bool
	}{
		{"SIGINT", "runs", signal(os.Interrupt), false},
		{"SIGTERM", "runs", signal(syscall.SIGTERM), false},
		{"many signals", "runs", func(r *started) error {
			err := r.run.Signal(os.Interrupt)
			for !gone(r.run.Pid) {
				_ = r.run.Signal(syscall.SIGTERM)
			}
			return err
		}, false},
		{"SIGTERM while it builds", "builds", signal(syscall.SIGTERM), false},
		{"its parent is killed", "runs", func(r *started) error { return r.shell.Process.Kill() }, false},
		{"SIGKILL", "runs", signal(os.Kill), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := startRun(t, test.as)
			if test.as == "runs" && os.Getuid() == 0 && len(mountsBelow(r.dir)) != 1 {
				t.Errorf("mounts: %v", mountsBelow(r.dir))
			}
			if removeAbandoned(r.base); !exists(r.dir) {
				t.Fatal("the directory of a run that lives was removed")
			}
			if err := test.end(r); err != nil {
				t.Fatal(err)
			}
			r.awaitEnd(t)
			if exists(r.dir) != test.left {
				t.Errorf("its directory is left: %v, want %v", exists(r.dir), test.left)
			}
			eventually(t, "the next start removes everything", func() bool {
				removeAbandoned(r.base)
				return !exists(r.dir) && len(mountsBelow(r.base)) == 0
			})
		})
	}
}

// started is a run, the shell that started it, and the program that it started.
type started struct {
	base, dir string
	shell     *exec.Cmd
	run       *os.Process
	child     int
}

// startRun starts a run below a shell, as go run and make are above it, with a
// directory of its own for temporary files.
func startRun(t *testing.T, as string) *started {
	t.Helper()
	r := &started{base: t.TempDir()}
	fake := filepath.Join(t.TempDir(), "go") // what builds takes its time
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+build), 0o700); err != nil {
		t.Fatal(err)
	}
	r.shell = exec.Command("sh", "-c", `"$0" & echo $!; wait`, os.Args[0])
	r.shell.Env = append(os.Environ(), abandonedEnv+"="+as, "TMPDIR="+r.base,
		"PATH="+filepath.Dir(fake)+string(os.PathListSeparator)+os.Getenv("PATH"))
	r.shell.Stderr = os.Stderr
	out, err := r.shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.shell.Process.Kill(); _ = r.shell.Wait() })
	said := bufio.NewReader(out)
	var pid int
	if _, err := fmt.Fscanln(said, &pid); err != nil {
		t.Fatal(err)
	}
	if r.run, err = os.FindProcess(pid); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(said, &r.dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its program starts", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, "child"))
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(text), &r.child)
		return err == nil
	})
	return r
}

// awaitEnd waits for the run's end, and wants its program to have ended.
func (r *started) awaitEnd(t *testing.T) {
	t.Helper()
	eventually(t, "the run ends", func() bool { return gone(r.run.Pid) })
	eventually(t, "its program ends", func() bool { return gone(r.child) })
}

// gone reports whether a process has ended, or only waits for its parent to notice.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(state, "Z")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestOthersStay: what looks like a directory of a run and has no owner's file is
// somebody else's.
func TestOthersStay(t *testing.T) {
	base := t.TempDir()
	w, err := newWorkspace(base)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(base, workspacePrefix+"x")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	removeAbandoned(base)
	if !exists(other) || !exists(w.dir) {
		t.Errorf("somebody else's is there: %v, its owner's: %v", exists(other), exists(w.dir))
	}
	w.remove()
	if exists(w.dir) {
		t.Error("it is there after its end")
	}
}
