//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// keptIn has the node's folder watch over logins, as programs do.
func keptIn(dir string, o Options, given string) Options {
	o.PIN, o.Tried = pinOf(given), pin.TriedIn(dir, "unlock it")
	return o
}

// triedFile is what a node's folder says about logins.
func triedFile(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, pin.TriedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// TestTriedFile: there is no login without a note in it, and it learns how each
// one ended, also when the caller has gone.
func TestTriedFile(t *testing.T) {
	f, token, o := pinned(t)
	dir := t.TempDir()
	path := filepath.Join(dir, pin.TriedFile)
	o = keptIn(dir, o, token.PIN)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	wants(t, openErr(t, o, f), keyprovider.PIN, "no login without a note")
	if n := f.count("C_Login"); n > 0 {
		t.Fatalf("%d logins", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wants(t, openErr(t, keptIn(dir, o, "111111"), f), keyprovider.PIN)
	if triedFile(t, dir) == "" {
		t.Error("a wrong PIN is not noted")
	}
	o.AfterWrongPIN = true
	f.block("C_Login")
	err := briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, false); return err })
	wants(t, err, keyprovider.Timeout)
	if triedFile(t, dir) == "" {
		t.Error("a login that hangs is not noted")
	}
	f.release()
	eventually(t, "the late login is noted", func() error {
		if text := triedFile(t, dir); text != "" {
			return errors.New(text)
		}
		return nil
	})
	mustWork(t, mustOpenWith(t, o, f.load))
}

// TestWrongPINOverProcesses: of a token that does not tell of wrong PINs, as
// ykcs11 and YubiHSM 2 don't, the next process knows all the same.
func TestWrongPINOverProcesses(t *testing.T) {
	f, token, o := pinned(t)
	f.tokens = func(_ uint, info *p11.TokenInfo) {
		info.Flags &^= p11.CKF_USER_PIN_COUNT_LOW | p11.CKF_USER_PIN_FINAL_TRY
	}
	dir := t.TempDir()
	for _, file := range []string{"111111", "111111", "222222", token.PIN} {
		newProcess()
		wants(t, openErr(t, keptIn(dir, o, file), f), keyprovider.PIN)
	}
	if n := f.count("C_Login"); n != 1 {
		t.Fatalf("the token was given PINs %d times", n)
	}
	o = keptIn(dir, o, token.PIN)
	o.AfterWrongPIN = true // frost-worker unlock
	mustClose(t, mustOpenWith(t, o, f.load))
	o.AfterWrongPIN = false
	mustWork(t, mustOpenWith(t, o, f.load))
}

// newProcess forgets what this one knows about PINs.
func newProcess() { clear(strikes.all) }

// onePlace is a library that has one place for derived secrets, as ykcs11.
type onePlace struct {
	*faulty
	mu    sync.Mutex
	taken bool
	mixed bool
}

func (l *onePlace) load(string) (api, error) { return l, nil }

func (l *onePlace) set(taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mixed = l.mixed || l.taken == taken
	l.taken = taken
}

func (l *onePlace) DeriveKey(s p11.SessionHandle, m []*p11.Mechanism, h p11.ObjectHandle, a []*p11.Attribute) (p11.ObjectHandle, error) {
	l.set(true)
	return l.faulty.DeriveKey(s, m, h, a)
}

func (l *onePlace) DestroyObject(s p11.SessionHandle, h p11.ObjectHandle) error {
	l.set(false)
	return l.faulty.DestroyObject(s, h)
}

// TestOnePlaceForSecrets: one ECDH derivation at a time, of all providers of a
// token.
func TestOnePlaceForSecrets(t *testing.T) {
	f, _, o := pinned(t)
	o.DerivationKeyLabel, o.Derivation = "by ecdh", ECDH
	l := &onePlace{faulty: f}
	if _, err := provision(t.Context(), o, l.load); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 2 {
		p := mustOpenWith(t, o, l.load)
		for range 4 {
			all.Go(func() {
				for range 5 {
					if _, err := p.Derive(t.Context(), []byte("label")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if l.mixed {
		t.Error("two secrets at once")
	}
}

// TestOpeningAgainAndAgain beside a library that hangs takes no further thread
// of it.
func TestOpeningAgainAndAgain(t *testing.T) {
	f, _, o := pinned(t)
	f.block("C_OpenSession")
	for range 3 {
		err := briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, false); return err })
		wants(t, err, keyprovider.Timeout)
	}
	wants(t, briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, false); return err }), keyprovider.Timeout,
		"an earlier try to open it hangs", "restart frost-worker")
	if n := f.count("C_OpenSession"); n != 1 {
		t.Errorf("%d calls hang", n)
	}
	f.release()
	mustWork(t, mustOpenWith(t, o, f.load))
}

// TestUnclearOverProcesses: a token that answers a wrong PIN with a code that
// does not say so is given it twice, by all programs of a node together.
func TestUnclearOverProcesses(t *testing.T) {
	f, token, o := pinned(t)
	dir := t.TempDir()
	f.fail("C_Login", p11.CKR_GENERAL_ERROR)
	for range 4 {
		newProcess()
		if err := openErr(t, keptIn(dir, o, token.PIN), f); err == nil {
			t.Fatal("it opens")
		}
	}
	if n := f.count("C_Login"); n != 2 {
		t.Errorf("the token was given the PIN %d times", n)
	}
	f.release()
	wants(t, openErr(t, keptIn(dir, o, token.PIN), f), keyprovider.PIN, "unlock it")
	o = keptIn(dir, o, token.PIN)
	o.AfterWrongPIN = true // frost-worker unlock
	mustClose(t, mustOpenWith(t, o, f.load))
	o.AfterWrongPIN = false
	mustWork(t, mustOpenWith(t, o, f.load))
}

// TestUnclearOnceThenRight: one doubt does not keep the next program out, and a
// login forgets it.
func TestUnclearOnceThenRight(t *testing.T) {
	f, token, o := pinned(t)
	o = keptIn(t.TempDir(), o, token.PIN)
	for range 3 {
		newProcess()
		f.failOnce("C_Login", p11.CKR_GENERAL_ERROR)
		if err := openErr(t, o, f); err == nil {
			t.Fatal("it opens")
		}
		newProcess()
		p, err := open(t.Context(), o, f.load, false)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, p)
	}
}
