//go:build cgo

package pkcs11

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestDeletedToken: another process deletes the token, and later restores it
// from its backup, while the provider stays open.
func TestDeletedToken(t *testing.T) {
	for _, derivation := range []string{HMAC, ECDH} {
		t.Run(derivation, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", derivation)
			h.Token(t, "spare")
			restore := h.Backup(t, token)
			p := mustOpen(t, o)
			mustWork(t, p)
			before, err := p.Derive(t.Context(), []byte("label"))
			if err != nil {
				t.Fatal(err)
			}

			h.Delete(t, "node-0")
			wants(t, p.Probe(t.Context()), keyprovider.Unavailable, "node-0", "softhsm2-util --show-slots")
			for range 2 { // by connecting again, then from memory
				wants(t, p.Probe(t.Context()), keyprovider.NotFound, `token "node-0"`, "no such token", `"spare"`, "softhsm2-util --show-slots")
			}
			wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token")
			time.Sleep(dialPause)
			wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token")

			restore()
			eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
			mustWork(t, p)
			if after, err := p.Derive(t.Context(), []byte("label")); err != nil || after != before {
				t.Fatalf("the derived value changed: %v", err)
			}
			if err := p.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustClose(t, p)
		})
	}
}

// TestDeletedTokenUnderLoad: as above, with callers all the time.
func TestDeletedTokenUnderLoad(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	p := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				_ = trySign(ctx, p)
				_, _ = p.Derive(ctx, []byte("x"))
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 2 {
		time.Sleep(50 * time.Millisecond)
		h.Delete(t, "node-0")
		eventually(t, "the loss is noticed", func() error {
			if err := trySign(ctx, p); keyprovider.ReasonOf(err) != keyprovider.NotFound {
				return context.DeadlineExceeded
			}
			return nil
		})
		restore()
		eventually(t, "the token is back", func() error { return trySign(ctx, p) })
	}
	cancel()
	all.Wait()
	mustClose(t, p)
}

// TestDeletedTokenBesideAnother: the library is not initialised again while
// another token of it is in use, which goes on undisturbed. Once that is
// closed the lost one comes back.
func TestDeletedTokenBesideAnother(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	_, other := provisioned(t, h, "node-1", "")
	restore := h.Backup(t, token)
	p, bystander := mustOpen(t, o), mustOpen(t, other)
	mustWork(t, p)
	h.Delete(t, "node-0")
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound, "other tokens of the library are in use", "restart")
	mustWork(t, bystander)
	restore()
	time.Sleep(dialPause)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound)
	mustWork(t, bystander)
	mustClose(t, bystander)
	eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
}

// TestTwoProvidersOfALostToken: both come back, though each thought for a
// while that the other still worked.
func TestTwoProvidersOfALostToken(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	p, q := mustOpen(t, o), mustOpen(t, o)
	mustWork(t, p)
	h.Delete(t, "node-0")
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound)
	restore()
	eventually(t, "p is back", func() error { return trySign(t.Context(), p) })
	eventually(t, "q is back", func() error { return trySign(t.Context(), q) })
}

// TestDeletedKey: the token is there, one of its keys no more.
func TestDeletedKey(t *testing.T) {
	for label, class := range map[string]string{identityLabel: "privkey", derivationLabel: "secrkey"} {
		t.Run(label, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			p := mustOpen(t, o)
			mustWork(t, p)
			deleteObject(t, h, token, class, label)
			wants(t, p.Probe(t.Context()), keyprovider.Unavailable, label)
			err := p.Probe(t.Context())
			wants(t, err, keyprovider.NotFound, label, "frost-worker provision")
		})
	}
}

// deleteObject does it from another process: this test binary, as SoftHSM has
// no tool for it.
func deleteObject(t *testing.T, h *softhsm.HSM, token softhsm.Token, class, label string) {
	t.Helper()
	out, err := child(t, h, "delete", token, class, label)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestOtherKeys: a token with the right label comes back with other keys.
func TestOtherKeys(t *testing.T) {
	for _, lost := range []string{identityLabel, derivationLabel} {
		t.Run(lost, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			p := mustOpen(t, o)
			mustWork(t, p)
			class := map[string]string{identityLabel: "pair", derivationLabel: "secrkey"}[lost]
			if out, err := child(t, h, "replace", token, class, lost); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			wants(t, trySignAndDerive(t.Context(), p), keyprovider.Unavailable)
			wants(t, trySignAndDerive(t.Context(), p), keyprovider.WrongKey, lost, "before")
		})
	}
}

func trySignAndDerive(ctx context.Context, p *Provider) error {
	if err := trySign(ctx, p); err != nil {
		return err
	}
	_, err := p.Derive(ctx, []byte("x"))
	return err
}

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
	for rv, v := range verdicts {
		if !v.lost {
			continue
		}
		for _, function := range []string{"C_SignInit", "C_Sign"} {
			mustWork(t, p)
			inits, logins := f.count("C_Initialize"), f.count("C_Login")
			f.failOnce(function, uint(rv))
			wants(t, trySign(t.Context(), p), keyprovider.Unavailable, rv.Error(), "softhsm")
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
	f.fail("C_Sign", p11.CKR_DEVICE_ERROR)
	began, before := time.Now(), f.count("C_OpenSession")
	for time.Since(began) < 2200*time.Millisecond {
		wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
		time.Sleep(5 * time.Millisecond)
	}
	// Three dials, each before and after an initialisation.
	if n := f.count("C_OpenSession") - before; n < 3 || n > 6 {
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
	// The signature that tries a connection works, the next does not.
	var mu sync.Mutex
	good := false
	f.failWith("C_SignInit", func(int) error {
		mu.Lock()
		defer mu.Unlock()
		if good = !good; good && f.count("C_Login") > logins {
			return nil
		}
		return p11.Error(p11.CKR_DEVICE_ERROR)
	})
	began := time.Now()
	for range 50 {
		_ = trySign(t.Context(), p)
	}
	if n, most := f.count("C_Login")-logins, 2+int(time.Since(began)/dialPause); n > most {
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

// TestTurmoil: callers with little patience, a library that fails and dawdles
// at random, and a Close in the middle of it. Nothing races, no bad signature
// comes out, and nothing is left behind.
func TestTurmoil(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	rvs := []uint{p11.CKR_DEVICE_ERROR, p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_HOST_MEMORY, p11.CKR_VENDOR_DEFINED + 1, p11.CKR_USER_NOT_LOGGED_IN}
	trouble := func(int) error {
		switch n := rand.IntN(40); {
		case n < len(rvs):
			return p11.Error(rvs[n])
		case n < 2*len(rvs):
			time.Sleep(time.Duration(n) * time.Millisecond)
		}
		return nil
	}
	p := mustOpenWith(t, o, f.load)
	for _, function := range []string{"C_SignInit", "C_Sign", "C_OpenSession", "C_CloseSession", "C_Login", "C_GetTokenInfo"} {
		f.failWith(function, trouble)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(20))*time.Millisecond)
				_ = trySignAndDerive(ctx, p)
				_ = p.Probe(ctx)
				cancel()
			}
		})
	}
	time.Sleep(2 * time.Second)
	f.release()
	eventually(t, "peace", func() error { return trySignAndDerive(t.Context(), p) })
	mustClose(t, p)
	close(stop)
	all.Wait()
	if p.mod.isReady() {
		t.Fatal("the library was not finalised")
	}
}

// child runs TestChild in another process.
func child(t *testing.T, h *softhsm.HSM, args ...any) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestChild$")
	cmd.Env = append(cmd.Environ(), append(h.Env(), childEnv(args)...)...)
	return cmd.CombinedOutput()
}
