package natsconn

import (
	"context"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A program whose servers have an order goes on to the next one when its server fails,
// and back to the first of its list when that has let it in for half a minute. Without
// the way back, all programs would be at one server after each had been restarted.
//
// To ask the first server the program logs in there a second time: a greeting alone says
// neither that the server knows this program, nor that its certificate is good.
const (
	homeTick  = 10 * time.Second // a quarter more or less, or all programs would leave a server at once
	homeTicks = 3                // that the first server has to let the program in, in a row
	homeMost  = 96               // the same where it does not keep the program: a quarter of an hour
)

// home is the first server of an ordered list.
type home struct {
	url     string
	address string      // its host and port
	next    atomic.Bool // the next connection is to be made to it
}

// setFirst takes the first server in a list, with the address that nats.go has in its pool.
func (h *home) setFirst(servers string) {
	for one := range strings.SplitSeq(servers, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		h.url = one
		if u, err := url.Parse(one); err == nil { // or no server has it, and connecting says why
			h.address = address(u)
		}
		return
	}
}

// address is the host of a URL with its port, written as nats.go does.
func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := "4222"
	switch u.Scheme {
	case "ws":
		port = "80"
	case "wss":
		port = "443"
	}
	return strings.TrimSuffix(u.Host, ":") + ":" + port
}

// choose implements nats.ReconnectToServerHandler: the next of the list, but where the
// first one is known to answer.
func (h *home) choose(pool []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
	if !h.next.Swap(false) {
		return nil, 0
	}
	for i := range pool {
		if pool[i].URL.Host == h.address {
			return &pool[i], 0
		}
	}
	return nil, 0
}

// letsIn reports whether the first server lets this program in, and is not the one that
// it is connected to, by another name.
func (c *Conn) letsIn() bool {
	asking, err := c.ask(c.home.url, c.nextTLS())
	if err != nil {
		return false
	}
	defer asking.Close()
	return asking.ConnectedServerId() != c.ConnectedServerId()
}

// where is what a look at a connection shows.
type where int

const (
	nowhere where = iota // between two connections
	atHome
	away
)

func (c *Conn) where() where {
	switch at, err := url.Parse(c.ConnectedUrl()); {
	case err != nil || at.Host == "":
		return nowhere
	case at.Host == c.home.address:
		return atHome
	}
	return away
}

// returns decide when to go back. Each costs what is under way, so where one did not
// last, the next one waits for twice as long.
type returns struct {
	need    int  // how often the first server has to let the program in
	did     int  // how often it has
	stayed  int  // looks that found the program at home
	unknown bool // whether the last return lasts
}

// look takes a look, and reports whether to go back.
func (r *returns) look(at where, letsIn func() bool) bool {
	r.need = max(r.need, homeTicks)
	if at != away {
		r.did = 0
		if at == atHome {
			r.stayed++
		}
		if r.stayed >= r.need {
			r.need, r.unknown = homeTicks, false
		}
		return false
	}
	if r.unknown {
		r.need, r.unknown = min(2*r.need, homeMost), false
	}
	r.stayed = 0
	if !letsIn() {
		r.did = 0
		return false
	}
	if r.did++; r.did < r.need {
		return false
	}
	r.did, r.unknown = 0, true
	return true
}

// goHome takes the connection back to the first server whenever it can, until ctx ends.
func (c *Conn) goHome(ctx context.Context) {
	for r := new(returns); ; {
		pause := c.opt.homeTick
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause - pause/4 + rand.N(pause/2)): // jitter, not a secret
		}
		if r.look(c.where(), c.letsIn) && c.leave(ctx) {
			c.home.next.Store(true)
			_ = c.ForceReconnect() // fails when closed
		}
	}
}

// leave prepares the program for the loss of a connection that works, and is false if it
// came to the first server on its own meanwhile, or ends.
func (c *Conn) leave(ctx context.Context) bool {
	c.opt.Log.Info("the first NATS server of the list answers again, going back to it", "address", c.home.address)
	stay := func() {}
	if c.opt.Leaving != nil {
		stay = c.opt.Leaving(ctx)
	}
	if ctx.Err() != nil || c.where() == atHome {
		stay()
		return false
	}
	return true
}
