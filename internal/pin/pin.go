// Package pin gets a token's PIN to where a node logs in: from the
// configuration, from a file, or from a person at the terminal; and it keeps
// several processes from trying wrong ones.
//
// Tokens lock after a few wrong PINs. So there is one rule: a PIN that the
// token refused is not given to it again. The back end enforces it within a
// process, and Tried between processes.
//
// PINs are secret.Bytes, wiped as soon as they are used.
package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// maxPIN is the longest PIN in bytes. Tokens take far less.
const maxPIN = 255

// Source returns a PIN when asked; the caller wipes it.
type Source func(context.Context) (*secret.Bytes, error)

// Literal returns copies of a PIN that somebody else keeps.
func Literal(pin *secret.Bytes) Source {
	return func(context.Context) (*secret.Bytes, error) { return clone(pin), nil }
}

// File reads a PIN from a file that nobody else may read, each time anew: a
// corrected file counts at the next login.
func File(path string) Source {
	return func(context.Context) (*secret.Bytes, error) { return readFile(path) }
}

// Typed asks a person once and then answers from memory: the token may be
// pulled and put back while nobody is there to type.
type Typed struct {
	ask  Source
	turn chan struct{} // held while the person is asked
	pin  *secret.Bytes
}

// NewTyped returns a source of what ask answers.
func NewTyped(ask Source) *Typed { return &Typed{ask: ask, turn: make(chan struct{}, 1)} }

// PIN is a Source.
func (t *Typed) PIN(ctx context.Context) (*secret.Bytes, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t.pin == nil {
		fresh, err := t.ask(ctx)
		if err != nil {
			return nil, err
		}
		t.pin = fresh
	}
	return clone(t.pin), nil
}

// Forget wipes the answer, so that the person is asked again. It does nothing
// while the person is being asked.
func (t *Typed) Forget() {
	select {
	case t.turn <- struct{}{}:
		t.pin.Wipe()
		t.pin = nil
		<-t.turn
	default:
	}
}

func clone(pin *secret.Bytes) *secret.Bytes { return secret.New(bytes.Clone(pin.Expose())) }

// Error is why a PIN could not be had, or was not taken. It says nothing of the
// PIN.
type Error struct {
	What   string
	Remedy string
}

// Error returns "what: remedy".
func (e *Error) Error() string { return e.What + ": " + e.Remedy }

// readAgain ends the remedies of a file.
const readAgain = "; a worker that waits reads it again"

// readFile checks the mode of what it opened, and waits for no writer of a
// pipe.
func readFile(path string) (*secret.Bytes, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &Error{err.Error(), "write the PIN into pin_file, mode 0600" + readAgain}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{err.Error(), "correct pin_file" + readAgain}
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{"pin_file " + path + " is not a regular file", "name one, and start again"}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &Error{fmt.Sprintf("pin_file has mode %04o, and others can read it", mode), "chmod 600 " + path +
			readAgain}
	}
	pin, err := Read(f)
	if err != nil {
		return nil, &Error{"pin_file " + path + ": " + err.Error(), "write the PIN alone into it" + readAgain}
	}
	return pin, nil
}

var errForm = fmt.Errorf("not a PIN of 1 to %d bytes on one line", maxPIN)

// Read reads a PIN that stands alone in r, with or without a line end.
func Read(r io.Reader) (*secret.Bytes, error) {
	var text [maxPIN + 3]byte // a line end, and one byte too many
	defer clear(text[:])
	n, err := io.ReadFull(r, text[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return parse(text[:n])
}

// parse copies a PIN out of text.
func parse(text []byte) (*secret.Bytes, error) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	text = bytes.TrimSuffix(text, []byte("\r"))
	if len(text) == 0 || len(text) > maxPIN || bytes.ContainsAny(text, "\x00\r\n") {
		return nil, errForm
	}
	return secret.New(bytes.Clone(text)), nil
}
