package launch

import (
	"context"
	"errors"
	"fmt"
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
// lines for its PIN.
func tokenNode(t *testing.T, hsm *softhsm.HSM, label, pinLines string) (softhsm.Token, *config.Node) {
	t.Helper()
	token, dir := hsm.Token(t, label), t.TempDir()
	write(t, filepath.Join(dir, "pin"), token.PIN+"\n", 0o600)
	section := fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = %q\nkey_label = \"identity\"\nderivation_key_label = \"derivation\"\n", hsm.Library(), label)
	if _, err := Provision(t.Context(), nodeWith(t, dir, section+"pin_file = \"pin\"\n"), keyprovider.Options{}); err != nil {
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
	o := &opening{make(chan error, 99), make(chan keyprovider.Provider, 1), make(chan error, 1), new(atomic.Int32)}
	observe := func(c keyprovider.Call) {
		if c.Operation == keyprovider.OpLogin && keyprovider.ReasonOf(c.Err) == keyprovider.PIN {
			o.wrong.Add(1)
		}
	}
	go func() {
		p, err := OpenProvider(ctx, n, ProviderOptions{
			Options: keyprovider.Options{Observe: observe, Log: discard, AskPIN: person}, Waiting: func(err error) { o.waits <- err },
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

// section is what the node's file says about its token.
func section(n *config.Node) *pkcs11.Section { return n.Node.KeyProvider.Section.(*pkcs11.Section) }

// unlock does what frost-worker unlock does.
func unlock(t *testing.T, n *config.Node) {
	t.Helper()
	again, err := LoadNode(n.Path())
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenProvider(t.Context(), again, ProviderOptions{Options: keyprovider.Options{AfterWrongPIN: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoPIN: a worker that needs a PIN and has none ends, and says what to do.
func TestNoPIN(t *testing.T) {
	_, n := tokenNode(t, softhsm.New(t), "none", "")
	err := <-open(t.Context(), n, nil).failed
	if err == nil || !strings.Contains(keyprovider.RemedyOf(err), "set pin_file or pin, or start this at a terminal") {
		t.Errorf("got %v", err)
	}
}

// TestWrongFile: a wrong pin_file is tried once, however often the worker looks;
// it goes on without a restart once the file is right and somebody said so.
func TestWrongFile(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "file", "pin_file = \"secret\"\n")
	write(t, section(n).PINFile, string(wrong(token).Expose()), 0o600)
	o := open(t.Context(), n, nil)
	for range 2 {
		if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.PIN || !strings.Contains(why.Error(), "frost-worker unlock") {
			t.Errorf("waits because of %v", why)
		}
	}
	write(t, section(n).PINFile, token.PIN, 0o600)
	if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.PIN {
		t.Errorf("without unlock it waits because of %v", why)
	}
	unlock(t, n)
	works(t, n, o.provider(t))
	if got := o.wrong.Load(); got != 1 {
		t.Errorf("the token was given a wrong PIN %d times", got)
	}
}

// TestFixedFile: a pin_file that was missing is read again, without unlock.
func TestFixedFile(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "fixed", "pin_file = \"later\"\n")
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); !strings.Contains(why.Error(), "write the PIN into pin_file") {
		t.Errorf("waits because of %v", why)
	}
	write(t, section(n).PINFile, token.PIN, 0o600)
	works(t, n, o.provider(t))
}

// TestTriedFileOfANode: it is in storage_path, and holds a restarted worker
// back.
func TestTriedFileOfANode(t *testing.T) {
	_, n := tokenNode(t, softhsm.New(t), "tried", "pin_file = \"pin\"\n")
	write(t, filepath.Join(n.Node.StoragePath, pin.TriedFile), "somebody was here", 0o600)
	if _, err := OpenProvider(t.Context(), n, ProviderOptions{}); keyprovider.ReasonOf(err) != keyprovider.PIN ||
		!strings.Contains(err.Error(), "then frost-worker unlock --config "+n.Path()) {
		t.Errorf("got %v", err)
	}
	o := open(t.Context(), n, nil)
	if why := o.waiting(t); !strings.Contains(why.Error(), pin.TriedFile) {
		t.Errorf("waits because of %v", why)
	}
	unlock(t, n)
	o.provider(t)
}

// TestTerminal: who started the worker is asked until the PIN is right, and not
// again when the token was pulled and put back.
func TestTerminal(t *testing.T) {
	hsm := softhsm.New(t)
	token, n := tokenNode(t, hsm, "terminal", "")
	typed := []*secret.Bytes{wrong(token), newPIN(token.PIN)}
	left := make(chan time.Duration, 2)
	person := func(ctx context.Context) (*secret.Bytes, error) {
		end, _ := ctx.Deadline()
		left <- time.Until(end)
		next := typed[0]
		typed = typed[1:]
		return next, nil
	}
	p := open(t.Context(), n, person).provider(t)
	works(t, n, p)
	if len(typed) != 0 {
		t.Error("the right PIN was not asked for")
	}
	if got := <-left; got < 4*time.Minute {
		t.Errorf("a person has %s", got)
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

// TestWaitingEnds: a worker that is stopped while it waits for its token ends.
func TestWaitingEnds(t *testing.T) {
	_, n := tokenNode(t, softhsm.New(t), "ends", "pin_file = \"pin\"\n")
	section(n).TokenLabel = "none"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := open(ctx, n, nil)
	if why := o.waiting(t); keyprovider.ReasonOf(why) != keyprovider.NotFound {
		t.Errorf("waits because of %v", why)
	}
	cancel()
	if err := <-o.failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTokenForCommands: a command asks the person who started it, once.
func TestTokenForCommands(t *testing.T) {
	token, n := tokenNode(t, softhsm.New(t), "commands", "")
	asked := 0
	person := func(context.Context) (*secret.Bytes, error) { asked++; return newPIN(token.PIN), nil }
	p, err := OpenProvider(t.Context(), n, ProviderOptions{Options: keyprovider.Options{AskPIN: person}})
	if err != nil {
		t.Fatal(err)
	}
	works(t, n, p)
	if err := p.Close(); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

// TestTokenURI: what a URI says counts, its PIN too.
func TestTokenURI(t *testing.T) {
	hsm := softhsm.New(t)
	token, n := tokenNode(t, hsm, "by uri", "")
	text := fmt.Sprintf("pkcs11:token=by%%20uri;object=identity?module-path=%s&pin-value=%s", hsm.Library(), token.PIN)
	n = nodeWith(t, filepath.Dir(n.Path()), fmt.Sprintf("type = \"pkcs11\"\nderivation_key_label = \"derivation\"\nuri = %q\n", text))
	p, err := OpenProvider(t.Context(), n, ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	works(t, n, p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(n.Node.StoragePath, pin.TriedFile)); err != nil {
		t.Error(err)
	}
}
