//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestEveryLoss: whatever return value tells of a loss, the next call works,
// in the same process, without a second initialisation.
func TestEveryLoss(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	var log logged
	o.Log = log.logger()
	p := mustOpenWith(t, o, f.load)
	losses := []p11.Error{p11.CKR_VENDOR_DEFINED + 7}
	for rv, v := range classes {
		if v.lost {
			losses = append(losses, rv)
		}
	}
	for _, rv := range losses {
		for _, function := range []string{"C_SignInit", "C_Sign"} {
			mustWork(t, p)
			inits, logins := f.count("C_Initialize"), f.count("C_Login")
			f.failOnce(function, uint(rv))
			wants(t, trySign(t.Context(), p), keyprovider.Unavailable, fmt.Sprintf("0x%X", uint(rv)), "softhsm")
			if err := trySign(t.Context(), p); err != nil {
				t.Fatalf("%v after %s: %v", rv, function, err)
			}
			if f.count("C_Initialize") != inits {
				t.Fatalf("%v: initialised again without need", rv)
			}
			if f.count("C_Login") != logins+1 {
				t.Fatalf("%v: %d logins, not one", rv, f.count("C_Login")-logins)
			}
		}
	}
	mustClose(t, p)
	if n := f.openSessions(); n != 0 {
		t.Fatalf("%d sessions leaked", n)
	}
	if log.String() == "" {
		t.Fatal("the losses were not logged")
	}
}

// TestHarmlessFailures leave the connection as it is.
func TestHarmlessFailures(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	logins := f.count("C_Login")
	for rv, reason := range map[uint]keyprovider.Reason{
		p11.CKR_HOST_MEMORY: keyprovider.Unavailable, p11.CKR_KEY_FUNCTION_NOT_PERMITTED: keyprovider.WrongKey,
		p11.CKR_MECHANISM_INVALID: keyprovider.WrongKey, p11.CKR_ARGUMENTS_BAD: keyprovider.Other,
	} {
		f.failOnce("C_SignInit", rv)
		wants(t, trySign(t.Context(), p), reason)
		if err := trySign(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if f.count("C_Login") != logins {
		t.Fatal("logged in again for a failure that was not the connection's")
	}
}

// TestPulledToken is away for a while and comes back in another slot, as it
// may when it is plugged in elsewhere.
func TestPulledToken(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	for _, function := range []string{"C_Sign", "C_SignInit", "C_OpenSession", "C_GetTokenInfo"} {
		f.fail(function, p11.CKR_DEVICE_REMOVED)
	}
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "was pulled")
	wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token", "CKR_DEVICE_REMOVED")
	f.release()
	f.set(func() { f.shift = 1000 })
	eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
	mustWork(t, p)
}

// TestDialPause: a device in trouble is asked once a second, not with each
// call.
func TestDialPause(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	f.fail("C_Sign", p11.CKR_DEVICE_ERROR)
	began, before := time.Now(), f.count("C_OpenSession")
	opened := func() int { return f.count("C_OpenSession") - before }
	for time.Since(began) < 2*dialPause+dialPause/5 || opened() < 3 {
		wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
		time.Sleep(5 * time.Millisecond)
	}
	// One dial a second, each before and after an initialisation.
	if n, most := opened(), 2*(1+int(time.Since(began)/dialPause)); n > most {
		t.Fatalf("%d sessions were opened in %s", n, time.Since(began))
	}
	f.release()
	eventually(t, "the device works", func() error { return trySign(t.Context(), p) })
}

// TestShakyConnection: one that fails at its first use each time is not made
// again at once either.
func TestShakyConnection(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	logins := f.count("C_Login")
	// The signature and the two derivations that try a connection work, what
	// comes after them does not.
	var mu sync.Mutex
	seen, uses := logins, 3
	f.failWith("C_SignInit", func(int) error {
		mu.Lock()
		defer mu.Unlock()
		if now := f.count("C_Login"); now != seen {
			seen, uses = now, 0
		}
		if uses++; uses > 3 {
			return p11.Error(p11.CKR_DEVICE_ERROR)
		}
		return nil
	})
	began := time.Now()
	for time.Since(began) < 2*dialPause+dialPause/5 || f.count("C_Login") == logins {
		_ = trySign(t.Context(), p)
		time.Sleep(5 * time.Millisecond)
	}
	// One login a second, and one more after an initialisation.
	if n, most := f.count("C_Login")-logins, 2+2*int(time.Since(began)/dialPause); n > most {
		t.Fatalf("%d logins in %s", n, time.Since(began))
	}
}

// TestReset: where a new connection does not help, a new initialisation does.
func TestReset(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	f.failWith("C_SignInit", func(int) error {
		if f.count("C_Initialize") < 2 {
			return p11.Error(p11.CKR_GENERAL_ERROR)
		}
		return nil
	})
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	mustWork(t, p)
	if f.count("C_Finalize") != 1 || f.count("C_Initialize") != 2 {
		t.Fatalf("%d finalisations, %d initialisations", f.count("C_Finalize"), f.count("C_Initialize"))
	}
}

// TestFinalizedByOthers: something else in the process finalised the library.
func TestFinalizedByOthers(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	if err := f.api.Finalize(); err != nil {
		t.Fatal(err)
	}
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "CKR_CRYPTOKI_NOT_INITIALIZED")
	mustWork(t, p)
}

// TestAnotherTokenInTheSlot is noticed by the probe, though the handles of the
// one before may mean something there.
func TestAnotherTokenInTheSlot(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	for _, change := range []func(*p11.TokenInfo){
		func(info *p11.TokenInfo) { info.SerialNumber += "x" },
		func(info *p11.TokenInfo) { info.Label += "x" },
	} {
		mustWork(t, p)
		if err := p.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.set(func() { f.tokens = func(_ uint, info *p11.TokenInfo) { change(info) } })
		wants(t, p.Probe(t.Context()), keyprovider.Unavailable, "not in its slot")
		f.set(func() { f.tokens = nil })
	}
}

// TestBadConnection: failures that say nothing of the connection are its end
// all the same when they repeat, and a signature that does not verify at once:
// a new one works.
func TestBadConnection(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	for _, rv := range []uint{p11.CKR_DEVICE_MEMORY, p11.CKR_HOST_MEMORY, p11.CKR_SESSION_COUNT, p11.CKR_ARGUMENTS_BAD, p11.CKR_MUTEX_BAD, p11.CKR_FUNCTION_REJECTED} {
		mustWork(t, p)
		logins := f.count("C_Login")
		f.failWith("C_SignInit", func(int) error {
			if f.count("C_Login") == logins {
				return p11.Error(rv)
			}
			return nil
		})
		for range maxFailed {
			if trySign(t.Context(), p) == nil {
				t.Fatal("signed")
			}
		}
		if err := trySign(t.Context(), p); err != nil {
			t.Fatalf("%v: %v", p11.Error(rv), err)
		}
	}
	mustWork(t, p)
	logins := f.count("C_Login")
	f.set(func() {
		f.spoil = func(b []byte) []byte {
			if len(b) == 64 && f.calls["C_Login"] == logins {
				b[40] ^= 1
			}
			return b
		}
	})
	wants(t, trySign(t.Context(), p), keyprovider.BadAnswer)
	mustWork(t, p)
	mustClose(t, p)
	if n := f.openSessions(); n != 0 {
		t.Fatalf("%d sessions leaked", n)
	}
}

// TestNotInitializedAgain: while a library is finalised, nobody calls it by a
// connection of before.
func TestNotInitializedAgain(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p, q := mustOpenWith(t, o, f.load), mustOpenWith(t, o, f.load)
	mustWork(t, p)
	mustWork(t, q)
	f.fail("C_SignInit", p11.CKR_DEVICE_ERROR)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	f.fail("C_Initialize", p11.CKR_GENERAL_ERROR)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	if isReady(p.mod) {
		t.Fatal("the library is initialised")
	}
	before := f.count("C_SignInit")
	wants(t, trySign(t.Context(), q), keyprovider.Unavailable)
	if n := f.count("C_SignInit") - before; n > 0 {
		t.Fatalf("%d calls to a library that is finalised", n)
	}
	f.release()
	eventually(t, "both work", func() error { return errors.Join(trySign(t.Context(), p), trySign(t.Context(), q)) })
}
