//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

const actLogin = "C_Login"

// login logs the process in to the token, unless it is logged in. A PIN is
// tried once.
func (c *conn) login(ctx context.Context, f *call, s session) error {
	p := c.p
	if in, err := c.loggedIn(s); in || err != nil {
		return err
	}
	given, err := p.askPIN(ctx, c.info)
	if err != nil {
		return err
	}
	defer given.Wipe()
	if err := p.enter(ctx, p.mod.logins, false, actLogin, p.tokenName()); err != nil {
		return err
	}
	defer func() { <-p.mod.logins }()
	if p.o.Tried == nil || given == nil {
		return c.logInOnce(f, s, given, nil)
	}
	turn, err := p.o.Tried.Enter(ctx, p.o.AfterWrongPIN)
	if err != nil {
		return p.noPIN(ctx, actLogin, err, f.began)
	}
	defer turn.Leave()
	return c.logInOnce(f, s, given, turn)
}

// logInOnce looks at the token again, as another one may have tried while this
// one waited for its turn, and gives it the PIN.
func (c *conn) logInOnce(f *call, s session, given *secret.Bytes, turn *pin.Turn) (err error) {
	p := c.p
	if c.info, err = c.tokenInfo(); err != nil { // it was swapped meanwhile, and this PIN is not the other's
		return err
	}
	if in, err := c.loggedIn(s); in || err != nil {
		return err
	}
	token := p.o.Library + "\x00" + c.keys.token.String()
	if strikes.of(token, given) >= struckOut {
		return p.fail(keyprovider.PIN, actLogin, p.tokenName(), "the token refused this PIN before; it is not tried again: "+
			pinHelp+". If it is the token's PIN since, restart frost-worker first", nil)
	}
	if turn != nil {
		if err := turn.Trying(); err != nil {
			return p.fail(keyprovider.PIN, actLogin, p.tokenName(), err.Error(), nil)
		}
	}
	err = p.observed(f, keyprovider.OpLogin, actLogin, p.tokenName(), func() error { return p.try(s, given) })
	if given == nil {
		return err
	}
	err = p.remember(token, given, err)
	if turn != nil {
		turn.Answered(aboutPIN(err))
	}
	return err
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

// loggedIn asks the session, as the login may be another provider's. Its error
// says why there must be no login.
func (c *conn) loggedIn(s session) (bool, error) {
	if c.info.Flags&p11.CKF_LOGIN_REQUIRED == 0 {
		return true, nil
	}
	if remedy := c.p.mustNotLogIn(c.info.Flags); remedy != "" {
		return false, c.p.fail(keyprovider.PIN, actLogin, c.p.tokenName(), remedy, nil)
	}
	info, err := c.p.mod.api.GetSessionInfo(s)
	if err != nil {
		return false, c.p.failed("C_GetSessionInfo", c.p.tokenName(), err)
	}
	return info.State == p11.CKS_RO_USER_FUNCTIONS || info.State == p11.CKS_RW_USER_FUNCTIONS, nil
}

const notByItself = "There is no automatic login: make sure of the PIN, then " + unlockCommand

// mustNotLogIn reads what the token's flags say about its PIN.
func (p *Provider) mustNotLogIn(flags uint) (remedy string) {
	has := func(flag uint) bool { return flags&flag != 0 }
	switch {
	case has(p11.CKF_USER_PIN_LOCKED):
		return classes[p11.CKR_PIN_LOCKED].remedy
	case has(p11.CKF_PROTECTED_AUTHENTICATION_PATH): // a person enters it
	case !has(p11.CKF_USER_PIN_INITIALIZED):
		return classes[p11.CKR_USER_PIN_NOT_INITIALIZED].remedy
	case has(p11.CKF_USER_PIN_TO_BE_CHANGED):
		return classes[p11.CKR_PIN_EXPIRED].remedy
	case p.o.AfterWrongPIN:
	case has(p11.CKF_USER_PIN_FINAL_TRY):
		return "somebody entered wrong PINs, and the token locks at the next one. " + notByItself
	case has(p11.CKF_USER_PIN_COUNT_LOW):
		return "somebody entered a wrong PIN since the last right one: this program earlier, or a person by hand. " +
			"Tokens lock. " + notByItself
	}
	return ""
}

// askPIN returns nil for a token with its own PIN pad.
func (p *Provider) askPIN(ctx context.Context, info p11.TokenInfo) (*secret.Bytes, error) {
	if info.Flags&p11.CKF_PROTECTED_AUTHENTICATION_PATH != 0 {
		return nil, nil
	}
	var given *secret.Bytes
	began := time.Now()
	if p.o.PIN != nil {
		var err error
		if given, err = p.o.PIN(ctx); err != nil {
			return nil, p.noPIN(ctx, "ask for the PIN", err, began)
		}
	}
	n := uint(len(given.Expose()))
	switch {
	case n == 0: // of no use to wait for
		return nil, p.fail(keyprovider.Credentials, actLogin, p.tokenName(),
			"the token needs its PIN, and there is none: set pin_file or pin, or start this at a terminal", nil)
	case n < info.MinPinLen || info.MaxPinLen >= info.MinPinLen && info.MaxPinLen > 0 && n > info.MaxPinLen:
		given.Wipe()
		return nil, p.fail(keyprovider.PIN, actLogin, p.tokenName(),
			fmt.Sprintf("the token takes PINs of %d to %d characters, "+
				"and this one has another length; it was not tried: %s", info.MinPinLen, info.MaxPinLen, pinHelp), nil)
	}
	return given, nil
}

// noPIN is the error for a PIN that could not be had, or not be tried.
func (p *Provider) noPIN(ctx context.Context, action string, err error, began time.Time) error {
	if isContext(err) && ctx.Err() != nil {
		return p.gaveUp(ctx, action, p.tokenName(), began)
	}
	return p.fail(keyprovider.PIN, action, p.tokenName(), err.Error(), nil)
}
