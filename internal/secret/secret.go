// Package secret holds bytes that must not be printed, and wipes them.
//
// A Bytes prints as "[secret]" through every verb, logger and encoder. The
// bytes sit behind a closure: fmt prints the unexported fields of a struct it
// was handed by value without asking for a Formatter, but it can't look into
// a function. Wiping is best effort, as Go may have copied what the compiler
// spilled; it shortens the time that a secret lies in memory and promises no
// more.
package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[secret]"

// Bytes is a secret byte string. The zero value and nil are empty.
type Bytes struct {
	_      [0]func() // not comparable: == on secrets is not constant time
	expose func() []byte
}

// New takes ownership of b: the caller does not use it again.
func New(b []byte) *Bytes {
	return &Bytes{expose: func() []byte { return b }}
}

// Expose returns the secret itself, not a copy. It is empty after Wipe.
func (s *Bytes) Expose() []byte {
	if s == nil || s.expose == nil {
		return nil
	}
	return s.expose()
}

// Wipe overwrites the secret with zeros and forgets it.
func (s *Bytes) Wipe() {
	if s == nil || s.expose == nil {
		return
	}
	clear(s.expose())
	s.expose = nil
}

// Format implements fmt.Formatter for every verb.
func (*Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText keeps the secret out of JSON, TOML and every text encoder.
func (*Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (*Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }
