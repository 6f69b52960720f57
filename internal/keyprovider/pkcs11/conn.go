//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

type session = p11.SessionHandle

// A conn is one logged-in view of a token: its slot, its keys' handles, and
// sessions. After a failure that may have cost any of these it is given up,
// and the provider makes another.
type conn struct {
	p          *Provider
	generation int64 // of the module
	slot       uint
	info       p11.TokenInfo
	keys       keys
	can        map[uint]bool // mechanisms, where keys may have to be made

	idle   chan session
	opened atomic.Int64    // sessions, also those that are lent
	proven atomic.Bool     // a call succeeded
	failed atomic.Int64    // calls in a row
	life   context.Context // ends when it is given up
	end    context.CancelFunc
	once   sync.Once
}

// maxFailed is how many calls may fail in a row, whatever for, until fresh
// sessions and handles are tried.
const maxFailed = 3

func (p *Provider) newConn(slot uint, info p11.TokenInfo, first session) *conn {
	c := &conn{p: p, generation: p.mod.generation.Load(), slot: slot, info: info, keys: keys{token: identify(info)},
		idle: make(chan session, cap(p.permits))}
	c.life, c.end = context.WithCancel(context.Background())
	c.idle <- first
	c.opened.Store(1)
	return c
}

// works reports whether nothing speaks against using it.
func (c *conn) works() bool {
	return c.life.Err() == nil && c.generation == c.p.mod.generation.Load()
}

// with lends a session: an idle one, or a new one. There are never more than
// permits.
func (c *conn) with(ctx context.Context, do func(session) error) error {
	c.p.mod.gate.RLock()
	defer c.p.mod.gate.RUnlock()
	if !c.works() {
		return c.lostByAnother()
	}
	s, err := c.take(ctx)
	if err == nil {
		err = do(s)
		c.put(s, err)
	}
	if c.speaksAgainst(err) {
		c.giveUp(err)
	}
	return err
}

func (c *conn) lostByAnother() error {
	return c.p.fail(keyprovider.Unavailable, "session", c.p.tokenName(), "another call lost the token; "+again, nil)
}

// speaksAgainst reports whether to give the connection up after a call.
func (c *conn) speaksAgainst(err error) bool {
	reason := keyprovider.ReasonOf(err)
	switch reason {
	case keyprovider.OK:
		c.failed.Store(0)
	case keyprovider.Canceled, keyprovider.Timeout, keyprovider.Closed:
		return false // that was the caller
	default:
		c.failed.Add(1)
	}
	// After a bad answer the handles may mean other keys, which the next
	// connection finds out.
	return lost(err) || reason == keyprovider.BadAnswer || c.failed.Load() >= maxFailed
}

// take returns an idle session or opens one. Where the token has none left, it
// waits for one that is lent, unless they hang.
func (c *conn) take(ctx context.Context) (session, error) {
	const action = "C_OpenSession"
	select {
	case s := <-c.idle:
		return s, nil
	default:
	}
	s, err := c.p.mod.api.OpenSession(c.slot, p11.CKF_SERIAL_SESSION)
	switch {
	case err == nil:
		c.opened.Add(1)
		return s, nil
	case !errors.Is(err, p11.Error(p11.CKR_SESSION_COUNT)):
		return 0, c.p.failed(action, c.p.tokenName(), err)
	case int64(len(c.p.hung(""))) >= c.opened.Load():
		return 0, c.p.stuck(action, c.p.tokenName())
	}
	began := time.Now()
	select {
	case s := <-c.idle:
		return s, nil
	case <-c.life.Done():
		return 0, c.lostByAnother()
	case <-c.p.life.Done():
		return 0, keyprovider.ErrClosed
	case <-ctx.Done():
		return 0, c.p.gaveUp(ctx, action, c.p.tokenName(), began)
	}
}

// put takes a session back, unless it may be out of step.
func (c *conn) put(s session, err error) {
	if err == nil {
		c.proven.Store(true)
	}
	if lost(err) {
		_ = c.p.mod.api.CloseSession(s) // it may be gone already
	} else {
		c.idle <- s // there is room for all
	}
	if c.life.Err() != nil { // since then, maybe, and nobody takes it
		c.closeIdle()
	}
}

// giveUp ends the use of the connection; why is nil if it was closed.
func (c *conn) giveUp(why error) {
	c.once.Do(func() {
		c.end()
		if why != nil {
			c.p.o.Log.Warn("connection to the token is lost", "token", c.info.Label, "slot", c.slot, "error", why)
		}
	})
}

// leave gives the connection up and closes the sessions that nobody uses.
func (c *conn) leave() {
	c.giveUp(nil)
	c.p.mod.gate.RLock()
	defer c.p.mod.gate.RUnlock()
	c.closeIdle()
}

// closeIdle wants the gate. Sessions of an earlier generation are gone: their
// numbers may be others' by now.
func (c *conn) closeIdle() {
	for {
		select {
		case s := <-c.idle:
			if c.generation == c.p.mod.generation.Load() {
				_ = c.p.mod.api.CloseSession(s) // it may be gone already
			}
		default:
			return
		}
	}
}
