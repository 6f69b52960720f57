package pin

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var errWrong, errDoubt, errAbsent = errors.New("wrong"), errors.New("in doubt"), errors.New("absent")

// process is what another process has.
func process(dir string) *Tried { return TriedIn(dir, "look, then unlock") }

// login is one that ends with err.
func login(t *testing.T, tried *Tried, person bool, err error) error {
	t.Helper()
	turn, refused := tried.Enter(t.Context(), person)
	if refused != nil {
		return refused
	}
	defer turn.Leave()
	if err := turn.Trying(); err != nil {
		return err
	}
	turn.Answered(map[error]Answer{nil: Right, errWrong: Wrong, errDoubt: Doubt, errAbsent: Nothing}[err])
	return err
}

// TestTried: after a wrong PIN no process logs in on its own, until a person got
// it right.
func TestTried(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storage") // made by the first login
	is(t, login(t, process(dir), false, nil), nil)
	is(t, login(t, process(dir), false, errAbsent), errAbsent)
	is(t, login(t, process(dir), false, errWrong), errWrong)
	text, err := os.ReadFile(filepath.Join(dir, TriedFile))
	if err != nil || !strings.Contains(string(text), "look, then unlock") || strings.Contains(string(text), "1234") {
		t.Errorf("the file says %q, %v", text, err)
	}
	notAgain := func() {
		t.Helper()
		if err := login(t, process(dir), false, nil); err == nil || !strings.Contains(err.Error(), "given a PIN before") ||
			!strings.Contains(err.Error(), "look, then unlock") {
			t.Error(err)
		}
	}
	notAgain()
	is(t, login(t, process(dir), true, errAbsent), errAbsent)
	notAgain() // nothing is known of the wrong one before
	is(t, login(t, process(dir), true, errWrong), errWrong)
	notAgain()
	is(t, login(t, process(dir), true, nil), nil)
	is(t, login(t, process(dir), false, nil), nil)

	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, TriedFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// TestTriedInDoubt: a doubt may come once, whoever had it, until a login is right.
func TestTriedInDoubt(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		is(t, login(t, process(dir), false, errDoubt), errDoubt)
		is(t, login(t, process(dir), false, errAbsent), errAbsent) // says nothing about it
		is(t, login(t, process(dir), false, nil), nil)
	}
	is(t, login(t, process(dir), false, errDoubt), errDoubt)
	is(t, login(t, process(dir), false, errDoubt), errDoubt)
	if err := login(t, process(dir), false, nil); err == nil || !strings.Contains(err.Error(), "look, then unlock") {
		t.Error(err)
	}
	is(t, login(t, process(dir), true, errDoubt), errDoubt)
	if err := login(t, process(dir), false, nil); err == nil {
		t.Error("a person's doubt made it good")
	}
	is(t, login(t, process(dir), true, nil), nil)
	is(t, login(t, process(dir), false, nil), nil)
}

// TestTriedOnAFullDisk: a login that can't be noted takes no earlier note away.
func TestTriedOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	is(t, login(t, process(dir), false, errWrong), errWrong)
	turn, err := process(dir).Enter(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	is(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit), nil)
	is(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Max: limit.Max}), nil)
	full := turn.Trying()
	is(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit), nil)
	turn.Leave()
	if full == nil {
		t.Error("a login without a note")
	}
	if err := login(t, process(dir), false, nil); err == nil {
		t.Error("the note is gone")
	}
}

// TestTriedAndKilled: a process that ends in the middle of a login may have
// given a wrong PIN.
func TestTriedAndKilled(t *testing.T) {
	dir := t.TempDir()
	turn, err := process(dir).Enter(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := turn.Trying(); err != nil {
		t.Fatal(err)
	}
	turn.Leave() // as the end of the process does
	if err := login(t, process(dir), false, nil); err == nil {
		t.Error("it logs in")
	}
}

// TestTriedByMany: they log in one after the other, so that all but the first
// know of a wrong PIN.
func TestTriedByMany(t *testing.T) {
	dir := t.TempDir()
	const processes = 8
	given := make(chan bool, processes)
	for range processes {
		k := process(dir)
		go func() {
			turn, err := k.Enter(t.Context(), false)
			given <- err == nil
			if err == nil {
				defer turn.Leave()
				_ = turn.Trying()
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	times := 0
	for range processes {
		if <-given {
			times++
		}
	}
	if times != 1 {
		t.Errorf("the token was given a wrong PIN %d times", times)
	}
}

// TestTriedWaits for its turn no longer than the caller does, and logs in
// nowhere without the file.
func TestTriedWaits(t *testing.T) {
	dir := t.TempDir()
	turn, err := process(dir).Enter(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer turn.Leave()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := process(dir).Enter(ctx, false); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	for name, make := range map[string]func(path string) error{
		"a link":   func(path string) error { return os.Symlink(filepath.Join(dir, "elsewhere"), path) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		other := t.TempDir()
		if err := make(filepath.Join(other, TriedFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := process(other).Enter(t.Context(), true); err == nil || !strings.Contains(err.Error(), "no login without a note") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTriedByRoot: the worker can use the file that root made.
func TestTriedByRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		return // nothing to give away
	}
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, -1); err != nil {
		t.Fatal(err)
	}
	is(t, login(t, process(dir), false, nil), nil)
	info, err := os.Stat(filepath.Join(dir, TriedFile))
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != nobody {
		t.Errorf("the file is %v's", owner.Uid)
	}
}

func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
