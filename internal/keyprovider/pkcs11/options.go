package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// name is what errors, metrics and logs call this provider.
const name = "pkcs11"

// Values of Options.Derivation.
const (
	HMAC = "hmac" // a generic secret, CKM_SHA256_HMAC
	ECDH = "ecdh" // a P-256 key, CKM_ECDH1_DERIVE
)

// Bounds of Options.Sessions.
const (
	defaultSessions = 4
	maxSessions     = 64
)

// Options say which library, token and keys to use.
type Options struct {
	Library            string // path of the library
	Slot               *uint  // the token's slot, or
	TokenLabel         string // its label; with both, both must hold
	Manufacturer       string // of the token; these three may be empty
	Model              string
	Serial             string
	KeyLabel           string // of the identity key
	KeyID              []byte // its CKA_ID; may be empty
	DerivationKeyLabel string // empty: the provider can't derive
	Derivation         string // HMAC or ECDH insist on a kind of key; empty: the one that is there

	// PIN is asked at each login and may block until ctx ends. Every call
	// gives fresh bytes, which the provider wipes. It is not asked where the
	// token needs no login, has its own PIN pad, or is logged in already.
	PIN PINSource
	// AfterWrongPIN logs in although the token tells of a wrong PIN since the
	// last right one. For a person who has just entered the PIN.
	AfterWrongPIN bool
	// Guard, if not nil, stands around every login with a PIN from here.
	Guard Guard

	Sessions int                    // at most so many calls at once; default 4
	Observe  func(keyprovider.Call) // told of each call that the token got
	Log      *slog.Logger
}

// PINSource gives the token's PIN.
type PINSource = func(context.Context) (*secret.Bytes, error)

// A Guard keeps PINs that the token refused from being tried again, by other
// processes too. A token that takes its PIN itself is logged in to without it.
type Guard interface {
	// Enter waits for the turn to log in until ctx ends, and says if there
	// must be no login now. leave ends the turn.
	Enter(ctx context.Context, afterWrongPIN bool) (leave func(), err error)
	// Trying is told right before the token gets a PIN, which an error stops.
	Trying() error
	// LoggedIn is told what the token said to which PIN, as soon as it says
	// so, whoever waits for it still. That a PIN is locked or has expired says
	// nothing of the one that was given, so its reason is another then. The
	// PIN is wiped afterwards.
	LoggedIn(pin *secret.Bytes, err error)
}

// check fills in defaults and finds what can't work with any token.
func (o *Options) check() error {
	if o.Sessions == 0 {
		o.Sessions = defaultSessions
	}
	if o.Observe == nil {
		o.Observe = func(keyprovider.Call) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Library == "":
		return errors.New("pkcs11: no library: set pkcs11_library, or module-path in uri")
	case o.Slot == nil && o.TokenLabel == "":
		return errors.New("pkcs11: no token: set token_label or slot, or token or slot-id in uri")
	case o.KeyLabel == "":
		return errors.New("pkcs11: no identity key: set key_label, or object in uri")
	case o.DerivationKeyLabel == o.KeyLabel:
		return fmt.Errorf("pkcs11: key_label and derivation_key_label are both %q: identity and derivation are two keys", o.KeyLabel)
	case o.Derivation != "" && o.Derivation != HMAC && o.Derivation != ECDH:
		return fmt.Errorf("pkcs11: derivation = %q is neither %q nor %q", o.Derivation, HMAC, ECDH)
	case o.Sessions < 1 || o.Sessions > maxSessions:
		return fmt.Errorf("pkcs11: %d sessions: use 1 to %d", o.Sessions, maxSessions)
	}
	return nil
}
