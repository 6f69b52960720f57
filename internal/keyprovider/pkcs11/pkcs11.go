//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// closeTime bounds how long Close waits for calls that don't return.
const closeTime = 3 * time.Second

// Provider implements keyprovider.Provider, keyprovider.Prober and
// keyprovider.Describer.
type Provider struct {
	o        Options
	mod      *module
	making   bool          // keys that are missing are made
	permits  chan struct{} // holds one token for each call in a session
	dialing  chan struct{} // holds one token while a connection is made
	underWay sync.WaitGroup
	life     context.Context // ends with Close
	end      context.CancelFunc

	mu      sync.Mutex
	calls   []*call   // under way, the oldest first
	conn    *conn     // the last one, maybe no more
	dialed  time.Time // when the last dial ended
	dialErr error     // why it failed
	first   *keys     // what the keys were at first
	made    []keyprovider.Fact
}

var (
	_ keyprovider.Provider  = (*Provider)(nil)
	_ keyprovider.Prober    = (*Provider)(nil)
	_ keyprovider.Describer = (*Provider)(nil)
)

// Open finds token and keys, logs in, signs and verifies, and derives. A
// library of which a call hangs is left by the time that ctx ends.
func Open(ctx context.Context, o Options) (*Provider, error) {
	if err := o.resolve(); err != nil {
		return nil, err
	}
	return open(ctx, o, loadLibrary, false)
}

// open is Open with another loader; it may make keys that are missing.
func open(ctx context.Context, o Options, load loader, making bool) (*Provider, error) {
	o.setDefaults()
	p := &Provider{o: o, making: making, permits: make(chan struct{}, o.Sessions), dialing: make(chan struct{}, 1)}
	var err error
	if p.mod, err = acquire(p, load); err != nil {
		return nil, err
	}
	p.life, p.end = context.WithCancel(context.Background())
	opening := p.mod.opening
	select {
	case opening <- struct{}{}:
	case <-ctx.Done():
		err = p.fail(keyprovider.ReasonOf(ctx.Err()), "open", p.tokenName(),
			"a call of an earlier try to open it hangs: if this stays so, "+
				"look at the device ("+p.lookCommand()+") and restart frost-worker", ctx.Err())
		return nil, errors.Join(err, p.close())
	}
	_, err = p.connection(ctx, "open", p.keyName(o.KeyLabel))
	if err == nil {
		<-opening
		return p, nil
	}
	closed := make(chan error, 1)
	go func() { // in its own time: one that hangs costs a thread, so the next opening waits for it
		closed <- p.close()
		p.underWay.Wait() // close does not wait for ever
		<-opening
	}()
	if ctx.Err() == nil { // or the caller has waited long enough
		err = errors.Join(err, <-closed)
	}
	return nil, err
}

// Identity implements keyprovider.Provider, from memory.
func (p *Provider) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	if err := p.begin(ctx, "identity", p.keyName(p.o.KeyLabel)); err != nil {
		return nil, err
	}
	public := *p.firstKeys().public
	return &public, nil
}

// Sign implements keyprovider.Provider. The signature verifies.
func (p *Provider) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	return p.use(ctx, keyprovider.OpSign, "C_Sign", p.keyName(p.o.KeyLabel),
		func(c *conn, s session) ([]byte, error) { return c.sign(s, digest) })
}

// Derive implements keyprovider.Provider.
func (p *Provider) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if err := keyprovider.CheckLabel(label); err != nil {
		return [32]byte{}, err
	}
	key := p.keyName(p.o.DerivationKeyLabel)
	if err := p.begin(ctx, actDerive, key); err != nil {
		return [32]byte{}, err
	}
	if p.o.DerivationKeyLabel == "" {
		return [32]byte{}, p.fail(keyprovider.CannotDerive, actDerive, p.tokenName(),
			needsDerivation, keyprovider.ErrCannotDerive)
	}
	label = bytes.Clone(label) // a call that hangs may outlive the caller's
	out, err := p.use(ctx, keyprovider.OpDerive, actDerive, key,
		func(c *conn, s session) ([]byte, error) { return c.derive(s, label) })
	defer clear(out)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(out), nil
}

// begin says why not to go on.
func (p *Provider) begin(ctx context.Context, action, key string) error {
	if p.life.Err() != nil {
		return keyprovider.ErrClosed
	}
	if ctx.Err() != nil {
		return p.gaveUp(ctx, action, key, time.Now())
	}
	return nil
}

// Close ends the sessions and, with the last provider of the library, the
// library. If a call hangs, Close comes back after a few seconds with an error
// that says so, and the rest is done when the call returns.
func (p *Provider) Close() error {
	if p.o.typed != nil {
		p.o.typed.Forget()
	}
	return p.close()
}

func (p *Provider) close() error {
	p.mu.Lock()
	again := p.life.Err() != nil
	p.end() // no call starts from now on
	p.mu.Unlock()
	if again {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- p.shutDown() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTime):
		what := "it does not answer"
		if n := p.calling(); n > 0 {
			what = fmt.Sprintf("%d calls hang", n)
		}
		return fmt.Errorf("pkcs11: %s was not closed within %s, as %s: it ends with the process",
			p.o.Library, closeTime, what)
	}
}

func (p *Provider) shutDown() error {
	p.underWay.Wait()
	if c := p.last(); c != nil {
		c.leave()
	}
	if err := p.mod.release(p); err != nil {
		return fmt.Errorf("pkcs11: close %s: %w", p.o.Library, err)
	}
	return nil
}

// Format implements fmt.Formatter: a provider prints as its name.
func (*Provider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("PKCS#11 key provider")) }

// LogValue implements slog.LogValuer.
func (*Provider) LogValue() slog.Value { return slog.StringValue("PKCS#11 key provider") }
