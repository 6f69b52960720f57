package buswatch

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
)

// The streams, as these tests name them.
const (
	Jobs    = bus.Jobs
	Work    = bus.Work
	Keys    = bus.Keys
	Sign    = bus.Sign
	Notices = bus.Notices
)

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

const testBatch = "0123456789abcdef0123456789abcdef"

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

func connectTest(t testing.TB, url string, change ...func(*bus.Options)) *bus.Bus {
	t.Helper()
	opt := bus.Options{Fleet: "main", Nodes: 3, URL: url, Name: "test", AckTimeout: patience / 4}
	for _, c := range change {
		c(&opt)
	}
	b, err := bus.Connect(testContext(t), opt)
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
func newTestBus(t testing.TB) (*bus.Bus, *natsserver.Server) {
	t.Helper()
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, s.URL())
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return b, s
}

// deleteStreams removes streams as an administrator may.
func deleteStreams(t *testing.T, b *bus.Bus, streams ...bus.Stream) {
	t.Helper()
	for _, stream := range streams {
		if err := b.Conn().JS.DeleteStream(testContext(t), "FROST_MAIN_"+string(stream)); err != nil {
			t.Fatal(err)
		}
	}
}

// publish stores n messages in SIGN, from the from-th on.
func publish(t *testing.T, b *bus.Bus, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		subject := fmt.Sprintf("sign.%s.commit.%d", testBatch, i)
		if _, err := b.Publish(testContext(t), subject, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
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

// logSink keeps what is logged.
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
