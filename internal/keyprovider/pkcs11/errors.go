//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// A class is what a return value means: for the operator, and for the
// connection, which is given up if it is lost.
type class struct {
	reason keyprovider.Reason
	lost   bool // session, login, handles or device are gone: connect again
	remedy string
}

const (
	again   = "the token is looked for again at the next call"
	pinHelp = "correct pin or pin_file, then " + unlockCommand

	unlockCommand = "frost-worker unlock --config FILE"
)

var errPanicked = errors.New("the library gave an answer that makes no sense, or this program has a fault: a panic")

const (
	away     = keyprovider.Unavailable
	badPIN   = keyprovider.PIN
	wrongKey = keyprovider.WrongKey
	denied   = keyprovider.Denied
)

var classes = map[p11.Error]class{
	p11.CKR_SESSION_HANDLE_INVALID:    {away, true, "the session is gone; " + again},
	p11.CKR_SESSION_CLOSED:            {away, true, "the session is gone; " + again},
	p11.CKR_USER_NOT_LOGGED_IN:        {away, true, "the login is gone; " + again},
	p11.CKR_OBJECT_HANDLE_INVALID:     {away, true, "the key's handle is gone; " + again},
	p11.CKR_KEY_HANDLE_INVALID:        {away, true, "the key's handle is gone; " + again},
	p11.CKR_TOKEN_NOT_PRESENT:         {away, true, "the token is not in its slot; " + again},
	p11.CKR_TOKEN_NOT_RECOGNIZED:      {away, true, "the token is not recognised; " + again},
	p11.CKR_SLOT_ID_INVALID:           {away, true, "the slot is gone; " + again},
	p11.CKR_DEVICE_REMOVED:            {away, true, "the token was pulled; " + again},
	p11.CKR_DEVICE_ERROR:              {away, true, "the device is in trouble; " + again},
	p11.CKR_GENERAL_ERROR:             {away, true, "the library can't go on; " + again},
	p11.CKR_FUNCTION_FAILED:           {away, true, "the library can't go on; " + again},
	p11.CKR_FUNCTION_CANCELED:         {away, true, "the token gave the call up; " + again},
	p11.CKR_CRYPTOKI_NOT_INITIALIZED:  {away, true, "something in this process finalised the library; " + again},
	p11.CKR_OPERATION_ACTIVE:          {away, true, "the session is out of step; " + again},
	p11.CKR_OPERATION_NOT_INITIALIZED: {away, true, "the session is out of step; " + again},
	p11.CKR_SESSION_COUNT:             {away, false, "the token has no session left: lower sessions, or end others"},
	p11.CKR_DEVICE_MEMORY:             {away, false, "the token is out of memory"},
	p11.CKR_HOST_MEMORY:               {away, false, "the machine is out of memory"},

	p11.CKR_PIN_INCORRECT: {badPIN, false, "the PIN is wrong and is not tried again, as tokens lock: " + pinHelp},
	p11.CKR_PIN_INVALID:   {badPIN, false, "the PIN has characters that the token does not take: " + pinHelp},
	p11.CKR_PIN_LEN_RANGE: {badPIN, false, "the PIN is too short or too long for the token: " + pinHelp},
	p11.CKR_PIN_EXPIRED:   {badPIN, false, "the PIN has expired: set another with the token's own tool; " + pinHelp},
	p11.CKR_PIN_LOCKED:    {badPIN, false, "the PIN is locked: the security officer sets another, pkcs11-tool --init-pin"},

	p11.CKR_USER_PIN_NOT_INITIALIZED: {badPIN, false, "the token has no user PIN: set one with pkcs11-tool --init-pin"},

	p11.CKR_MECHANISM_INVALID:          {wrongKey, false, "the token does not do this with this key"},
	p11.CKR_MECHANISM_PARAM_INVALID:    {wrongKey, false, "the token does not do this with this key"},
	p11.CKR_KEY_TYPE_INCONSISTENT:      {wrongKey, false, "the key is of another kind"},
	p11.CKR_KEY_SIZE_RANGE:             {wrongKey, false, "the key is of a size that the token does not take"},
	p11.CKR_KEY_FUNCTION_NOT_PERMITTED: {wrongKey, false, "the key's attributes do not allow this"},
	p11.CKR_ATTRIBUTE_SENSITIVE:        {wrongKey, false, "the token does not give this out"},
	p11.CKR_TEMPLATE_INCONSISTENT:      {wrongKey, false, "the token does not make keys with these attributes"},
	p11.CKR_TEMPLATE_INCOMPLETE:        {wrongKey, false, "the token wants further attributes for such a key"},
	p11.CKR_CURVE_NOT_SUPPORTED:        {wrongKey, false, "the token does not know P-256"},

	p11.CKR_TOKEN_WRITE_PROTECTED: {denied, false, "the token is write-protected: make the keys with its own tool"},
	p11.CKR_SESSION_READ_ONLY:     {denied, false, "the token is write-protected: make the keys with its own tool"},
	p11.CKR_USER_TYPE_INVALID:     {denied, false, "the token does not let its user do this: use its own tool"},
	p11.CKR_ACTION_PROHIBITED:     {denied, false, "the token does not let its user do this: use its own tool"},
}

// classify sorts any error of a library. An unknown one of a vendor may be about
// the connection.
func classify(err error) class {
	var rv p11.Error
	switch {
	case errors.Is(err, errPanicked): // in the midst of something
		return class{keyprovider.Other, true, "if it comes again, look for news of the token's software; " + again}
	case !errors.As(err, &rv):
		return class{reason: keyprovider.ReasonOf(err)}
	}
	if v, ok := classes[rv]; ok {
		return v
	}
	if rv >= p11.CKR_VENDOR_DEFINED {
		return class{keyprovider.Unavailable, true, "the vendor's manual explains this value; " + again}
	}
	return class{reason: keyprovider.Other}
}

// lost tells failures after which the connection is of no use.
func lost(err error) bool { return err != nil && classify(err).lost }

// failed makes the library's error one for an operator. Errors made here go
// through as they are.
func (p *Provider) failed(action, key string, err error) error {
	var explained *keyprovider.Error
	if err == nil || errors.As(err, &explained) || errors.Is(err, keyprovider.ErrClosed) {
		return err
	}
	v := classify(err)
	remedy := v.remedy
	if v.lost {
		remedy += " (" + p.look() + ")"
	}
	return p.fail(v.reason, action, key, remedy, err)
}

func (p *Provider) fail(reason keyprovider.Reason, action, key, remedy string, cause error) *keyprovider.Error {
	return &keyprovider.Error{Reason: reason, Provider: name, Action: action, Key: key, Remedy: strings.TrimSpace(remedy),
		Err: cause}
}

// gaveUp is what a caller gets whose context ended before the call did.
func (p *Provider) gaveUp(ctx context.Context, action, key string, began time.Time) error {
	err := ctx.Err()
	if errors.Is(err, context.Canceled) {
		return p.fail(keyprovider.Canceled, action, key, "", err)
	}
	return p.fail(keyprovider.Timeout, action, key,
		fmt.Sprintf("no answer within %s; %s", time.Since(began).Round(time.Millisecond), p.look()), err)
}

// look is how an operator sees what the library sees.
func (p *Provider) look() string { return "look with: " + p.lookCommand() }

func (p *Provider) lookCommand() string {
	if strings.Contains(p.o.Library, "softhsm") {
		return "softhsm2-util --show-slots"
	}
	return "pkcs11-tool --module " + p.o.Library + " -L"
}

// tool begins a command of OpenSC's tool on this token.
func (p *Provider) tool() string {
	if p.o.TokenLabel != "" {
		return fmt.Sprintf("pkcs11-tool --module %s --token-label %q --login", p.o.Library, p.o.TokenLabel)
	}
	return fmt.Sprintf("pkcs11-tool --module %s --slot %d --login", p.o.Library, *p.o.Slot)
}

// tokenName is the token as configured.
func (p *Provider) tokenName() string {
	switch {
	case p.o.Slot == nil:
		return fmt.Sprintf("token %q", p.o.TokenLabel)
	case p.o.TokenLabel == "":
		return fmt.Sprintf("the token in slot %d", *p.o.Slot)
	}
	return fmt.Sprintf("token %q in slot %d", p.o.TokenLabel, *p.o.Slot)
}

// keyName is a key as configured.
func (p *Provider) keyName(label string) string {
	return fmt.Sprintf("key %q on %s", label, p.tokenName())
}
