//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/backoff"
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
	keys       *keys
	visible    bool // the public key can be read without login

	mu     sync.Mutex
	idle   []session
	lent   int // those in use, and those that are being opened
	dead   bool
	proven bool // a call succeeded
	failed int  // calls in a row
}

// maxFailed is how many calls may fail in a row, whatever for, until fresh
// sessions and handles are tried.
const maxFailed = 3

// works reports whether nothing speaks against using it.
func (c *conn) works() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead && c.generation == c.p.mod.generation.Load()
}

// hasProven reports whether a call succeeded since it was made.
func (c *conn) hasProven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proven
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
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := keyprovider.ReasonOf(err)
	switch {
	case err == nil:
		c.failed = 0
	case slices.Contains([]keyprovider.Reason{keyprovider.Canceled, keyprovider.Timeout, keyprovider.Closed}, reason):
		return false // that was the caller
	default:
		c.failed++
	}
	// After a bad answer the handles may mean other keys, which the next
	// connection finds out.
	return lost(err) || reason == keyprovider.BadAnswer || c.failed >= maxFailed
}

// take returns an idle session or opens one. Where the token has none left, it
// waits for one that is lent.
func (c *conn) take(ctx context.Context) (session, error) {
	const action = "C_OpenSession"
	began, pause := time.Now(), backoff.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}
	for {
		c.mu.Lock()
		c.lent++
		if n := len(c.idle); n > 0 {
			s := c.idle[n-1]
			c.idle = c.idle[:n-1]
			c.mu.Unlock()
			return s, nil
		}
		c.mu.Unlock()
		s, err := c.p.mod.api.OpenSession(c.slot, p11.CKF_SERIAL_SESSION)
		if err == nil {
			return s, nil
		}
		c.mu.Lock()
		c.lent--
		idle, lent, dead := len(c.idle), c.lent, c.dead
		c.mu.Unlock()
		switch {
		case !errors.Is(err, p11.Error(p11.CKR_SESSION_COUNT)), idle+lent == 0:
			return 0, c.p.failed(action, c.p.tokenName(), err)
		case idle > 0:
		case dead:
			return 0, c.lostByAnother()
		case len(c.p.calls.some((*call).hangs)) >= lent:
			return 0, c.p.stuck(action, c.p.tokenName())
		case c.p.life.Err() != nil:
			return 0, keyprovider.ErrClosed
		case pause.Wait(ctx) != nil:
			return 0, c.p.gaveUp(ctx, action, c.p.tokenName(), began)
		}
	}
}

// put takes a session back, unless it may be out of step.
func (c *conn) put(s session, err error) {
	c.mu.Lock()
	c.proven = c.proven || err == nil
	keep := !c.dead && !lost(err)
	if keep {
		c.idle = append(c.idle, s)
		c.lent--
	}
	c.mu.Unlock()
	if !keep {
		_ = c.p.mod.api.CloseSession(s) // it may be gone already
		c.mu.Lock()
		c.lent--
		c.mu.Unlock()
	}
}

// giveUp ends the use of the connection; why is nil if it was closed.
func (c *conn) giveUp(why error) {
	c.mu.Lock()
	dead := c.dead
	c.dead = true
	c.mu.Unlock()
	if dead {
		return
	}
	c.p.mod.disconnected(c.slot, c.generation)
	if why != nil {
		c.p.o.Log.Warn("connection to the token is lost", "token", c.info.Label, "slot", c.slot, "error", why)
	}
}

// closeIdle closes the sessions that nobody uses. Those of an earlier
// generation are gone: their numbers may be others' by now.
func (c *conn) closeIdle() {
	m := c.p.mod
	m.gate.RLock()
	defer m.gate.RUnlock()
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	if c.generation != m.generation.Load() {
		return
	}
	for _, s := range idle {
		_ = m.api.CloseSession(s) // it may be gone already
	}
}
