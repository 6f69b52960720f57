package natsconn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A server that hangs, or a network that swallows what it gets, closes no
// connection. So each connection has a ping under way at all times, and is given up
// for another server when nothing at all came in during deafAfter, or when that ping
// has no answer after muteAfter although other things come in: what goes out is lost
// then, or waits behind much that the server stores first. Both are counted in ticks:
// this program being stopped for a while is no silence of the server.
//
// While much waits to go out, and a part of it arrives now and then, the link is slow
// and not silent: a server says nothing until it has the whole message. Little that
// goes out is no sign of life: it arrives at the machine of a server that hangs.
//
// It costs two pings of 6 bytes and their answers a second.
const (
	aliveTick = time.Second / 2
	deafAfter = 2 * time.Second
	muteAfter = 5 * time.Second
	dialTime  = nats.DefaultTimeout
	slowQueue = 64 << 10 // bytes that wait to go out on a slow link
	awayTicks = 4        // without a connection, until that is logged, and why
)

// link dials, and keeps the socket of the latest connection. nats.go has a lock
// while it writes, so only closing the socket beneath it ends a write that hangs.
type link struct {
	now    atomic.Pointer[socket]
	direct bool // Options.Direct
}

// socket counts what comes in.
type socket struct {
	net.Conn
	read   atomic.Uint64
	closed atomic.Bool
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.closed.Store(true)
	return s.Conn.Close()
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.read.Add(uint64(n))
	return n, err
}

// Dial implements nats.CustomDialer.
func (l *link) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, dialTime)
	if err != nil {
		return nil, err
	}
	if l.direct {
		conn = newDirectly(conn)
	}
	s := &socket{Conn: conn}
	l.now.Store(s)
	return s, nil
}

// silence is what is known of a socket's peer.
type silence struct {
	of      *socket
	read    uint64
	arrived uint64 // of what was written
	deaf    int    // ticks without a byte
	mute    int    // ticks with one ping under way
}

// sight is what a look at a connection shows.
type sight struct {
	of       *socket
	answered bool   // the ping before
	waiting  int    // bytes that are not at the peer's machine yet
	arrived  uint64 // bytes that are, ever
}

// look takes a look at the latest connection.
func (s *socket) look(answered bool) sight {
	waiting, arrived := backlog(s.Conn)
	return sight{of: s, answered: answered, waiting: waiting, arrived: arrived}
}

// tick takes a look. It says for how long the peer has been silent if that is too
// long, and how.
func (s *silence) tick(now sight) (how string, since time.Duration) {
	read := now.of.read.Load()
	if now.of != s.of {
		*s = silence{of: now.of, read: read, arrived: now.arrived}
		return "", 0
	}
	s.deaf++
	s.mute++
	if read != s.read {
		s.read, s.deaf = read, 0
	}
	if now.answered {
		s.mute = 0
	}
	if now.waiting >= slowQueue && now.arrived != s.arrived {
		s.deaf, s.mute = 0, 0
	}
	s.arrived = now.arrived
	switch deaf, mute := time.Duration(s.deaf)*aliveTick, time.Duration(s.mute)*aliveTick; {
	case deaf >= deafAfter:
		return "nothing comes in", deaf
	case mute >= muteAfter:
		return "a ping is not answered", mute
	}
	return "", 0
}

// pinger has one ping under way.
type pinger struct {
	conn     *nats.Conn
	mu       sync.Mutex
	underWay bool
}

// ping starts a ping unless one is under way, and reports whether it did.
func (p *pinger) ping(ctx context.Context) (started bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.underWay {
		return false
	}
	p.underWay = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, 2*muteAfter)
		defer cancel()
		_ = p.conn.FlushWithContext(ctx) // fails with its connection
		p.mu.Lock()
		p.underWay = false
		p.mu.Unlock()
	}()
	return true
}

// watch gives up connections whose server is silent, until ctx ends. It asks the
// connection nothing: whoever asks waits for a write that hangs.
func (c *Conn) watch(ctx context.Context) {
	tick := time.NewTicker(aliveTick)
	defer tick.Stop()
	ping, s := &pinger{conn: c.Conn}, new(silence)
	away := 0 // ticks without a connection
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		of := c.link.now.Load()
		if of == nil || of.closed.Load() || c.down.Load() {
			*s = silence{}
			if away++; away%int(logEvery/aliveTick) == awayTicks {
				if err := c.Healthy(); err != nil {
					c.opt.Log.Warn("no connection to NATS, retrying", "error", err)
				}
			}
			continue
		}
		away = 0
		if how, since := s.tick(of.look(ping.ping(ctx))); how != "" {
			c.opt.Log.Warn("the NATS server is silent, giving the connection up",
				"address", of.RemoteAddr(), "how", how, "for", since)
			_ = of.Close() // nats.go sees it and connects to the next server
		}
	}
}
