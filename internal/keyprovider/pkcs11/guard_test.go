//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// guard writes down what it is asked and told.
type guard struct {
	enter, try error

	mu  sync.Mutex
	did []string
}

func (g *guard) note(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.did = append(g.did, what)
}

// all are the notes since the last look.
func (g *guard) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	did := g.did
	g.did = nil
	return did
}

func (g *guard) Enter(context.Context, bool) (func(), error) {
	g.note("enter")
	return func() { g.note("leave") }, g.enter
}

func (g *guard) Trying() error { g.note("try"); return g.try }

func (g *guard) LoggedIn(pin *secret.Bytes, err error) {
	g.note(string(pin.Expose()) + " " + string(keyprovider.ReasonOf(err)))
}

// TestGuard: no login without it, and it hears of each, also when the caller
// has gone.
func TestGuard(t *testing.T) {
	f, token, o := pinned(t)
	g := &guard{}
	o.Guard = g
	says := func(what string, want ...string) {
		t.Helper()
		if did := g.all(); !slices.Equal(did, want) {
			t.Errorf("%s: %q, not %q", what, did, want)
		}
	}
	g.enter = errors.New("not now")
	wants(t, openErr(t, o, f), keyprovider.PIN, "not now")
	says("refused", "enter")
	g.enter, g.try = nil, errors.New("not at all")
	wants(t, openErr(t, o, f), keyprovider.PIN, "not at all")
	says("stopped", "enter", "try", "leave")
	if n := f.count("C_Login"); n > 0 {
		t.Fatalf("%d logins", n)
	}
	g.try = nil

	o.PIN = pinOf("111111")
	wants(t, openErr(t, o, f), keyprovider.PIN)
	says("wrong", "enter", "try", "111111 pin", "leave")

	o.PIN, o.AfterWrongPIN = pinOf(token.PIN), true
	f.block("C_Login")
	err := briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, nil); return err })
	wants(t, err, keyprovider.Timeout)
	says("under way", "enter", "try")
	f.release()
	p := mustOpenWith(t, o, f.load)
	says("later, and again", token.PIN+" ok", "leave", "enter", "try", token.PIN+" ok", "leave")
	mustClose(t, mustOpenWith(t, o, f.load))
	says("logged in already")
	mustClose(t, p)
}

// keptIn is what a process has from its start, as the worker and its commands
// put it together.
func keptIn(t *testing.T, dir string, o Options, source pin.Source) (Options, *pin.Keeper) {
	keeper := pin.NewKeeper(source, "", pin.TriedIn(dir, "unlock it"))
	t.Cleanup(keeper.Wipe)
	o.PIN, o.Guard = keeper.PIN, keeper
	return o, keeper
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
		refused.pins = map[string][]*secret.Bytes{} // a new process
		o, _ := keptIn(t, dir, o, pin.Literal(secret.New([]byte(file))))
		wants(t, openErr(t, o, f), keyprovider.PIN)
	}
	if n := f.count("C_Login"); n != 1 {
		t.Fatalf("the token was given PINs %d times", n)
	}
	o, _ = keptIn(t, dir, o, pin.Literal(secret.New([]byte(token.PIN))))
	o.AfterWrongPIN = true // frost-worker unlock
	mustClose(t, mustOpenWith(t, o, f.load))
	o.AfterWrongPIN = false
	mustWork(t, mustOpenWith(t, o, f.load))
}

// TestUnlockBesideALogin: the worker logs in anew, and meanwhile an operator
// types a wrong PIN. Nobody mixes the two up: the token never sees it, and the
// next login is with the right one.
func TestUnlockBesideALogin(t *testing.T) {
	f, token, o := pinned(t)
	o, keeper := keptIn(t, t.TempDir(), o, nil)
	var node *Provider
	try := func(text string) (bool, error) {
		return keeper.Try(secret.New([]byte(text)), func() error {
			o := o
			o.AfterWrongPIN = true
			p, err := open(t.Context(), o, f.load, nil)
			if err == nil && node == nil {
				node = p
			} else if err == nil {
				err = p.Close()
			}
			return err
		})
	}
	if taken, err := try(token.PIN); !taken || err != nil {
		t.Fatal(taken, err)
	}
	t.Cleanup(func() { _ = node.Close() })
	mustWork(t, node)
	pull := func() {
		f.failOnce("C_Sign", p11.CKR_DEVICE_REMOVED)
		wants(t, trySign(t.Context(), node), keyprovider.Unavailable)
	}
	pull()
	logins := f.count("C_Login")
	f.block("C_Login")
	signed := make(chan error, 1)
	go func() { signed <- trySign(t.Context(), node) }()
	eventually(t, "the worker logs in", func() error {
		if f.count("C_Login") == logins {
			return errors.New("not yet")
		}
		return nil
	})
	typed := make(chan bool, 1)
	go func() {
		taken, err := try("999999")
		typed <- taken || err != nil
	}()
	time.Sleep(patience / 2) // until it waits for its turn
	f.release()
	if <-typed || <-signed != nil {
		t.Fatal("the wrong PIN was taken, or refused, or the worker did not get on")
	}
	time.Sleep(dialPause)
	pull()
	if err := trySign(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if n := f.count("C_Login") - logins; n != 2 {
		t.Errorf("%d logins, not 2", n)
	}
}

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
		err := briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, nil); return err })
		wants(t, err, keyprovider.Timeout)
	}
	wants(t, briefly(t, func(ctx context.Context) error { _, err := open(ctx, o, f.load, nil); return err }), keyprovider.Timeout,
		"an earlier try to open it hangs", "restart frost-worker")
	if n := f.count("C_OpenSession"); n != 1 {
		t.Errorf("%d calls hang", n)
	}
	f.release()
	mustWork(t, mustOpenWith(t, o, f.load))
}
