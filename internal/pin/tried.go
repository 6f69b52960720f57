package pin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// TriedFile is the name of a Tried in a worker's storage_path.
const TriedFile = "pin.tried"

// Tried is a file by which processes know of each other's logins to a token,
// as many tokens don't tell of wrong PINs. It is locked while one logs in, and
// not empty from before the token gets a PIN until the token has taken it.
type Tried struct {
	path   string
	remedy string
}

// TriedIn is the file in dir, which is made with the first login. The remedy
// says what to do after a wrong PIN.
func TriedIn(dir, remedy string) *Tried {
	return &Tried{filepath.Join(dir, TriedFile), remedy}
}

// lockPause is the time between two looks whether another process is done.
const lockPause = 20 * time.Millisecond

// enter waits until no other process logs in, or until ctx ends. Unless it is
// after a wrong PIN, it fails if there was one.
func (t *Tried) enter(ctx context.Context, afterWrongPIN bool) (leave func(), before bool, err error) {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return nil, false, t.failed(err)
	}
	// Root follows no link of the worker's user.
	lock := flock.New(t.path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW))
	switch locked, err := lock.TryLockContext(ctx, lockPause); {
	case err != nil && ctx.Err() != nil:
		return nil, false, fmt.Errorf("another process has had %s locked, and logs in: %w", t.path, ctx.Err())
	case err != nil || !locked:
		return nil, false, t.failed(err)
	}
	leave = func() { _ = lock.Unlock() } // ends with the process at the latest
	info, err := lock.Stat()
	if err == nil {
		err = t.giveToOwner()
	}
	switch {
	case err != nil:
		leave()
		return nil, false, t.failed(err)
	case info.Size() > 0 && !afterWrongPIN:
		leave()
		return nil, false, &Error{"the token was given a PIN before and has not taken one since, says " + t.path +
			"; it is not logged in to by itself, as tokens lock", t.remedy}
	}
	return leave, info.Size() > 0, nil
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

// trying notes that the token gets a PIN now.
func (t *Tried) trying() error {
	err := t.write("The token was given a PIN at " + time.Now().UTC().Format(time.RFC3339) + " and has not taken it: " + t.remedy + "\n")
	if err != nil {
		return t.failed(err)
	}
	return nil
}

// forget notes that the token has refused no PIN. An error costs no more than
// an operator's time.
func (t *Tried) forget() { _ = t.write("") }

func (t *Tried) write(text string) error {
	f, err := os.OpenFile(t.path, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (t *Tried) failed(err error) error {
	return fmt.Errorf("no login without a note of it in %s: %w: run this as the owner of storage_path, which it must be able to write", t.path, err)
}
