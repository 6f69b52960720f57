package pkcs11

import (
	"context"
	"log/slog"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// name is what errors, metrics and logs call this provider.
const name = "pkcs11"

// Bounds of Section.Sessions.
const (
	defaultSessions = 4
	maxSessions     = 64
)

// Options are a section and what no file says.
type Options struct {
	Section

	// PIN is asked at each login and may block until ctx ends. Every call
	// returns fresh bytes, which the provider wipes. It is not asked where the
	// token needs no login, has its own PIN pad, or is logged in already.
	PIN func(ctx context.Context) (*secret.Bytes, error)
	// AfterWrongPIN logs in for the first time although there was a wrong PIN
	// since the last right one. For a person who made sure of the PIN.
	AfterWrongPIN bool
	// Tried, if not nil, keeps other processes from trying a PIN that the token
	// refused, and this one from trying theirs. A token with a PIN pad of its
	// own is logged in to without it.
	Tried *pin.Tried

	Observe func(keyprovider.Call) // called for each call to the token
	Log     *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Sessions == 0 {
		o.Sessions = defaultSessions
	}
	if o.Observe == nil {
		o.Observe = func(keyprovider.Call) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}
