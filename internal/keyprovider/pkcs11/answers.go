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

// pins are PINs by token.
type pins struct {
	mu  sync.Mutex
	all map[string][]*secret.Bytes
}

var (
	barred  pins // while they were locked or had expired, until somebody has mended that
	unclear pins // which got an answer that may mean that they are wrong
)

func (ps *pins) add(token string, pin *secret.Bytes) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		ps.all = map[string][]*secret.Bytes{}
	}
	ps.all[token] = append(ps.all[token], clonePIN(pin))
}

func (ps *pins) has(token string, pin *secret.Bytes) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.ContainsFunc(ps.all[token], func(old *secret.Bytes) bool {
		return subtle.ConstantTimeCompare(old.Expose(), pin.Expose()) == 1
	})
}

func (ps *pins) forget(token string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, pin := range ps.all[token] {
		pin.Wipe()
	}
	delete(ps.all, token)
}

func clonePIN(pin *secret.Bytes) *secret.Bytes { return secret.New(bytes.Clone(pin.Expose())) }

// remember keeps what the token said to a PIN, which decides whether it gets
// it again. Some libraries answer a wrong PIN with a code that does not say
// so: the second answer of that kind counts as a refusal.
func (p *Provider) remember(info p11.TokenInfo, pin *secret.Bytes, err error) error {
	token := p.tokenID(info)
	switch {
	case err == nil:
		barred.forget(token)
		unclear.forget(token)
	case isBarred(err):
		barred.add(token, pin)
	case isRefusal(err):
		p.keepRefused(info, clonePIN(pin))
	case !isUnclear(err):
	case unclear.has(token, pin):
		p.keepRefused(info, clonePIN(pin))
		return p.fail(keyprovider.PIN, actLogin, p.tokenName(),
			"the token failed twice at this PIN, which may be wrong; it is not tried again, as tokens lock: make sure of it ("+p.look()+"), restart frost-worker, then frost-worker unlock --config FILE", err)
	default:
		unclear.add(token, pin)
	}
	return err
}

// ofThisPIN is what a login's error says of its PIN: nothing, if no PIN would
// have done.
func ofThisPIN(err error) error {
	if isBarred(err) {
		return errors.New("the PIN is locked or has expired")
	}
	return err
}

// isBarred tells answers that say nothing of the PIN that was given.
func isBarred(err error) bool {
	return errors.Is(err, p11.Error(p11.CKR_PIN_LOCKED)) || errors.Is(err, p11.Error(p11.CKR_PIN_EXPIRED))
}

// isUnclear tells failures of C_Login before which the token may have looked at
// the PIN.
func isUnclear(err error) bool {
	var rv p11.Error
	known := errors.As(err, &rv)
	return err != nil && !isRefusal(err) && (!known || !slices.Contains([]p11.Error{
		p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_SESSION_COUNT, p11.CKR_SESSION_READ_ONLY_EXISTS,
		p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_TOKEN_NOT_RECOGNIZED, p11.CKR_DEVICE_REMOVED, p11.CKR_SLOT_ID_INVALID,
		p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_HOST_MEMORY, p11.CKR_USER_PIN_NOT_INITIALIZED}, rv))
}
