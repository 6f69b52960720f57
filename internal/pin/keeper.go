package pin

import (
	"context"
	"crypto/subtle"
	"sync"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Keeper gives the PIN of one token to whoever logs in, watches over the
// logins and hears how each of them ended.
type Keeper struct {
	source Source // nil: there is none
	remedy string // what to do without a PIN
	tried  *Tried // what other processes did

	mu      sync.Mutex
	trial   *secret.Bytes   // an operator's, not yet with the token
	kept    *secret.Bytes   // an operator's, which the token took
	refused []*secret.Bytes // by the token; people are slow, so there are few
	before  bool            // there was a wrong PIN before the login under way
}

// NewKeeper keeps the PIN that source gives (may be nil), and what operators
// bring. The remedy says what to do when there is none.
func NewKeeper(source Source, remedy string, tried *Tried) *Keeper {
	return &Keeper{source: source, remedy: remedy, tried: tried}
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

// Enter lets one process after the other log in, until leave is called. After
// a wrong PIN it lets none, unless a person is there to look: afterWrongPIN.
// Errors are an *Error, the end of ctx, or about the file that remembers.
func (k *Keeper) Enter(ctx context.Context, afterWrongPIN bool) (leave func(), err error) {
	leave, before, err := k.tried.enter(ctx, afterWrongPIN)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.before = before
	return leave, err
}

// Trying is told, after Enter, that the token gets a PIN now; after an error
// it must not.
func (k *Keeper) Trying() error { return k.tried.trying() }

// LoggedIn is told, after Trying, how the login with a PIN ended. The PIN stays
// the caller's.
func (k *Keeper) LoggedIn(pin *secret.Bytes, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keyprovider.ReasonOf(err) == keyprovider.PIN {
		k.refuse(pin)
		return
	}
	if err == nil || !k.before { // other failures say nothing of this PIN, nor of the ones before
		k.tried.forget()
	}
	if err == nil && same(k.trial, pin) {
		k.kept.Wipe()
		k.kept, k.trial = k.trial, nil
	}
}

func (k *Keeper) refuse(pin *secret.Bytes) {
	k.refused = append(k.refused, clone(pin))
	for _, mine := range []**secret.Bytes{&k.trial, &k.kept} {
		if same(*mine, pin) {
			(*mine).Wipe()
			*mine = nil
		}
	}
}

// Try has login log in with an operator's PIN, which it owns, and keeps it if
// the token took it: then taken is true, whatever else login says. It is false
// without an error if login needed no PIN: it was logged in already.
func (k *Keeper) Try(pin *secret.Bytes, login func() error) (taken bool, err error) {
	if err := k.begin(pin); err != nil {
		pin.Wipe()
		return false, err
	}
	err = login()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trial.Wipe() // nothing, if it has moved
	k.trial = nil
	return k.kept == pin, err
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
	for _, pin := range append(k.refused, k.trial, k.kept) {
		pin.Wipe()
	}
	k.refused, k.trial, k.kept = nil, nil, nil
}
