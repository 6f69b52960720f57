package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// tokenNode makes a token with a node's keys, and the node's file with the
// lines for its PIN, in a folder whose path leaves room for a socket.
func tokenNode(t *testing.T, hsm *softhsm.HSM, label, pinLines string) (softhsm.Token, *config.Node) {
	t.Helper()
	token := hsm.Token(t, label)
	dir, err := os.MkdirTemp("", "launch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	write(t, filepath.Join(dir, "pin"), token.PIN+"\n", 0o600)
	section := fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = %q\nkey_label = \"identity\"\nderivation_key_label = \"derivation\"\n", hsm.Library(), label)
	n := nodeWith(t, dir, section+"pin_file = \"pin\"\n")
	options, keeper, err := TokenOptions(n, ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Wipe()
	if _, err := pkcs11.Provision(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	return token, nodeWith(t, dir, section+pinLines)
}

func newPIN(text string) *secret.Bytes { return secret.New([]byte(text)) }

// wrong is not the token's PIN.
func wrong(token softhsm.Token) *secret.Bytes {
	return newPIN(strings.Map(func(r rune) rune { return '0' + '9' - r }, token.PIN))
}

// opening is a worker that opens its provider.
type opening struct {
	waits  chan error // why, each time
	opened chan keyprovider.Provider
	failed chan error
	wrong  *atomic.Int32 // PINs that the token refused
}

func open(ctx context.Context, n *config.Node, person pin.Source) *opening {
	o := &opening{make(chan error, 9), make(chan keyprovider.Provider, 1), make(chan error, 1), new(atomic.Int32)}
	observe := func(c keyprovider.Call) {
		if c.Operation == keyprovider.OpLogin && keyprovider.ReasonOf(c.Err) == keyprovider.PIN {
			o.wrong.Add(1)
		}
	}
	go func() {
		p, err := OpenProvider(ctx, n, ProviderOptions{
			Observe: observe, Log: discard, PIN: person, Unlock: true, Waiting: func(err error) { o.waits <- err },
		})
		if err != nil {
			o.failed <- err
			return
		}
		o.opened <- p
	}()
	return o
}

// provider is the opened one, closed with the test.
func (o *opening) provider(t *testing.T) keyprovider.Provider {
	t.Helper()
	select {
	case p := <-o.opened:
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		return p
	case err := <-o.failed:
		t.Fatal(err)
	case <-time.After(3 * time.Minute):
		t.Fatal("the provider does not open")
	}
	return nil
}

func (o *opening) waiting(t *testing.T) error {
	t.Helper()
	select {
	case err := <-o.waits:
		return err
	case err := <-o.failed:
		t.Fatal(err)
	case <-time.After(3 * time.Minute):
		t.Fatal("the worker does not wait")
	}
	return nil
}

func send(t *testing.T, n *config.Node, p *secret.Bytes) pin.Answer {
	t.Helper()
	a, err := pin.Send(t.Context(), n.Node.StoragePath, p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestUnlock: a worker without a PIN waits, says why, takes the right one after
// a wrong one, keeps it for when the token comes back, and lets nobody wonder
// whether a PIN was used.
func TestUnlock(t *testing.T) {
	hsm := softhsm.New(t)
	token, n := tokenNode(t, hsm, "unlock", "")
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.PIN || !strings.Contains(why.Error(), "frost-worker unlock --config "+n.Path()) {
		t.Errorf("waits because of %v", why)
	}
	for range 3 { // the token hears of it once
		if a := send(t, n, wrong(token)); a.OK || a.Reason != keyprovider.PIN || a.Remedy == "" {
			t.Errorf("a wrong PIN: %+v", a)
		}
	}
	if got := o.wrong.Load(); got != 1 {
		t.Errorf("the token was given a wrong PIN %d times", got)
	}
	if a := send(t, n, newPIN(token.PIN)); !a.OK || a.Message != "the token took the PIN" {
		t.Fatalf("%+v", a)
	}
	p := o.provider(t)
	if err := keyprovider.Check(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if a := send(t, n, newPIN("0000")); !a.OK || !strings.Contains(a.Message, "logged in already; the PIN was not tried") {
		t.Errorf("while it works: %+v", a)
	}

	restore := hsm.Backup(t, token)
	hsm.Delete(t, token.Label)
	if _, err := p.Sign(t.Context(), [32]byte{}); err == nil {
		t.Error("a token that is gone signs")
	}
	restore()
	eventually(t, func() error { return keyprovider.Check(t.Context(), p) })
}

// eventually gives f two minutes.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestUnlockAfterWrongFile: a wrong pin_file is tried once, and an operator
// helps, though the token remembers the wrong PIN.
func TestUnlockAfterWrongFile(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "file", "pin_file = \"wrong\"\n")
	write(t, n.Node.KeyProvider.PinFile, string(wrong(token).Expose()), 0o600)
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.PIN {
		t.Errorf("waits because of %v", why)
	}
	if a := send(t, n, newPIN(token.PIN)); !a.OK {
		t.Fatalf("%+v", a)
	}
	if err := keyprovider.Check(t.Context(), o.provider(t)); err != nil {
		t.Error(err)
	}
}

// TestUnlockAtTheTerminal: who started the worker is asked until the PIN is
// right.
func TestUnlockAtTheTerminal(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "terminal", "")
	typed := []*secret.Bytes{wrong(token), newPIN(token.PIN)}
	person := func(context.Context) (*secret.Bytes, error) {
		next := typed[0]
		typed = typed[1:]
		return next, nil
	}
	o := open(t.Context(), n, person)
	if err := keyprovider.Check(t.Context(), o.provider(t)); err != nil {
		t.Error(err)
	}
	if len(typed) != 0 {
		t.Error("the right PIN was not asked for")
	}
}

// TestUnlockEnds: a worker that is stopped while it waits leaves no socket,
// whether for a PIN or for a token.
func TestUnlockEnds(t *testing.T) {
	_, n := tokenNode(t, softhsm.New(t), "ends", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := open(ctx, n, nil)
	if why := o.waiting(t); why == nil {
		t.Error("it waits for nothing")
	}
	cancel()
	if err := <-o.failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := pin.Waiting(n.Node.StoragePath); !errors.Is(err, pin.ErrNoWorker) {
		t.Error(err)
	}
	n.Node.KeyProvider.TokenLabel = "none"
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	o = open(ctx, n, nil)
	if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.NotFound {
		t.Errorf("waits because of %v", why)
	}
	cancel()
	if err := <-o.failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := pin.Waiting(n.Node.StoragePath); !errors.Is(err, pin.ErrNoWorker) {
		t.Error(err)
	}
}

// TestUnlockWithoutASocket: nobody could unlock a worker that has no PIN and
// can't listen; one that has a PIN runs, and says so.
func TestUnlockWithoutASocket(t *testing.T) {
	hsm := softhsm.New(t)
	_, n := tokenNode(t, hsm, "deaf", "")
	n.Node.StoragePath = filepath.Join(n.Node.StoragePath, strings.Repeat("long", 30))
	if err := <-open(t.Context(), n, nil).failed; err == nil || !strings.Contains(err.Error(), "shorter storage_path") {
		t.Errorf("got %v", err)
	}
	_, n = tokenNode(t, hsm, "deaf with a PIN", "pin_file = \"pin\"\n")
	n.Node.StoragePath = filepath.Join(n.Node.StoragePath, strings.Repeat("long", 30))
	warned := false
	log := slog.New(slog.NewTextHandler(onWrite(func(line string) { warned = warned || strings.Contains(line, "unlock will not reach") }), nil))
	p, err := OpenProvider(t.Context(), n, ProviderOptions{Log: log, Unlock: true})
	if err != nil || !warned {
		t.Fatalf("%v, warned %t", err, warned)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestTokenForCommands: a command asks a person, or fails at once; it does not
// wait for others.
func TestTokenForCommands(t *testing.T) {

	token, n := tokenNode(t, softhsm.New(t), "commands", "")
	if _, err := OpenProvider(t.Context(), n, ProviderOptions{}); keyprovider.ReasonOf(err) != keyprovider.PIN ||
		!strings.Contains(err.Error(), "run this on a terminal") {
		t.Errorf("got %v", err)
	}
	asked := 0
	p, err := OpenProvider(t.Context(), n, ProviderOptions{PIN: func(context.Context) (*secret.Bytes, error) { asked++; return newPIN(token.PIN), nil }})
	if err != nil {
		t.Fatal(err)
	}
	works(t, n, p)
	if err := p.Close(); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if err := pin.Waiting(n.Node.StoragePath); !errors.Is(err, pin.ErrNoWorker) {
		t.Error("a command listens")
	}
}

// TestTokenURI: what an URI says counts, with the PIN that the configuration
// took out of it, and what it has wrong names the file.
func TestTokenURI(t *testing.T) {
	hsm := softhsm.New(t)
	token, n := tokenNode(t, hsm, "by uri", "")
	section := "type = \"pkcs11\"\nderivation_key_label = \"derivation\"\nuri = \"pkcs11:token=by%%20uri;object=%s?module-path=%s&pin-value=%s\"\n"
	dir := filepath.Dir(n.Path())
	n = nodeWith(t, dir, fmt.Sprintf(section, "identity", hsm.Library(), token.PIN))
	p, err := OpenProvider(t.Context(), n, ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	works(t, n, p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	n = nodeWith(t, dir, fmt.Sprintf(section, "identity", hsm.Library(), token.PIN))
	n.Node.KeyProvider.TokenLabel = "another"
	if _, err := OpenProvider(t.Context(), n, ProviderOptions{}); err == nil || !strings.Contains(err.Error(), n.Path()+": node.key_provider.uri") {
		t.Errorf("got %v", err)
	}
}
