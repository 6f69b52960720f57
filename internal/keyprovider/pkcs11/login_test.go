//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// pinned is a token whose logins a test counts.
func pinned(t *testing.T) (*faulty, softhsm.Token, Options) {
	t.Helper()
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	return f, token, o
}

func openErr(t *testing.T, o Options, f *faulty) error {
	t.Helper()
	p, err := open(t.Context(), o, f.load, false)
	if err == nil {
		t.Cleanup(func() { _ = p.Close() })
	}
	return err
}

// TestWrongPIN is tried once in this process, and not by a process after it
// either, until a person says so.
func TestWrongPIN(t *testing.T) {
	f, token, o := pinned(t)
	o.PIN = pinOf("111111")
	wants(t, openErr(t, o, f), keyprovider.PIN, "C_Login", "node-0", "not tried again", "frost-worker unlock")
	// A supervisor's restart: the token's own flag holds it back.
	for range 3 {
		wants(t, openErr(t, o, f), keyprovider.PIN, "wrong PIN", "frost-worker unlock")
	}
	right := o
	right.PIN = pinOf(token.PIN)
	wants(t, openErr(t, right, f), keyprovider.PIN, "wrong PIN", "frost-worker unlock")
	// The same wrong PIN, by a person.
	o.AfterWrongPIN = true
	wants(t, openErr(t, o, f), keyprovider.PIN, "refused this PIN before")
	if n := f.count("C_Login"); n != 1 {
		t.Fatalf("the wrong PIN was tried %d times", n)
	}
	// Another wrong one gets its own try, then the right one ends it.
	o.PIN = pinOf("222222")
	for range 2 {
		wants(t, openErr(t, o, f), keyprovider.PIN)
	}
	if n := f.count("C_Login"); n != 2 {
		t.Fatalf("two wrong PINs were tried %d times", n)
	}
	right.AfterWrongPIN = true
	p := mustOpenWith(t, right, f.load)
	mustClose(t, p)
	right.AfterWrongPIN = false
	mustWork(t, mustOpenWith(t, right, f.load))
}

// TestWrongPINOfMany: providers that open at once try a wrong PIN once.
func TestWrongPINOfMany(t *testing.T) {
	f, _, o := pinned(t)
	o.PIN, o.AfterWrongPIN = pinOf("333333"), true
	f.failWith("C_Login", func(int) error { time.Sleep(brief); return nil }) // so that they meet
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := open(t.Context(), o, f.load, false); keyprovider.ReasonOf(err) != keyprovider.PIN {
				t.Errorf("want a PIN error: %v", err)
			}
		})
	}
	all.Wait()
	if n := f.count("C_Login"); n != 1 {
		t.Fatalf("the wrong PIN was tried %d times", n)
	}
}

// TestWrongPINBySomebodyElse: the token's flag tells of it.
func TestWrongPINBySomebodyElse(t *testing.T) {
	f, token, o := pinned(t)
	o.asSession(t, f, token, func(a *admin) {
		if err := a.api.Login(a.s, p11.CKU_USER, "444444"); !errors.Is(err, p11.Error(p11.CKR_PIN_INCORRECT)) {
			t.Fatal(err)
		}
	})
	wants(t, openErr(t, o, f), keyprovider.PIN, "since the last right one", "frost-worker unlock --config FILE")
	if f.count("C_Login") != 0 {
		t.Fatal("logged in all the same")
	}
}

// asSession opens a session on the real library, not logged in.
func (o Options) asSession(t *testing.T, f *faulty, token softhsm.Token, do func(*admin)) {
	t.Helper()
	a := &admin{t: t, api: f.api.(*p11.Ctx)}
	a.must(a.api.Initialize())
	defer func() { a.must(a.api.Finalize()) }()
	var err error
	a.s, err = a.api.OpenSession(token.Slot, p11.CKF_SERIAL_SESSION)
	a.must(err)
	do(a)
}

// TestRefusals: every answer that blames the PIN keeps it from being tried
// again, and a connection that is lost meanwhile does not change that.
func TestRefusals(t *testing.T) {
	for _, rv := range []uint{p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED, p11.CKR_PIN_LOCKED} {
		t.Run(p11.Error(rv).Error(), func(t *testing.T) {
			f, token, o := pinned(t)
			o = keptIn(t.TempDir(), o, token.PIN)
			p := mustOpenWith(t, o, f.load)
			mustWork(t, p)
			logins := f.count("C_Login")
			f.fail("C_Login", rv)
			f.failOnce("C_Sign", p11.CKR_DEVICE_REMOVED)
			wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
			wants(t, trySign(t.Context(), p), keyprovider.PIN)
			f.release()
			time.Sleep(dialPause)
			wants(t, trySign(t.Context(), p), keyprovider.PIN, " PIN before")
			if n := f.count("C_Login") - logins; n != 1 {
				t.Fatalf("tried %d times", n)
			}
			mustClose(t, p)
		})
	}
}

// TestTokenFlags: what the token says of its PIN is believed before one is
// asked for.
func TestTokenFlags(t *testing.T) {
	for _, c := range []struct {
		name       string
		set, clear uint
		after      bool // AfterWrongPIN
		want       string
	}{
		{name: "locked", set: p11.CKF_USER_PIN_LOCKED, want: "--init-pin"},
		{name: "locked for a person too", set: p11.CKF_USER_PIN_LOCKED, after: true, want: "--init-pin"},
		{name: "count low", set: p11.CKF_USER_PIN_COUNT_LOW, want: "frost-worker unlock"},
		{name: "final try", set: p11.CKF_USER_PIN_FINAL_TRY, want: "locks at the next one"},
		{name: "to be changed", set: p11.CKF_USER_PIN_TO_BE_CHANGED, want: "expired"},
		{name: "no PIN", clear: p11.CKF_USER_PIN_INITIALIZED, want: "no user PIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, _, o := pinned(t)
			f.tokens = func(_ uint, info *p11.TokenInfo) { info.Flags = info.Flags&^c.clear | c.set }
			o.AfterWrongPIN = c.after
			o.PIN = func(context.Context) (*secret.Bytes, error) { t.Error("the PIN was asked"); return nil, nil }
			wants(t, openErr(t, o, f), keyprovider.PIN, "node-0", c.want)
			if f.count("C_Login") > 0 {
				t.Fatal("logged in all the same")
			}
		})
	}
}

// TestPINPad: the token asks for its PIN itself, and gets an empty one.
func TestPINPad(t *testing.T) {
	f, _, o := pinned(t)
	f.tokens = func(_ uint, info *p11.TokenInfo) { info.Flags |= p11.CKF_PROTECTED_AUTHENTICATION_PATH }
	o.PIN = func(context.Context) (*secret.Bytes, error) { t.Error("the PIN was asked"); return nil, nil }
	wants(t, openErr(t, o, f), keyprovider.Other, "CKR_ARGUMENTS_BAD") // SoftHSM has no PIN pad and wants a PIN
	if f.count("C_Login") != 1 {
		t.Fatal("not logged in through the pad")
	}
}

// TestNoLogin: a token that wants no login gets none.
func TestNoLogin(t *testing.T) {
	f, _, o := pinned(t)
	f.tokens = func(_ uint, info *p11.TokenInfo) { info.Flags &^= p11.CKF_LOGIN_REQUIRED }
	o.PIN = nil
	wants(t, openErr(t, o, f), keyprovider.NotFound) // SoftHSM hides its keys then
	if f.count("C_Login") != 0 {
		t.Fatal("logged in")
	}
}

// TestPINSource: what Options.PIN gives is not tried unless it can be right.
func TestPINSource(t *testing.T) {
	for want, source := range map[string]pin.Source{
		"4 to 255":              pinOf("123"),
		"the prompt was closed": func(context.Context) (*secret.Bytes, error) { return nil, errors.New("the prompt was closed") },
		"took too long":         func(context.Context) (*secret.Bytes, error) { return nil, errTookTooLong },
	} {
		t.Run(want, func(t *testing.T) {
			f, _, o := pinned(t)
			o.PIN = source
			wants(t, openErr(t, o, f), keyprovider.PIN, want)
			if f.count("C_Login") != 0 {
				t.Fatal("tried")
			}
		})
	}
	f, _, o := pinned(t)
	o.PIN = nil
	wants(t, openErr(t, o, f), keyprovider.Credentials, "set pin_file or pin", "start this at a terminal")
}

// errTookTooLong wraps a context's error that is not the caller's.
var errTookTooLong = errors.Join(errors.New("took too long"), context.DeadlineExceeded)

// TestPINIsWiped as soon as the token has it.
func TestPINIsWiped(t *testing.T) {
	f, token, o := pinned(t)
	var given []byte
	o.PIN = func(context.Context) (*secret.Bytes, error) {
		given = []byte(token.PIN)
		return secret.New(given), nil
	}
	p := mustOpenWith(t, o, f.load)
	for _, b := range given {
		if b != 0 {
			t.Fatalf("the PIN is still in memory: %q", given)
		}
	}
	mustClose(t, p)
}

// TestPINThatWaits: a login waits for a person, and other callers wait with
// it until their own contexts end.
func TestPINThatWaits(t *testing.T) {
	f, token, o := pinned(t)
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	entered := make(chan struct{})
	asked := make(chan struct{}, 8)
	p.o.PIN = func(ctx context.Context) (*secret.Bytes, error) {
		asked <- struct{}{}
		select {
		case <-entered:
			return secret.New([]byte(token.PIN)), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.failOnce("C_Sign", p11.CKR_DEVICE_REMOVED)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)

	// The one who asked leaves; one who waited asks in turn.
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- trySign(ctx, p) }()
	<-asked
	go func() { second <- trySign(t.Context(), p) }()
	wants(t, signBriefly(t, p), keyprovider.Timeout)
	cancel()
	wants(t, <-first, keyprovider.Canceled)
	<-asked
	close(entered)
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	mustWork(t, p)
}

// TestPersonHasGone: who typed the PIN, or unlocks, answers for the first login
// and for none that comes by itself later.
func TestPersonHasGone(t *testing.T) {
	f, token, o := pinned(t)
	o.PIN, o.AfterWrongPIN = pinOf(token.PIN), true
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	logins := f.count("C_Login")
	f.set(func() {
		f.tokens = func(_ uint, info *p11.TokenInfo) { info.Flags |= p11.CKF_USER_PIN_FINAL_TRY }
	})
	f.failOnce("C_Sign", p11.CKR_DEVICE_REMOVED)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.PIN, "locks at the next one", "frost-worker unlock")
	if n := f.count("C_Login") - logins; n != 0 {
		t.Errorf("%d logins at the last try, and nobody there", n)
	}
}

// TestTypedPINIsForgotten when the provider closes, the first one too.
func TestTypedPINIsForgotten(t *testing.T) {
	h := softhsm.New(t)
	token, made := provisioned(t, h, "node-0", "")
	s, asked := made.Section, 0
	o := keyprovider.Options{AskPIN: func(context.Context) (*secret.Bytes, error) {
		asked++
		return secret.New([]byte(token.PIN)), nil
	}}
	for want := range 3 {
		p, err := s.Open(t.Context(), keyprovider.Node{Storage: t.TempDir()}, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if asked != want+1 {
			t.Fatalf("asked %d times for %d openings: the PIN outlived Close", asked, want+1)
		}
	}
}
