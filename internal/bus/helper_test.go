package bus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/natsserver"
)

const testBatch = "0123456789abcdef0123456789abcdef"

// testNodes is how many nodes the tests' fleet has.
const testNodes = 5

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

// startTest runs a server on its own store; port -1 is any.
func startTest(t testing.TB, dir string, port int) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(natsserver.Config{StoreDir: dir, Port: port, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connectTest(t testing.TB, url string, change ...func(*Options)) *Bus {
	t.Helper()
	opt := Options{Fleet: "main", Nodes: testNodes, URL: url, Name: "test", AckTimeout: patience / 4, CutPatience: time.Second}
	for _, c := range change {
		c(&opt)
	}
	b, err := Connect(testContext(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// newTestBus is a server with applied streams and a connection to it.
func newTestBus(t testing.TB, change ...func(*Options)) (*Bus, *natsserver.Server) {
	t.Helper()
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, s.URL(), change...)
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return b, s
}

// consume is Consume until the test ends. The handlers at work end before the
// context of the test does: what they handle may be done for the server, and so
// for the test, before they have heard so.
func consume(t testing.TB, b *Bus, stream Stream, durable string, handlers int, handler func(Delivery)) *Consumer {
	t.Helper()
	c, err := b.Consume(testContext(t), stream, durable, handlers, handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// rawConn is somebody without this package.
func rawConn(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func deal(t testing.TB, i int) string { t.Helper(); return dealSubject(testBatch, i) }

// collector gathers what a follower saw.
type collector struct {
	mu       sync.Mutex
	got      []Message
	caughtAt []int // how many messages had been seen at each CaughtUp
	lost     []error
}

func (c *collector) options() FollowOptions {
	return FollowOptions{
		Handler:  func(m Message) { c.mu.Lock(); c.got = append(c.got, m); c.mu.Unlock() },
		CaughtUp: func() { c.mu.Lock(); c.caughtAt = append(c.caughtAt, len(c.got)); c.mu.Unlock() },
		Lost:     func(err error) { c.mu.Lock(); c.lost = append(c.lost, err); c.mu.Unlock() },
	}
}

func (c *collector) seen() ([]Message, []int, []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Message(nil), c.got...), append([]int(nil), c.caughtAt...), append([]error(nil), c.lost...)
}

// eventually polls until cond is nil.
func eventually(t testing.TB, what string, cond func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (c *collector) waitFor(t testing.TB, n int) []Message {
	t.Helper()
	eventually(t, "following", func() error {
		got, _, _ := c.seen()
		if len(got) < n {
			return fmt.Errorf("saw %d of %d messages", len(got), n)
		}
		return nil
	})
	got, _, _ := c.seen()
	if len(got) != n {
		t.Fatalf("saw %d messages, want %d", len(got), n)
	}
	return got
}

// checkGapless wants sequences from..from+len-1 and payloads equal to them.
func checkGapless(t testing.TB, got []Message, from uint64) {
	t.Helper()
	for i, m := range got {
		if m.Seq != from+uint64(i) {
			t.Fatalf("message %d has sequence %d, want %d", i, m.Seq, from+uint64(i))
		}
	}
}

// testLog fails the test if something is logged that must not be.
type logSink struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.Write(p)
}

func (s *logSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()
}

func (s *logSink) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// rawDialer gives access to the socket under a connection.
type rawDialer struct{ conn net.Conn }

func (d *rawDialer) Dial(network, address string) (net.Conn, error) {
	var err error
	d.conn, err = net.Dial(network, address)
	return d.conn, err
}

// roundSubject is a slot as internal/protocol names it.
func roundSubject(family, kind, id string, i int) string {
	return fmt.Sprintf("%s.%s.%s.%d", family, id, kind, i)
}

func dealSubject(id string, i int) string { return fmt.Sprintf("entry.%s.0.deal.%d", id, i) }

func commitSubject(id string, i int) string { return roundSubject("sign", "commit", id, i) }
func shareSubject(id string, i int) string  { return roundSubject("sign", "share", id, i) }
