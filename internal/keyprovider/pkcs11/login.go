//go:build cgo

package pkcs11

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

const actLogin = "C_Login"

// refused are the PINs that tokens refused in this process: themselves and no
// hash, which could be guessed as well.
var refused = struct {
	sync.Mutex
	pins map[string][]*secret.Bytes // by token
}{pins: map[string][]*secret.Bytes{}}

// login logs the process in to the token, unless it is. A PIN is tried once.
func (p *Provider) login(ctx context.Context, f *flight, c *conn, s session) error {
	if err := p.mayLogIn(c.info.Flags); err != nil {
		return err
	}
	if in, err := p.loggedIn(c, s); in || err != nil {
		return err
	}
	pin, err := p.askPIN(ctx, c.info)
	if err != nil {
		return err
	}
	defer func() { pin.Wipe() }()

	select {
	case p.mod.logins <- struct{}{}:
		defer func() { <-p.mod.logins }()
	case <-ctx.Done():
		return p.gaveUp(ctx, actLogin, p.tokenName(), f.began)
	}
	if p.o.Guard != nil && pin != nil {
		leave, err := p.o.Guard.Enter(ctx, p.o.AfterWrongPIN)
		if err != nil {
			return p.noLogin(ctx, err)
		}
		defer leave()
	}
	// Another one may have tried while we waited.
	serial := c.info.SerialNumber
	if c.info, err = p.mod.api.GetTokenInfo(c.slot); err != nil {
		return p.failed("C_GetTokenInfo", p.tokenName(), err)
	}
	if c.info.SerialNumber != serial { // it was swapped meanwhile, and this PIN is not the other's
		return p.failed("C_GetTokenInfo", p.tokenName(), p11.Error(p11.CKR_TOKEN_NOT_PRESENT))
	}
	if err := p.mayLogIn(c.info.Flags); err != nil {
		return err
	}
	if in, err := p.loggedIn(c, s); in || err != nil {
		return err
	}
	if p.wasRefused(c.info, pin) {
		return p.fail(keyprovider.PIN, actLogin, p.tokenName(), "the token refused this PIN before; it is not tried again: "+pinHelp+
			". If it is the token's PIN since, restart frost-worker first", nil)
	}
	if p.o.Guard != nil && pin != nil {
		if err := p.o.Guard.Trying(); err != nil {
			return p.noLogin(ctx, err)
		}
	}
	err = p.call(f, keyprovider.OpLogin, actLogin, p.tokenName(), func() error { return p.try(s, pin) })
	if pin == nil {
		return err
	}
	err = p.remember(c.info, pin, err)
	if p.o.Guard != nil {
		p.o.Guard.LoggedIn(pin, ofThisPIN(err))
	}
	return err
}

// noLogin is the error for what the guard says.
func (p *Provider) noLogin(ctx context.Context, err error) error {
	reason := keyprovider.PIN
	if ctx.Err() != nil && isContext(err) {
		reason = keyprovider.ReasonOf(ctx.Err())
	}
	return p.fail(reason, actLogin, p.tokenName(), "", err)
}

// try hands the bytes over without a copy on Go's side. The binding's copy in
// C is not wiped.
func (p *Provider) try(s session, pin *secret.Bytes) error {
	b := pin.Expose()
	err := p.mod.api.Login(s, p11.CKU_USER, unsafe.String(unsafe.SliceData(b), len(b)))
	if errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)) {
		return nil
	}
	return err
}

// loggedIn asks the session: the login may be another provider's.
func (p *Provider) loggedIn(c *conn, s session) (bool, error) {
	if c.info.Flags&p11.CKF_LOGIN_REQUIRED == 0 {
		return true, nil
	}
	info, err := p.mod.api.GetSessionInfo(s)
	if err != nil {
		return false, p.failed("C_GetSessionInfo", p.tokenName(), err)
	}
	return info.State == p11.CKS_RO_USER_FUNCTIONS || info.State == p11.CKS_RW_USER_FUNCTIONS, nil
}

// mayLogIn reads what the token tells of its PIN.
func (p *Provider) mayLogIn(flags uint) error {
	has := func(flag uint) bool { return flags&flag != 0 }
	var remedy string
	switch {
	case !has(p11.CKF_LOGIN_REQUIRED):
	case has(p11.CKF_USER_PIN_LOCKED):
		remedy = verdicts[p11.CKR_PIN_LOCKED].remedy
	case has(p11.CKF_PROTECTED_AUTHENTICATION_PATH): // a person enters it
	case !has(p11.CKF_USER_PIN_INITIALIZED):
		remedy = verdicts[p11.CKR_USER_PIN_NOT_INITIALIZED].remedy
	case has(p11.CKF_USER_PIN_TO_BE_CHANGED):
		remedy = verdicts[p11.CKR_PIN_EXPIRED].remedy
	case p.o.AfterWrongPIN:
	case has(p11.CKF_USER_PIN_FINAL_TRY):
		remedy = "somebody entered wrong PINs, and the token locks at the next one. It is not logged in to by itself: make sure of the PIN, then frost-worker unlock --config FILE"
	case has(p11.CKF_USER_PIN_COUNT_LOW):
		remedy = "somebody entered a wrong PIN since the last right one, maybe this program before, maybe somebody else by hand. It is not logged in to by itself, as tokens lock: make sure of the PIN, then frost-worker unlock --config FILE"
	}
	if remedy == "" {
		return nil
	}
	return p.fail(keyprovider.PIN, actLogin, p.tokenName(), remedy, nil)
}

// askPIN gives nil for a token with its own PIN pad.
func (p *Provider) askPIN(ctx context.Context, info p11.TokenInfo) (*secret.Bytes, error) {
	if info.Flags&p11.CKF_PROTECTED_AUTHENTICATION_PATH != 0 {
		return nil, nil
	}
	const missing = "the token wants its PIN: set pin or pin_file, or enter it with frost-worker unlock --config FILE"
	if p.o.PIN == nil {
		return nil, p.fail(keyprovider.PIN, actLogin, p.tokenName(), missing, nil)
	}
	began := time.Now()
	pin, err := p.o.PIN(ctx)
	if isContext(err) && ctx.Err() != nil {
		return nil, p.gaveUp(ctx, "ask for the PIN", p.tokenName(), began)
	}
	if err != nil {
		return nil, p.fail(keyprovider.PIN, "ask for the PIN", p.tokenName(), "", err)
	}
	n := uint(len(pin.Expose()))
	switch {
	case n == 0:
		return nil, p.fail(keyprovider.PIN, actLogin, p.tokenName(), missing, nil)
	case n < info.MinPinLen || info.MaxPinLen >= info.MinPinLen && info.MaxPinLen > 0 && n > info.MaxPinLen:
		pin.Wipe()
		return nil, p.fail(keyprovider.PIN, actLogin, p.tokenName(),
			fmt.Sprintf("the token takes PINs of %d to %d characters, and this one has another length; it was not tried: %s", info.MinPinLen, info.MaxPinLen, pinHelp), nil)
	}
	return pin, nil
}

// isRefusal tells answers to a PIN that must not be given twice.
func isRefusal(err error) bool {
	var rv p11.Error
	return errors.As(err, &rv) && slices.Contains([]p11.Error{p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID,
		p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED, p11.CKR_PIN_LOCKED}, rv)
}

// tokenID is a token wherever it is plugged in.
func (p *Provider) tokenID(info p11.TokenInfo) string {
	return p.o.Library + "\x00" + info.SerialNumber + "\x00" + info.Label
}

func (p *Provider) keepRefused(info p11.TokenInfo, pin *secret.Bytes) {
	refused.Lock()
	defer refused.Unlock()
	id := p.tokenID(info)
	refused.pins[id] = append(refused.pins[id], pin)
}

func (p *Provider) wasRefused(info p11.TokenInfo, pin *secret.Bytes) bool {
	refused.Lock()
	defer refused.Unlock()
	found := 0
	for _, old := range refused.pins[p.tokenID(info)] {
		found |= subtle.ConstantTimeCompare(old.Expose(), pin.Expose())
	}
	return found == 1 || !p.o.AfterWrongPIN && barred.has(p.tokenID(info), pin)
}
