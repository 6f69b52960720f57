package natsconn

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A program whose servers have an order goes on to the next one when its server fails,
// and back to the first of its list when that has answered for half a minute. Without
// the way back, all programs would be at one server after each had been restarted.
//
// While a program is elsewhere, nats-server's log has a connection without a handshake
// for each question.
const (
	homeTick  = 10 * time.Second
	homeTicks = 3 // answers in a row

	defaultPort = "4222" // of a URL without one
)

// home is the first server of an ordered list.
type home struct {
	address string      // host and port
	next    atomic.Bool // the next connection is to be made to it
}

// first is the address of the first server in a list, as nats.go has it in its pool.
func first(servers string) string {
	one, _, _ := strings.Cut(servers, ",")
	if one = strings.TrimSpace(one); !strings.Contains(one, "://") {
		one = "nats://" + one
	}
	u, err := url.Parse(one)
	if err != nil {
		return "" // no server has it, and connecting says why
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), defaultPort)
	}
	return u.Host
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

// answers reports whether the first server says something: the machine of one that
// hangs takes connections, too.
func (h *home) answers(ctx context.Context) bool {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return false
	}
	defer conn.Close()
	var greeting [5]byte
	_ = conn.SetDeadline(time.Now().Add(dialTime))
	_, err = io.ReadFull(conn, greeting[:])
	return err == nil && string(greeting[:]) == "INFO "
}

// isAway reports whether there is a connection to another server.
func (c *Conn) isAway() bool {
	at, err := url.Parse(c.ConnectedUrl())
	return err == nil && at.Host != "" && at.Host != c.home.address
}

// goHome takes the connection back to the first server whenever it can, until ctx ends.
func (c *Conn) goHome(ctx context.Context) {
	tick := time.NewTicker(c.opt.homeTick)
	defer tick.Stop()
	for answers := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !c.isAway() || !c.home.answers(ctx) {
			answers = 0
			continue
		}
		if answers++; answers < homeTicks {
			continue
		}
		answers = 0
		c.opt.Log.Info("the first NATS server of the list answers again, going back to it", "address", c.home.address)
		c.home.next.Store(true)
		_ = c.ForceReconnect() // fails when closed
	}
}
