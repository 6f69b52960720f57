//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// pins are PINs by token: themselves and no hash, which could be guessed as
// well.
type pins struct {
	mu  sync.Mutex
	all map[string][]*secret.Bytes
}

var (
	refused pins // by their tokens, in this process
	unclear pins // got an answer once that may mean that they are wrong
)

func (ps *pins) add(token string, pin *secret.Bytes) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		ps.all = map[string][]*secret.Bytes{}
	}
	ps.all[token] = append(ps.all[token], secret.New(bytes.Clone(pin.Expose())))
}

func (ps *pins) has(token string, pin *secret.Bytes) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	found := 0
	for _, old := range ps.all[token] {
		found |= subtle.ConstantTimeCompare(old.Expose(), pin.Expose())
	}
	return found == 1
}

func (ps *pins) forget(token string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, pin := range ps.all[token] {
		pin.Wipe()
	}
	delete(ps.all, token)
}

// remember keeps what the token answered to a PIN, which decides whether it is
// given it again. Some libraries answer a wrong PIN with a code that does not
// say so: the second answer of that kind counts as a refusal. A PIN that is
// locked or has expired may be good again later, once somebody says so.
func (p *Provider) remember(token string, pin *secret.Bytes, err error) error {
	switch {
	case err == nil:
		unclear.forget(token)
	case isRefusal(err):
		refused.add(token, pin)
	case !isUnclear(err):
	case unclear.has(token, pin):
		refused.add(token, pin)
		return p.fail(keyprovider.PIN, actLogin, p.tokenName(), "the token failed twice at this PIN, which may be wrong; "+
			"it is not tried again, as tokens lock: make sure of it ("+p.look()+"), restart frost-worker, then "+
			unlockCommand, err)
	default:
		unclear.add(token, pin)
	}
	return err
}

func isOneOf(err error, values ...p11.Error) bool {
	var rv p11.Error
	return errors.As(err, &rv) && slices.Contains(values, rv)
}

// isRefusal reports whether a PIN got an answer after which it must not be
// given again.
func isRefusal(err error) bool {
	return isOneOf(err, p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE)
}

// isUnclear reports failures of C_Login before which the token may have looked
// at the PIN.
func isUnclear(err error) bool {
	return err != nil && !isRefusal(err) && !isOneOf(err, p11.CKR_PIN_LOCKED, p11.CKR_PIN_EXPIRED,
		p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_SESSION_COUNT, p11.CKR_SESSION_READ_ONLY_EXISTS,
		p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_TOKEN_NOT_RECOGNIZED, p11.CKR_DEVICE_REMOVED, p11.CKR_SLOT_ID_INVALID,
		p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_HOST_MEMORY, p11.CKR_USER_PIN_NOT_INITIALIZED)
}
