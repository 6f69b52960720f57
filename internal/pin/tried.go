package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// TriedFile is the name of a Tried in a worker's storage_path.
const TriedFile = "pin.tried"

// Tried is a file by which processes learn of each other's logins to a token,
// as many tokens don't report wrong PINs. It is locked while one logs in, and
// not empty from before the token is given a PIN until the token has taken it.
// An answer that leaves in doubt whether the PIN was right may come once.
type Tried struct {
	path   string
	remedy string
}

// TriedIn is the file in dir, which is made with the first login. The remedy
// says what to do after a wrong PIN.
func TriedIn(dir, remedy string) *Tried {
	return &Tried{filepath.Join(dir, TriedFile), remedy}
}

// lockPause is the time between two attempts to get the lock.
const lockPause = 20 * time.Millisecond

// A Turn is the exclusive right to log in, until Leave.
type Turn struct {
	t      *Tried
	lock   *flock.Flock
	before string // what the file said
}

// An Answer is what a login's end says about the PIN.
type Answer int

// Answers.
const (
	Nothing Answer = iota
	Doubt          // it may be wrong
	Wrong
	Right
)

// doubt is what the file says after one.
const doubt = "The token failed once when it was given a PIN, which may be wrong.\n"

// Enter waits until no other process logs in, or until ctx ends. It fails if
// the token was given a PIN that it has not taken, unless a person made sure of
// the PIN: afterWrongPIN.
func (t *Tried) Enter(ctx context.Context, afterWrongPIN bool) (*Turn, error) {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return nil, t.failed(err)
	}
	// Root follows no link of the worker's user.
	lock := flock.New(t.path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW))
	switch locked, err := lock.TryLockContext(ctx, lockPause); {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("another process has had %s locked, and logs in: %w", t.path, ctx.Err())
	case err != nil || !locked:
		return nil, t.failed(err)
	}
	turn := &Turn{t: t, lock: lock}
	err := t.giveToOwner()
	if err == nil {
		turn.before, err = t.read()
	}
	if err != nil {
		turn.Leave()
		return nil, t.failed(err)
	}
	if turn.before != "" && turn.before != doubt && !afterWrongPIN {
		turn.Leave()
		return nil, fmt.Errorf("the token was given a PIN before and has not taken one since, according to %s; "+
			"there is no automatic login, as tokens lock: %s", t.path, t.remedy)
	}
	return turn, nil
}

// Leave ends the turn; the end of the process does so at the latest.
func (turn *Turn) Leave() { _ = turn.lock.Unlock() }

// Trying notes that the token is given a PIN now. After an error it must not
// be.
func (turn *Turn) Trying() error {
	err := turn.t.write("The token was given a PIN at " + time.Now().UTC().Format(time.RFC3339) +
		" and has not taken it: " + turn.t.remedy + "\n")
	if err != nil {
		return turn.t.failed(err)
	}
	return nil
}

// Answered notes how the login ended. A token that took the PIN has forgotten
// wrong ones; a failure that says nothing about the PIN says nothing about an
// earlier one. An error costs no more than an operator's time.
func (turn *Turn) Answered(a Answer) {
	switch first := turn.before == ""; {
	case a == Right, a == Nothing && first:
		_ = turn.t.write("")
	case a == Doubt && first, a == Nothing && turn.before == doubt:
		_ = turn.t.write(doubt)
	}
}

// giveToOwner lets the worker's user have what root made in his directory.
func (t *Tried) giveToOwner() error {
	dir, err := os.Stat(filepath.Dir(t.path))
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(t.path, int(owner.Uid), int(owner.Gid))
}

// read returns the beginning, which tells a doubt from all else.
func (t *Tried) read() (string, error) {
	f, err := os.OpenFile(t.path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(len(doubt))))
	return string(text), err
}

// write puts a text in place of what is there, which stays if it can't.
func (t *Tried) write(text string) error {
	f, err := os.OpenFile(t.path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(text); err == nil {
		err = f.Truncate(int64(len(text)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func (t *Tried) failed(err error) error {
	return fmt.Errorf("no login without a note of it in %s: %w: run this as the owner of storage_path, "+
		"which it must be able to write", t.path, err)
}
