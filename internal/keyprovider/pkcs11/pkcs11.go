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
	o       Options
	mod     *module
	permits chan struct{} // holds one token for each call under way
	calls   callSet
	life    context.Context // ends with Close
	end     context.CancelFunc
	maker   *maker // not nil: keys that are missing are made

	mu      sync.Mutex
	closed  bool
	conn    *conn // the last one that worked, maybe no more
	dial    *call
	dialed  time.Time // when the last dial ended
	dialErr error     // why it failed
	known   *known    // what the keys were at first
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
	return open(ctx, o, loadLibrary, nil)
}

// open is Open with another loader, and with a maker of missing keys.
func open(ctx context.Context, o Options, load loader, m *maker) (*Provider, error) {
	o.setDefaults()
	mod, err := acquire(o.Library, o.InitArgs, load)
	if err != nil {
		return nil, err
	}
	p := &Provider{o: o, mod: mod, permits: make(chan struct{}, o.Sessions), maker: m}
	p.life, p.end = context.WithCancel(context.Background())
	select {
	case mod.opening <- struct{}{}:
	case <-ctx.Done():
		err = p.fail(keyprovider.ReasonOf(ctx.Err()), "open", p.tokenName(),
			"a call of an earlier try to open it hangs: if this stays so, "+
				"look at the device ("+p.lookCommand()+") and restart frost-worker", ctx.Err())
		return nil, errors.Join(err, p.close())
	}
	_, err = p.connection(ctx, "open", p.keyName(o.KeyLabel))
	if err == nil {
		<-mod.opening
		return p, nil
	}
	closed := make(chan error, 1)
	go func() { // in its own time: one that hangs costs a thread, so the next opening waits for it
		closed <- p.close()
		for _, f := range p.calls.some(anyCall) { // close does not wait for ever
			<-f.done
		}
		<-mod.opening
	}()
	if ctx.Err() == nil { // or the caller has waited long enough
		err = errors.Join(err, <-closed)
	}
	return nil, err
}

// Identity implements keyprovider.Provider, from memory.
func (p *Provider) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	key := p.keyName(p.o.KeyLabel)
	if err := p.begin(ctx, "identity", key); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	public := *p.known.public
	return &public, nil
}

// Sign implements keyprovider.Provider. The signature verifies.
func (p *Provider) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	key := p.keyName(p.o.KeyLabel)
	if err := p.begin(ctx, "C_Sign", key); err != nil {
		return nil, err
	}
	return p.use(ctx, keyprovider.OpSign, "C_Sign", key,
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
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		return nil
	}
	p.end()
	p.calls.close()
	closed := make(chan error, 1)
	go func() { closed <- p.shutDown() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTime):
		what := "it does not answer"
		if n := len(p.calls.some(anyCall)); n > 0 {
			what = fmt.Sprintf("%d calls hang", n)
		}
		return fmt.Errorf("pkcs11: %s was not closed within %s, as %s: it ends with the process",
			p.o.Library, closeTime, what)
	}
}

func (p *Provider) shutDown() error {
	for _, f := range p.calls.some(anyCall) {
		<-f.done
	}
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if c != nil {
		c.giveUp(nil)
		c.closeIdle()
	}
	if err := p.mod.release(); err != nil {
		return fmt.Errorf("pkcs11: close %s: %w", p.o.Library, err)
	}
	return nil
}

// Format implements fmt.Formatter: a provider prints as its name.
func (*Provider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("PKCS#11 key provider")) }

// LogValue implements slog.LogValuer.
func (*Provider) LogValue() slog.Value { return slog.StringValue("PKCS#11 key provider") }
