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
	"sync"

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
	Ask Source

	mu  sync.Mutex // also while the person is asked
	pin *secret.Bytes
}

// PIN is a Source.
func (t *Typed) PIN(ctx context.Context) (*secret.Bytes, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin == nil {
		fresh, err := t.Ask(ctx)
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
	if t.mu.TryLock() {
		defer t.mu.Unlock()
		t.pin.Wipe()
		t.pin = nil
	}
}

func clone(pin *secret.Bytes) *secret.Bytes { return secret.New(bytes.Clone(pin.Expose())) }

func readFile(path string) (*secret.Bytes, error) {
	pin, err := secret.File{What: "pin_file", Path: path, Max: maxPIN}.Line()
	if bad := (*secret.FileError)(nil); errors.As(err, &bad) {
		explained := *bad
		if explained.Remedy == "" {
			explained.Remedy = "write the PIN into pin_file, mode 0600"
		}
		explained.Remedy += "; a worker that waits reads it again"
		err = &explained
	}
	return pin, err
}

// Parse copies a PIN that is typed or that stands in a text: it ends no line, as
// in a file. The error says nothing of the PIN.
func Parse(text []byte) (*secret.Bytes, error) {
	pin, err := secret.ParseLine(text, maxPIN)
	if err == nil && len(pin.Expose()) < len(text) {
		err = errors.New("ends with a line end")
	}
	if err != nil {
		pin.Wipe()
		return nil, fmt.Errorf("is no PIN of 1 to %d bytes on one line: it %w", maxPIN, err)
	}
	return pin, nil
}
