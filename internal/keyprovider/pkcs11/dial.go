//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// dialPause is the least time between a dial that did not help and the next.
// The circuit breaker above makes it longer; this bounds what others ask for.
const dialPause = time.Second

const actConnect = "connect"

// connection returns the connection that works, or makes one. One caller does so
// at a time; what comes of it is for all who wait meanwhile.
func (p *Provider) connection(ctx context.Context, action, key string) (*conn, error) {
	for {
		if c, err := p.current(); c != nil || err != nil {
			return c, err
		}
		if err := p.enter(ctx, p.dialing, len(p.hung(actConnect)) > 0, action, key); err != nil {
			return nil, err
		}
		_, err := p.run(ctx, actConnect, p.tokenName(), func(f *call) ([]byte, error) { return nil, p.dial(ctx, f) },
			func() { <-p.dialing })
		if err != nil {
			return nil, err
		}
	}
}

// current returns the connection if it works, or else why not to make another
// one yet. It returns neither where it is time for that.
func (p *Provider) current() (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	recent := time.Since(p.dialed) < dialPause
	switch {
	case p.conn != nil && p.conn.works():
		return p.conn, nil
	case recent && p.dialErr != nil:
		return nil, p.dialErr
	case recent && p.conn != nil && !p.conn.proven.Load():
		return nil, p.fail(keyprovider.Unavailable, actConnect, p.tokenName(),
			"the connection made a moment ago did not last; the next is made in a second", nil)
	}
	return nil, nil
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// dial connects, unless somebody else has just done it.
func (p *Provider) dial(ctx context.Context, f *call) error {
	if c, err := p.current(); c != nil || err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	err := p.failed(actConnect, p.tokenName(), unpanicked(func() error { return p.connect(ctx, f) }))
	if ctx.Err() == nil || !isContext(err) { // otherwise it says nothing about the token
		p.mu.Lock()
		p.dialed, p.dialErr = time.Now(), err
		p.mu.Unlock()
	}
	return err
}

// connect makes a connection. If that fails for a reason that a fresh look at
// the device may cure, the library is initialised again: many list their
// tokens at that time only.
func (p *Provider) connect(ctx context.Context, f *call) error {
	old := p.last()
	var spare *uint
	if old != nil {
		old.leave()
		spare = &old.slot
	}
	fresh, err := p.mod.ensure()
	if err != nil {
		return p.failed("C_Initialize", p.o.Library, err)
	}
	err = p.establish(ctx, f)
	var failed *keyprovider.Error
	if err == nil || fresh || !errors.As(err, &failed) {
		return err
	}
	switch {
	case failed.Action == actFindToken, failed.Reason == keyprovider.Unavailable:
	case failed.Reason == keyprovider.NotFound: // the others see that token as we do
		spare = nil
	default:
		return err
	}
	if why := p.mod.reset(spare); why != nil {
		again := *failed
		again.Remedy += "; " + why.Error()
		if hanging := p.hanging(); hanging != "" {
			again.Remedy += ": " + hanging
		}
		return &again
	}
	p.o.Log.Info("library was initialised again, after a failure", "library", p.o.Library, "error", err)
	if failed.Action == actLogin && isUnclear(err) { // the next dial is soon enough for a PIN that may be wrong
		return err
	}
	return p.establish(ctx, f)
}

// last returns the last connection, which may work no more; nil: there was none.
func (p *Provider) last() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

// establish finds the token, logs in, and finds and tries the keys.
func (p *Provider) establish(ctx context.Context, f *call) error {
	m := p.mod
	m.gate.RLock()
	defer m.gate.RUnlock()
	slot, info, err := p.findToken()
	if err != nil {
		return err
	}
	flags := uint(p11.CKF_SERIAL_SESSION)
	if p.making {
		flags |= p11.CKF_RW_SESSION
	}
	s, err := m.api.OpenSession(slot, flags)
	if err != nil {
		return p.failed("C_OpenSession", p.tokenName(), err)
	}
	c := p.newConn(slot, info, s)
	if err := unpanicked(func() error { return c.prepare(ctx, f, s) }); err != nil {
		_ = m.api.CloseSession(s)
		return err
	}
	p.mu.Lock()
	p.conn = c
	p.mu.Unlock()
	p.o.AfterWrongPIN = false // logins from now on come by themselves, with nobody there
	p.o.Log.Info("connected to the token", "token", info.Label, "serial", info.SerialNumber, "slot", slot)
	return nil
}

func (c *conn) prepare(ctx context.Context, f *call, s session) error {
	if err := c.recognize(s); err != nil {
		return err
	}
	if err := c.login(ctx, f, s); err != nil {
		return err
	}
	if c.p.making {
		c.p.made = nil // of a dial before this one
		if err := c.askMechanisms(); err != nil {
			return err
		}
	}
	if err := c.findKeys(f, s); err != nil {
		return err
	}
	return c.tryKeys(ctx, f, s)
}
