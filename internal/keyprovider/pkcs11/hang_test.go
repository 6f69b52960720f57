//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

const brief = 50 * time.Millisecond

// briefly calls do with a context whose time is over soon, but not before do has
// got to what hangs; or, if it is to wait for somebody else, has had ample time.
func briefly(t *testing.T, do func(context.Context) error) error {
	t.Helper()
	ctx := expiring{t.Context(), make(chan struct{})}
	before, done := stuck.Load(), make(chan error, 1)
	go func() { done <- do(ctx) }()
	for began := time.Now(); stuck.Load() == before && time.Since(began) < 40*brief; {
		select {
		case err := <-done:
			return err
		case <-time.After(brief / 10):
		}
	}
	close(ctx.over)
	return <-done // or the test hangs
}

// expiring is a context whose deadline comes when the test says so.
type expiring struct {
	context.Context
	over chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.over }

func (e expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func signBriefly(t *testing.T, p *Provider) error {
	t.Helper()
	return briefly(t, func(ctx context.Context) error { return trySign(ctx, p) })
}

func hangable(t *testing.T, sessions int) (*faulty, *Provider, *calls) {
	t.Helper()
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	heard := &calls{}
	o.Library, o.Sessions, o.Observe = f.name, sessions, heard.observe
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	return f, p, heard
}

// TestHang: calls that hang give their callers up, one session each; then
// further ones fail at once. When they return everything works again.
func TestHang(t *testing.T) {
	f, p, heard := hangable(t, 2)
	worked := heard.count(keyprovider.OpSign, keyprovider.OK)
	f.block("C_Sign")
	for range 2 {
		err := signBriefly(t, p)
		wants(t, err, keyprovider.Timeout, "C_Sign", identityLabel, "no answer within")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the error does not wrap the context's")
		}
	}
	if n := heard.count(keyprovider.OpSign, keyprovider.Timeout); n != 2 {
		t.Fatalf("%d calls that timed out were reported", n)
	}
	for range 10 { // whoever waited would wait for ever
		wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "2 calls", "hang", "C_Sign", "restart frost-worker")
		_, err := p.Derive(t.Context(), []byte("x"))
		wants(t, err, keyprovider.Unavailable, "hang")
		wants(t, p.Probe(t.Context()), keyprovider.Unavailable, "hang")
	}
	f.release()
	eventually(t, "the calls returned", func() error {
		if p.calling() > 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if n := heard.count(keyprovider.OpSign, keyprovider.OK); n != worked {
		t.Fatal("calls that timed out were reported again when they returned")
	}
	mustWork(t, p)
	if n := f.openSessions(); n > 2 {
		t.Fatalf("%d sessions are open", n)
	}
	mustClose(t, p)
}

// TestHangAllowsOthers: while some calls hang, others go on beside them.
func TestHangAllowsOthers(t *testing.T) {
	f, p, _ := hangable(t, 2)
	first := f.count("C_Sign") + 1
	stop := make(chan struct{})
	f.failWith("C_Sign", func(n int) error {
		if n == first {
			<-stop
		}
		return nil
	})
	wants(t, signBriefly(t, p), keyprovider.Timeout)
	for range 5 {
		if err := trySign(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
}

// TestImpatientCallers: a caller who leaves early is no hang, and the next one
// waits for its turn.
func TestImpatientCallers(t *testing.T) {
	f, p, heard := hangable(t, 1)
	entered, goOn := make(chan struct{}), make(chan struct{})
	f.failWith("C_Sign", func(int) error {
		entered <- struct{}{}
		<-goOn
		return nil
	})
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		left, next := make(chan error, 1), make(chan error, 1)
		go func() { left <- trySign(ctx, p) }()
		<-entered
		cancel()
		err := <-left
		wants(t, err, keyprovider.Canceled)
		if !errors.Is(err, context.Canceled) {
			t.Fatal("the error does not wrap the context's")
		}
		go func() { next <- trySign(t.Context(), p) }()
		goOn <- struct{}{}
		<-entered
		goOn <- struct{}{}
		if err := <-next; err != nil {
			t.Fatal(err)
		}
	}
	if heard.count(keyprovider.OpSign, keyprovider.Unavailable) > 0 || heard.count(keyprovider.OpSign, keyprovider.Canceled) != 5 {
		t.Fatal("imbrief passed for a failure")
	}
}

// TestHangWhileConnecting: the login hangs, or any other step. Only one call
// does, the others fail at once.
func TestHangWhileConnecting(t *testing.T) {
	for _, function := range []string{"C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login", "C_SignInit"} {
		t.Run(function, func(t *testing.T) {
			f, p, _ := hangable(t, 4)
			f.failOnce("C_SignInit", 0x30) // CKR_DEVICE_ERROR: connect again
			wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
			f.block(function)
			wants(t, signBriefly(t, p), keyprovider.Timeout)
			before := f.count(function)
			for range 10 {
				wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "1 calls", "hang", "restart frost-worker")
			}
			if f.count(function) != before {
				t.Fatal("further calls went to a library that hangs")
			}
			f.release()
			eventually(t, "the library answers", func() error { return trySign(t.Context(), p) })
		})
	}
}

// TestOpenHangs: Open comes back when its context ends, and a later Open
// succeeds once the library answers.
func TestOpenHangs(t *testing.T) {
	for _, function := range []string{"C_Initialize", "C_Login"} {
		t.Run(function, func(t *testing.T) {
			h := softhsm.New(t)
			_, o := provisioned(t, h, "node-0", "")
			f := newFaulty(t, h)
			o.Library = f.name
			f.block(function)
			err := briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, false); return err })
			wants(t, err, keyprovider.Timeout)
			f.release()
			mustWork(t, mustOpenWith(t, o, f.load))
		})
	}
}

// TestCloseBesideAHang: Close waits a few seconds and says what it left.
func TestCloseBesideAHang(t *testing.T) {
	for _, function := range []string{"C_Sign", "C_CloseSession", "C_Finalize"} {
		t.Run(function, func(t *testing.T) {
			f, p, _ := hangable(t, 1)
			f.block(function)
			if function == "C_Sign" {
				wants(t, signBriefly(t, p), keyprovider.Timeout)
			}
			err := p.Close()
			if err == nil || !strings.Contains(err.Error(), f.name) || !strings.Contains(err.Error(), "with the process") {
				t.Fatalf("Close: %v", err)
			}
			if err := p.Close(); err != nil {
				t.Fatalf("second Close: %v", err)
			}
			if err := trySign(t.Context(), p); !errors.Is(err, keyprovider.ErrClosed) {
				t.Fatal(err)
			}
			f.release()
			eventually(t, "the rest is done when the call returns", func() error {
				if isReady(p.mod) || f.openSessions() > 0 {
					return errors.New("the library was not finalised")
				}
				return nil
			})
		})
	}
}

// TestCloseEndsWaiting: callers who wait for a session, for the connection or
// for the PIN go when the provider is closed.
func TestCloseEndsWaiting(t *testing.T) {
	f, p, _ := hangable(t, 1)
	f.failOnce("C_SignInit", 0x30)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	asked := make(chan struct{})
	p.o.PIN = func(ctx context.Context) (*secret.Bytes, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	done := make(chan error, 2)
	go func() { done <- trySign(t.Context(), p) }()
	<-asked
	go func() { done <- trySign(t.Context(), p) }()
	time.Sleep(brief)
	mustClose(t, p)
	for range 2 {
		if err := <-done; !errors.Is(err, keyprovider.ErrClosed) && keyprovider.ReasonOf(err) != keyprovider.Canceled {
			t.Fatal(err)
		}
	}
}

// TestDerivationHangs: by ECDH it is one at a time, and the others are told at
// once. Signatures go on.
func TestDerivationHangs(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", ECDH)
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	derive := func(ctx context.Context) error { _, err := p.Derive(ctx, []byte("x")); return err }
	f.block("C_DeriveKey")
	busy := make(chan error, 1)
	go func() { busy <- briefly(t, derive) }()
	var waiting sync.WaitGroup
	for range 2 * defaultSessions {
		waiting.Go(func() {
			if err := briefly(t, derive); keyprovider.ReasonOf(err) != keyprovider.Timeout && keyprovider.ReasonOf(err) != keyprovider.Unavailable {
				t.Error(err)
			}
		})
	}
	if err := trySign(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	wants(t, <-busy, keyprovider.Timeout)
	for range 2 * defaultSessions {
		wants(t, derive(t.Context()), keyprovider.Unavailable, "1 calls", "hang", "derive", "restart frost-worker")
		if err := trySign(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	f.release()
	eventually(t, "it derives", func() error { return derive(t.Context()) })
	mustWork(t, p)
}

// TestHangThenPulled: the error says what keeps the token from coming back.
func TestHangThenPulled(t *testing.T) {
	f, p, _ := hangable(t, 2)
	f.block("C_Sign")
	wants(t, signBriefly(t, p), keyprovider.Timeout)
	f.fail("C_SignInit", 0x32)     // CKR_DEVICE_REMOVED
	f.fail("C_GetTokenInfo", 0x32) // as SoftHSM says until it is initialised again
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token", "under way", "1 calls", "hang", "restart frost-worker")
	f.release()
	eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
}
