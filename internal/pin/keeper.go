package pin

import (
	"context"
	"crypto/subtle"
	"sync"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Keeper gives the PIN of one token to whoever logs in, and hears how each
// login ended.
type Keeper struct {
	source Source // nil: there is none
	remedy string // what to do without a PIN

	mu      sync.Mutex
	trial   *secret.Bytes   // an operator's, not yet with the token
	kept    *secret.Bytes   // an operator's, which the token took
	given   *secret.Bytes   // for the login under way
	refused []*secret.Bytes // by the token; people are slow, so there are few
}

// NewKeeper keeps the PIN that source gives (may be nil), and what operators
// bring. The remedy says what to do when there is none.
func NewKeeper(source Source, remedy string) *Keeper {
	return &Keeper{source: source, remedy: remedy}
}

// PIN gives a copy of the PIN, for one login: the operator's, or else what the
// source says. The caller wipes it. Errors are an *Error, or
// the end of ctx.
func (k *Keeper) PIN(ctx context.Context) (*secret.Bytes, error) {
	pin, err := k.choose(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wasRefused(pin) {
		pin.Wipe()
		return nil, &Error{refusedBefore, k.remedy}
	}
	k.given.Wipe()
	k.given = clone(pin)
	return pin, nil
}

const refusedBefore = "the token refused this PIN before, and it is not tried again, as tokens lock"

func (k *Keeper) choose(ctx context.Context) (*secret.Bytes, error) {
	if pin := k.operators(); pin != nil {
		return pin, nil
	}
	if k.source == nil {
		return nil, &Error{"there is no PIN", k.remedy}
	}
	return k.source(ctx) // may ask a person: not under the lock
}

// operators gives a copy of the PIN that an operator brought, or nil.
func (k *Keeper) operators() *secret.Bytes {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.trial != nil:
		return clone(k.trial)
	case k.kept != nil:
		return clone(k.kept)
	}
	return nil
}

func (k *Keeper) wasRefused(pin *secret.Bytes) bool {
	for _, r := range k.refused {
		if same(r, pin) {
			return true
		}
	}
	return false
}

func same(a, b *secret.Bytes) bool {
	return a != nil && b != nil && subtle.ConstantTimeCompare(a.Expose(), b.Expose()) == 1
}

// LoggedIn is told how the login ended for which PIN was asked last.
func (k *Keeper) LoggedIn(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	given := k.given
	k.given = nil
	switch {
	case given == nil:
	case keyprovider.ReasonOf(err) == keyprovider.PIN:
		k.refused = append(k.refused, given)
		for _, pin := range []**secret.Bytes{&k.trial, &k.kept} {
			if same(*pin, given) {
				(*pin).Wipe()
				*pin = nil
			}
		}
		return
	case err == nil && same(k.trial, given):
		k.kept.Wipe()
		k.kept, k.trial = k.trial, nil
	}
	given.Wipe()
}

// Try has login log in with an operator's PIN, and keeps it if the token took
// it. It takes ownership of the PIN. taken is false without an error if login
// succeeded without any PIN: it was logged in already.
func (k *Keeper) Try(pin *secret.Bytes, login func() error) (taken bool, err error) {
	if err := k.begin(pin); err != nil {
		pin.Wipe()
		return false, err
	}
	err = login()
	k.mu.Lock()
	defer k.mu.Unlock()
	taken = k.trial == nil && err == nil
	k.trial.Wipe()
	k.trial = nil
	return taken, err
}

func (k *Keeper) begin(pin *secret.Bytes) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.wasRefused(pin):
		return &Error{refusedBefore, "give another one; if the token's was changed since, restart the worker"}
	case k.trial != nil:
		return &Error{"another PIN is being tried", "try again in a moment"}
	}
	k.trial = pin
	return nil
}

// Wipe forgets all PINs.
func (k *Keeper) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pin := range append(k.refused, k.trial, k.kept, k.given) {
		pin.Wipe()
	}
	k.refused, k.trial, k.kept, k.given = nil, nil, nil, nil
}
