// Package natsconn is the one way in which this project connects to NATS:
// internal/bus does, and so does the public package client.
//
// Connect checks every file that it was given before it dials, and its errors
// name the file and what to do next. An open connection reconnects for ever.
// While it is down nothing is kept for later: a caller learns at once that
// nothing was sent.
//
// A server answers a denied request with nothing at all; it only reports the
// denial to the connection. Ask and Store end on that report, and when
// the connection is lost, instead of by time-out.
package natsconn

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// DefaultURL is where a server is expected when Options has no URL.
const DefaultURL = nats.DefaultURL

// MaxPayload is what the server must accept in one message, in bytes.
const MaxPayload = 4 << 20

// Server is a NATS server inside this process. Package natsserver has the only
// one: programs which merely connect don't link a server.
type Server interface {
	nats.InProcessConnProvider
	URL() string                  // for other processes; empty without a socket
	Limits() (memory, file int64) // bytes that streams may take
	Shutdown()                    // stops it and waits until its store is closed
}

// Options say how to reach a server.
type Options struct {
	URL      string // one or more, separated by commas; DefaultURL if empty
	Embedded Server // if not nil, connect to this one, without a socket
	Name     string // shown in the server's monitoring

	// InOrder tries the servers in the order of URL, and returns to the first: for nodes
	// and gateways, whose lists each begin with another server, so that the loss of one
	// disturbs few of them. Otherwise the order is random, which spreads many clients.
	InOrder bool

	// Direct reads and writes sockets beside Go's monitor of the scheduler (raw.go): for a program
	// that computes for long in places which wake that monitor only, as the pool does.
	Direct bool

	Files

	InboxPrefix string        // where answers arrive; "_INBOX" if empty
	AckTimeout  time.Duration // bounds one request
	Log         *slog.Logger

	// Waiting is called with the reason while Connect has no connection, and
	// Reconnected after each reconnection. Either may be nil.
	Waiting     func(error)
	Reconnected func()

	// Leaving is called before a connection that works is given up for one to the first
	// server, which is when it returns, or else stay is called. It may be nil.
	Leaving func(context.Context) (stay func())

	homeTick time.Duration // for tests; 0: the constant
}

// Conn is a connection. All methods may be called concurrently.
type Conn struct {
	*nats.Conn
	JS jetstream.JetStream

	opt       Options
	calls     sync.Map // of *call: those that wait
	link      link
	home      home
	stop      context.CancelFunc // ends watch and goHome; nil if they do not run
	closing   atomic.Bool
	down      atomic.Bool               // between two connections
	serverEnd atomic.Pointer[time.Time] // when what the server showed expires
	failing   atomic.Pointer[error]     // of the latest attempt to reconnect
	tls       atomic.Pointer[TLS]       // for the next connection
	tlsSet    atomic.Bool               // by SetTLS
}

// The pauses between attempts to connect, and how often a failure is logged.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
	logEvery = 30 * time.Second
)

// Connect reaches the server, trying again until ctx ends. What no repetition
// can change is an error at once: a bad file, credentials that the server refuses,
// or a server older than MinVersion.
func Connect(ctx context.Context, opt Options) (*Conn, error) {
	if opt.URL == "" {
		opt.URL = DefaultURL
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.homeTick == 0 {
		opt.homeTick = homeTick
	}
	c := &Conn{opt: opt}
	opts, err := c.natsOptions()
	if err != nil {
		return nil, err
	}
	pause := backoff.Backoff{Min: minPause, Max: maxPause}
	for logged := (time.Time{}); ; {
		if c.Conn, err = nats.Connect(opt.URL, opts...); err == nil {
			if _, err = c.open(); err != nil {
				c.Close()
				return nil, err
			}
			if opt.Embedded == nil {
				var watching context.Context
				watching, c.stop = context.WithCancel(context.Background())
				go c.watch(watching)
				if opt.InOrder {
					go c.goHome(watching)
				}
			}
			return c, nil
		}
		if isOneOf(err, refusals...) {
			return nil, c.refused(err)
		}
		err = c.explain(err)
		if opt.Waiting != nil {
			opt.Waiting(err)
		}
		if pause.Wait(ctx) != nil {
			return nil, fmt.Errorf("no connection to %s: %w (last attempt: %w)", c.Server(), ctx.Err(), err)
		}
		if time.Since(logged) > logEvery {
			logged = time.Now()
			opt.Log.Warn("no connection to NATS yet, retrying", "server", c.Server(), "error", err)
		}
	}
}

// Wrap makes a Conn of a connection that somebody else opened and closes.
func Wrap(nc *nats.Conn, ackTimeout time.Duration) (*Conn, error) {
	c := &Conn{Conn: nc, opt: Options{
		URL: nc.ConnectedUrlRedacted(), AckTimeout: ackTimeout, Log: slog.New(slog.DiscardHandler),
	}}
	return c.open()
}

func (c *Conn) open() (_ *Conn, err error) {
	if err := c.checkVersion(); err != nil {
		return nil, err
	}
	c.JS, err = jetstream.New(c.Conn, jetstream.WithDefaultTimeout(c.opt.AckTimeout))
	return c, err
}

func (c *Conn) natsOptions() ([]nats.Option, error) {
	o := &c.opt
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 400*time.Millisecond),
		nats.IgnoreAuthErrorAbort(),
		nats.RetryOnFailedConnect(false),
		nats.ReconnectBufSize(-1),             // nothing goes out behind the caller's back
		nats.FlusherTimeout(2 * o.AckTimeout), // a write holds up every other call, and heeds no context
		nats.PingInterval(10 * time.Second),   // besides watch
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(c.onDisconnect),
		nats.ReconnectHandler(c.onReconnect),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.failing.Store(&err) }),
		nats.ErrorHandler(c.onError),
	}
	if o.Embedded != nil {
		opts = append(opts, nats.InProcessServer(o.Embedded))
	} else {
		c.link.direct = o.Direct
		opts = append(opts, nats.SetCustomDialer(&c.link))
	}
	if o.InOrder {
		c.home.setFirst(o.URL)
		opts = append(opts, nats.DontRandomize(), nats.ReconnectToServer(c.home.choose))
	}
	if o.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	login, err := c.files()
	if err != nil {
		return nil, err
	}
	return append(append(opts, login...), tlsOption(c.tls.Load(), c.nextTLS), c.noteServer), nil
}

// files reads what the files hold for the first connection.
func (c *Conn) files() ([]nats.Option, error) {
	if err := c.opt.Files.checked(); err != nil {
		return nil, err
	}
	first, err := c.opt.Files.loadTLS()
	if err != nil {
		return nil, err
	}
	c.tls.Store(first)
	return c.opt.Files.login()
}

// Server names the server without the password that a URL may hold.
func (c *Conn) Server() string {
	if c.opt.Embedded != nil {
		return "the embedded NATS server"
	}
	return "NATS at " + userInfo.ReplaceAllString(c.opt.URL, "$1")
}

// userInfo is all that stands before a host: also where a password has an @.
var userInfo = regexp.MustCompile(`(\w+://)?[^,]*@`)

// Healthy is nil while connected, to a server that is new enough: another one of
// a cluster may be older.
func (c *Conn) Healthy() error {
	switch c.Status() {
	case nats.CONNECTED:
		return c.checkVersion()
	case nats.CLOSED, nats.DRAINING_PUBS, nats.DRAINING_SUBS:
		return ErrClosed
	}
	if why := c.whyNot(); why != nil {
		return fmt.Errorf("%w: reconnecting to %s: %w", ErrDisconnected, c.Server(), why)
	}
	return fmt.Errorf("%w: reconnecting to %s", ErrDisconnected, c.Server())
}

// whyNot is why there is no reconnection yet, if that is known: credentials that were
// removed or spoilt since the start, which no repetition mends, or the latest error.
func (c *Conn) whyNot() error {
	if _, err := c.opt.Files.login(); err != nil {
		return err
	}
	if err := c.LastError(); err != nil { // of a handshake
		return c.explain(err)
	}
	if err := c.failing.Load(); err != nil { // without one
		return c.explain(*err)
	}
	return nil
}

// Close ends what still waits for an answer with ErrClosed, and closes the
// connection.
func (c *Conn) Close() {
	c.closing.Store(true)
	if c.stop != nil {
		c.stop()
	}
	c.fail("", ErrClosed)
	c.Conn.Close()
}

func (c *Conn) onDisconnect(_ *nats.Conn, err error) {
	if c.closing.Load() {
		return
	}
	c.down.Store(true)
	c.opt.Log.Warn("NATS connection lost, reconnecting", "error", err)
	c.fail("", ErrDisconnected)
}

func (c *Conn) onReconnect(nc *nats.Conn) {
	c.down.Store(false)
	c.failing.Store(nil)
	c.opt.Log.Info("NATS reconnected", "server", nc.ConnectedServerName())
	if err := c.checkVersion(); err != nil {
		c.opt.Log.Error("NATS reconnected", "error", err)
	}
	if c.opt.Reconnected != nil {
		c.opt.Reconnected()
	}
}
