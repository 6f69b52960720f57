package launch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// devices is a back end that works, and nothing else.
type devices struct{ backEnd }

func (devices) Close() error { return nil }

// unlocking is a node with a made-up token, which open opens.
func unlocking(t *testing.T, open func(context.Context, *pin.Keeper) (backEnd, error)) (n *config.Node, u *unlocker, waits chan error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "unlock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n = nodeWith(t, dir, "type = \"pkcs11\"\npkcs11_library = \"/none.so\"\ntoken_label = \"t\"\nkey_label = \"k\"\n")
	keeper := pin.NewKeeper(nil, "", pin.TriedIn(dir, ""))
	waits = make(chan error, 9)
	u = newUnlocker(n, keeper, func(ctx context.Context, _ bool) (backEnd, error) { return open(ctx, keeper) },
		ProviderOptions{Log: discard, Waiting: func(err error) { waits <- err }})
	return n, u, waits
}

var errNoPIN = &keyprovider.Error{Reason: keyprovider.PIN, Provider: "pkcs11"}

// TestStopWhileATryHangs: the end of the worker ends the try.
func TestStopWhileATryHangs(t *testing.T) {
	hangs := make(chan struct{}, 1)
	n, u, waits := unlocking(t, func(ctx context.Context, k *pin.Keeper) (backEnd, error) {
		if given, err := k.PIN(ctx); err != nil {
			return nil, errNoPIN
		} else {
			given.Wipe()
		}
		hangs <- struct{}{}
		<-ctx.Done() // as pkcs11.Open does when a call hangs
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := u.run(ctx)
		ended <- err
	}()
	if why := <-waits; why == nil {
		t.Error("it waits for nothing")
	}
	go func() { _, _ = pin.Send(t.Context(), n.Node.StoragePath, newPIN("1234")) }()
	<-hangs
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the worker does not end")
	}
}

// TestPINIsKeptThoughTheDeviceFails: an operator's PIN that the token took
// outlives what fails after the login; nobody has to come again.
func TestPINIsKeptThoughTheDeviceFails(t *testing.T) {
	var tries atomic.Int32
	n, u, waits := unlocking(t, func(ctx context.Context, k *pin.Keeper) (backEnd, error) {
		given, err := k.PIN(ctx)
		if err != nil {
			return nil, errNoPIN
		}
		defer given.Wipe()
		k.LoggedIn(given, nil)
		if tries.Add(1) < 3 {
			return nil, &keyprovider.Error{Reason: keyprovider.Unavailable, Provider: "pkcs11", Action: "C_Sign"}
		}
		return devices{}, nil
	})
	opened := make(chan error, 1)
	go func() {
		_, stop, err := u.run(t.Context())
		if err == nil {
			stop()
		}
		opened <- err
	}()
	if why := <-waits; keyprovider.ReasonOf(why) != keyprovider.PIN {
		t.Errorf("waits because of %v", why)
	}
	if a := send(t, n, newPIN("1234")); a.OK || a.Reason != keyprovider.Unavailable || !strings.Contains(a.Error, "the worker keeps it") {
		t.Errorf("%+v", a)
	}
	select {
	case err := <-opened:
		if err != nil || tries.Load() != 3 {
			t.Errorf("%v after %d tries", err, tries.Load())
		}
	case <-time.After(2 * time.Minute):
		t.Error("the worker waits for another PIN")
	}
}

// TestMendedFile: what to do about a pin_file is said, and it works.
func TestMendedFile(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "mended", "pin_file = \"later\"\n")
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); !strings.Contains(why.Error(), "then frost-worker unlock") {
		t.Errorf("waits because of %v", why)
	}
	write(t, n.Node.KeyProvider.PinFile, token.PIN, 0o600)
	given, err := pin.File(n.Node.KeyProvider.PinFile)(t.Context()) // as frost-worker unlock
	if err != nil {
		t.Fatal(err)
	}
	if a := send(t, n, given); !a.OK {
		t.Errorf("%+v", a)
	}
	o.provider(t)
}

// TestTriedFileOfANode: it is in storage_path, and holds a restarted worker
// back.
func TestTriedFileOfANode(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "tried", "pin_file = \"pin\"\n")
	write(t, filepath.Join(n.Node.StoragePath, pin.TriedFile), "somebody was here", 0o600)
	if _, err := OpenProvider(t.Context(), n, ProviderOptions{}); keyprovider.ReasonOf(err) != keyprovider.PIN ||
		!strings.Contains(err.Error(), "then frost-worker unlock --config "+n.Path()) {
		t.Errorf("got %v", err)
	}
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); !strings.Contains(why.Error(), pin.TriedFile) {
		t.Errorf("waits because of %v", why)
	}
	if a := send(t, n, newPIN(token.PIN)); !a.OK {
		t.Errorf("%+v", a)
	}
	o.provider(t)
}

// TestTimeForAPerson: who types has minutes, and what waits for nobody has not.
func TestTimeForAPerson(t *testing.T) {
	_, n := tokenNode(t, softhsm.New(t), "slow person", "")
	left := make(chan time.Duration, 1)
	person := func(ctx context.Context) (*secret.Bytes, error) {
		end, _ := ctx.Deadline()
		left <- time.Until(end)
		return nil, &pin.Error{What: "no", Remedy: "none"}
	}
	if _, err := OpenProvider(t.Context(), n, ProviderOptions{PIN: person}); keyprovider.ReasonOf(err) != keyprovider.PIN {
		t.Error(err)
	}
	if got := <-left; got < askTime-time.Minute {
		t.Errorf("a person has %s", got)
	}
	for _, o := range []ProviderOptions{{}, {PIN: person, Unlock: true}} {
		if asksPerson(n, o) {
			t.Errorf("%+v waits for somebody", o)
		}
	}
}
