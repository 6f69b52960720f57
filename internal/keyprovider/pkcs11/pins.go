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
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// A strike is an answer of a token that speaks against a PIN. PINs are kept
// themselves and not as hashes, which could be guessed as well.
type strike struct {
	pin   *secret.Bytes
	count int
}

// struckOut is how many strikes keep a PIN from being tried: a refusal counts as
// all of them at once.
const struckOut = 2

// strikes are those of this process, by token.
var strikes = book{all: map[string][]strike{}}

type book struct {
	mu  sync.Mutex
	all map[string][]strike
}

func (b *book) add(token string, pin *secret.Bytes, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[token] = append(b.all[token], strike{secret.New(bytes.Clone(pin.Expose())), count})
}

// of counts the strikes of a PIN.
func (b *book) of(token string, pin *secret.Bytes) (count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.all[token] {
		count += s.count * subtle.ConstantTimeCompare(s.pin.Expose(), pin.Expose())
	}
	return count
}

// forgive takes the strikes away that did not put a PIN out.
func (b *book) forgive(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[token] = slices.DeleteFunc(b.all[token], func(s strike) bool {
		forgiven := s.count < struckOut
		if forgiven {
			s.pin.Wipe()
		}
		return forgiven
	})
}

// remember keeps what the token answered to a PIN, which decides whether it is
// given it again. Some libraries answer a wrong PIN with a code that does not
// say so: the second answer of that kind counts as a refusal. A PIN that is
// locked or has expired may be good again later, once somebody says so.
func (p *Provider) remember(token string, pin *secret.Bytes, err error) error {
	switch {
	case err == nil:
		strikes.forgive(token)
	case isRefusal(err):
		strikes.add(token, pin, struckOut)
	case isUnclear(err):
		before := strikes.of(token, pin)
		strikes.add(token, pin, before+1)
		if before > 0 {
			return p.fail(keyprovider.PIN, actLogin, p.tokenName(), "the token failed twice at this PIN, which may be wrong; "+
				"it is not tried again, as tokens lock: make sure of it ("+p.look()+"), restart frost-worker, then "+
				unlockCommand, err)
		}
	}
	return err
}

// aboutPIN is what programs of the same node are to know of a login.
func aboutPIN(err error) pin.Answer {
	switch {
	case err == nil:
		return pin.Right
	case keyprovider.ReasonOf(err) == keyprovider.PIN:
		return pin.Wrong
	case isUnclear(err):
		return pin.Doubt
	}
	return pin.Nothing
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
