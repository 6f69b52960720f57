// Package pin gets a token's PIN to where a worker logs in: from the
// configuration, from a file, from the terminal, or from an operator who runs
// frost-worker unlock beside the worker.
//
// Tokens lock after a few wrong PINs. So there is one rule: a PIN that the
// token refused is not given to it again. Keeper enforces it, whatever the
// source and however often the worker logs in, and Tried for the processes after
// and beside it.
//
// PINs are secret.Bytes, wiped as soon as they are used. What an operator
// typed stays in memory, and only there: the worker logs in with it again
// after the token was pulled and put back.
package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// maxPIN is the longest PIN in bytes. Tokens take far less.
const maxPIN = 255

// Source gives a PIN when asked; the caller wipes it.
type Source func(context.Context) (*secret.Bytes, error)

// Literal gives copies of a PIN that somebody else keeps.
func Literal(pin *secret.Bytes) Source {
	return func(context.Context) (*secret.Bytes, error) { return clone(pin), nil }
}

// File reads a PIN from a file that nobody else may read, each time anew: a
// corrected file counts at the next login, or with frost-worker unlock.
func File(path string) Source {
	return func(context.Context) (*secret.Bytes, error) { return readFile(path) }
}

// Once asks a source once, and then answers from memory.
func Once(source Source) Source {
	var pin *secret.Bytes
	turn := make(chan struct{}, 1)
	return func(ctx context.Context) (*secret.Bytes, error) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if pin == nil {
			fresh, err := source(ctx)
			if err != nil {
				return nil, err
			}
			pin = fresh
		}
		return clone(pin), nil
	}
}

func clone(pin *secret.Bytes) *secret.Bytes { return secret.New(bytes.Clone(pin.Expose())) }

// Error is why a PIN could not be had, or was not taken. It says nothing of the
// PIN.
type Error struct {
	What   string
	Remedy string
}

// Error gives "what: remedy".
func (e *Error) Error() string { return e.What + ": " + e.Remedy }

// RemedyOf finds what mends an error, of a PIN or of a device.
func RemedyOf(err error) string {
	var device *keyprovider.Error
	if errors.As(err, &device) && device.Remedy != "" {
		return device.Remedy
	}
	var pin *Error
	if errors.As(err, &pin) {
		return pin.Remedy
	}
	return ""
}

// thenUnlock ends the remedies of a file, which a worker that waits does not
// look at again.
const thenUnlock = "; if a worker waits for it, then frost-worker unlock --config FILE"

func readFile(path string) (*secret.Bytes, error) {
	pin, err := secret.File{What: "pin_file", Path: path, Max: maxPIN}.Line()
	var bad *secret.FileError
	switch {
	case err == nil:
		return pin, nil
	case !errors.As(err, &bad):
		return nil, &Error{err.Error(), "correct pin_file" + thenUnlock}
	}
	remedy := bad.Remedy
	switch {
	case errors.Is(err, secret.ErrText) && remedy == "":
		remedy = "write the PIN alone into it"
	case remedy == "":
		remedy = "write the PIN into pin_file, mode 0600"
	}
	what := *bad // without the remedy, which has a place of its own
	what.Remedy = ""
	return nil, &Error{what.Error(), remedy + thenUnlock}
}

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
	pin, err := secret.ParseLine(text, maxPIN)
	if err != nil {
		return nil, fmt.Errorf("not a PIN of 1 to %d bytes on one line: what was given %w", maxPIN, err)
	}
	return pin, nil
}
