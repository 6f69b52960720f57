//go:build cgo

package pkcs11

import (
	"sync"

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
	keys       *keys

	mu     sync.Mutex
	idle   []session
	dead   bool
	proven bool // a call succeeded
}

// works tells whether nothing speaks against using it.
func (c *conn) works() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead && c.generation == c.p.mod.generation.Load()
}

// hasProven tells whether a call succeeded since it was made.
func (c *conn) hasProven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proven
}

// with lends a session: an idle one, or a new one. There are never more than
// places.
func (c *conn) with(do func(session) error) error {
	c.p.mod.gate.RLock()
	defer c.p.mod.gate.RUnlock()
	if !c.works() {
		return c.p.fail(keyprovider.Unavailable, "session", c.p.tokenName(), "another call lost the token; "+again, nil)
	}
	s, err := c.take()
	if err == nil {
		err = do(s)
		c.put(s, err)
	}
	if lost(err) {
		c.giveUp(err)
	}
	return err
}

func (c *conn) take() (session, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return s, nil
	}
	c.mu.Unlock()
	s, err := c.p.mod.api.OpenSession(c.slot, p11.CKF_SERIAL_SESSION)
	return s, c.p.failed("C_OpenSession", c.p.tokenName(), err)
}

// put takes a session back, unless it may be out of step.
func (c *conn) put(s session, err error) {
	c.mu.Lock()
	c.proven = c.proven || err == nil
	keep := !c.dead && !lost(err)
	if keep {
		c.idle = append(c.idle, s)
	}
	c.mu.Unlock()
	if !keep {
		_ = c.p.mod.api.CloseSession(s) // it may be gone already
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
