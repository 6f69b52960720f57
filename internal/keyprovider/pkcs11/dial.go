//go:build cgo

package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// dialPause is the least time between a dial that did not help and the next.
// The circuit breaker above makes it longer; this bounds what others ask for.
const dialPause = time.Second

// known is what token and keys were at first: another token is refused, as is
// one that comes back with other keys.
type known struct {
	token   identity
	visible bool // its public key can be read without login
	public  *ecdsa.PublicKey
	kind    string   // of the derivation key
	check   [32]byte // hash of a derived value; zero without a derivation key
}

// knownKeys is nil until there was a connection.
func (p *Provider) knownKeys() *known {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

// connection returns the connection that works, or makes one. All who wait for
// one wait for the same dial.
func (p *Provider) connection(ctx context.Context, action, key string) (*conn, error) {
	for {
		c, f, leads, err := p.connOrDial(ctx)
		if f == nil {
			return c, err
		}
		if f.hangs() {
			return nil, p.stuck(action, key)
		}
		select {
		case <-f.done:
			if f.err != nil && (leads || !f.cutShort) {
				return nil, f.err
			} // it worked, or ended with the context of another
		case <-p.life.Done():
			return nil, keyprovider.ErrClosed
		case <-ctx.Done():
			if leads {
				return nil, p.abandon(ctx, f)
			}
			return nil, p.gaveUp(ctx, action, key, f.began)
		}
	}
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// connOrDial returns one of three: a connection, a dial to wait for, which the
// caller may lead, or the reason why there is neither.
func (p *Provider) connOrDial(ctx context.Context) (c *conn, dial *call, leads bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.conn
	switch {
	case p.closed:
		return nil, nil, false, keyprovider.ErrClosed
	case old != nil && old.works():
		return old, nil, false, nil
	case p.dial != nil:
		return nil, p.dial, false, nil
	case time.Since(p.dialed) < dialPause && p.dialErr != nil:
		return nil, nil, false, p.dialErr
	case time.Since(p.dialed) < dialPause && old != nil && !old.hasProven():
		return nil, nil, false, p.fail(keyprovider.Unavailable, "connect", p.tokenName(),
			"the connection made a moment ago did not last; the next is made in a second", nil)
	}
	p.dial = p.startDial(ctx, old)
	return nil, p.dial, true, nil
}

// startDial wants p.mu.
func (p *Provider) startDial(ctx context.Context, old *conn) *call {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.life, cancel)
	var c *conn
	return p.start("connect", p.tokenName(), func(f *call) (_ []byte, err error) {
		c, err = p.connect(ctx, f, old)
		f.cutShort = ctx.Err() != nil && isContext(err)
		return nil, err
	}, func(f *call) {
		stop()
		cancel()
		p.dialEnded(c, f)
	})
}

func (p *Provider) dialEnded(c *conn, f *call) {
	p.mu.Lock()
	closed := p.closed
	p.dial = nil
	if !f.cutShort { // that says nothing about the token
		p.dialed, p.dialErr = time.Now(), f.err
	}
	if c != nil && !closed {
		p.conn = c
	}
	p.mu.Unlock()
	if c != nil && closed {
		c.giveUp(nil)
		c.closeIdle()
	}
}

// connect makes a connection. If that fails for a reason that a fresh look at
// the device may cure, the library is initialised again: many list their
// tokens at that time only.
func (p *Provider) connect(ctx context.Context, f *call, old *conn) (*conn, error) {
	var spare *uint
	if old != nil {
		old.giveUp(nil)
		old.closeIdle()
		spare = &old.slot
	}
	fresh, err := p.mod.ensure()
	if err != nil {
		return nil, p.failed("C_Initialize", p.o.Library, err)
	}
	c, err := p.establish(ctx, f)
	var failed *keyprovider.Error
	if err == nil || fresh || !errors.As(err, &failed) {
		return c, err
	}
	switch {
	case failed.Action == actFindToken, failed.Reason == keyprovider.Unavailable:
	case failed.Reason == keyprovider.NotFound: // the others see that token as we do
		spare = nil
	default:
		return nil, err
	}
	if why := p.mod.reset(spare); why != nil {
		again := *failed
		again.Remedy += "; " + why.Error()
		if hanging := p.hanging(); hanging != "" {
			again.Remedy += ": " + hanging
		}
		return nil, &again
	}
	p.o.Log.Info("library was initialised again, after a failure", "library", p.o.Library, "error", err)
	if failed.Action == actLogin && isUnclear(err) { // the next dial is soon enough for a PIN that may be wrong
		return nil, err
	}
	return p.establish(ctx, f)
}

// establish finds the token, logs in, and finds and tries the keys.
func (p *Provider) establish(ctx context.Context, f *call) (*conn, error) {
	m := p.mod
	m.gate.RLock()
	defer m.gate.RUnlock()
	slot, info, err := p.findToken()
	if err != nil {
		return nil, err
	}
	s, err := m.api.OpenSession(slot, p.sessionFlags())
	if err != nil {
		return nil, p.failed("C_OpenSession", p.tokenName(), err)
	}
	c := &conn{p: p, generation: m.generation.Load(), slot: slot, info: info, idle: []session{s}}
	if err := p.enter(ctx, f, c, s); err != nil {
		_ = m.api.CloseSession(s)
		return nil, err
	}
	m.connected(slot)
	p.o.Log.Info("connected to the token", "token", info.Label, "serial", info.SerialNumber, "slot", slot)
	return c, nil
}

func (p *Provider) sessionFlags() uint {
	if p.maker != nil {
		return p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION
	}
	return p11.CKF_SERIAL_SESSION
}

func (p *Provider) enter(ctx context.Context, f *call, c *conn, s session) error {
	if err := c.recognize(s); err != nil {
		return err
	}
	if err := p.login(ctx, f, c, s); err != nil {
		return err
	}
	if p.maker != nil {
		if err := p.maker.make(c, s); err != nil {
			return err
		}
	}
	if err := c.findKeys(f, s); err != nil {
		return err
	}
	return c.tryKeys(ctx, f, s)
}
