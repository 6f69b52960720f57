// Package conformance holds what every key provider must do, as a suite that
// a provider's own test calls:
//
//	conformance.Run(t, conformance.Subject{Open: ..., OpenOther: ...})
//
// Each case is a function that returns an error, so that the suite itself is
// tested against providers with faults.
package conformance

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Subject is the provider under test.
type Subject struct {
	// Open returns the provider; each call opens the same two keys again, as
	// after a restart. The suite closes what it opened.
	Open func() (keyprovider.Provider, error)
	// OpenOther returns a provider over two other keys.
	OpenOther func() (keyprovider.Provider, error)
	// Hang has the device hold back its answers until release is called. Nil for
	// a provider that has nothing to wait for.
	Hang func() (release func())
	// CannotDerive declares a provider without a derivation key: the suite
	// then wants ErrCannotDerive wherever it would derive.
	CannotDerive bool
	// Timeout bounds each case; 30 seconds when zero.
	Timeout time.Duration
}

// A testCase is one promise of keyprovider.Provider.
type testCase struct {
	name    string
	derives bool // needs a derivation key
	run     func(context.Context, Subject) error
}

func cases() []testCase {
	return []testCase{
		{"Check", true, selfCheck},
		{"Identity", false, identityStable},
		{"Sign", false, signVerifies},
		{"Derive", true, deriveDeterministic},
		{"DeriveLabels", true, deriveLabels},
		{"OtherKeys", false, otherKeys},
		{"OtherDerivation", true, otherDerivation},
		{"CannotDerive", false, cannotDerive},
		{"Concurrent", false, concurrent},
		{"Cancelled", false, cancelled},
		{"ContextEnds", false, contextEnds},
		{"Close", false, closing},
	}
}

// Run runs the suite, of which each case is a subtest.
func Run(t *testing.T, s Subject) {
	t.Helper()
	if s.Open == nil || s.OpenOther == nil {
		t.Fatal("conformance.Subject needs Open and OpenOther")
	}
	for _, c := range cases() {
		if c.derives && s.CannotDerive {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if err := s.run(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (s Subject) run(ctx context.Context, c testCase) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, 30*time.Second))
	defer cancel()
	return c.run(ctx, s)
}

// with opens a provider, uses it and closes it.
func with(open func() (keyprovider.Provider, error), use func(keyprovider.Provider) error) error {
	p, err := open()
	if err != nil {
		return err
	}
	return errors.Join(use(p), p.Close())
}
