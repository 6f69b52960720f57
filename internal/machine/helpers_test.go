package machine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func TestMain(m *testing.M) { machinetest.Main(m) }

// script is a machine that does what a test says, and remembers its events.
type script struct {
	seen  []protocol.Event // but for the clock's
	ticks int
	step  func(protocol.Event) []protocol.Effect // may be nil
}

func (s *script) Step(ev protocol.Event) []protocol.Effect {
	if tick, ok := ev.(protocol.Tick); ok && !tick.Now.IsZero() {
		s.ticks++
	} else {
		s.seen = append(s.seen, ev)
	}
	if s.step == nil {
		return nil
	}
	return s.step(ev)
}

// answer gives effects in answer to one event.
func answer(to protocol.Event, effects ...protocol.Effect) func(protocol.Event) []protocol.Effect {
	return func(ev protocol.Event) []protocol.Effect {
		if ev == to {
			return effects
		}
		return nil
	}
}

// fakeLog is a log that a test answers for.
type fakeLog struct {
	slots  func(ctx context.Context, filter string) ([]bus.Message, error)
	part   func(from uint64) (messages []bus.Message, more bool, err error)
	follow func(stream bus.Stream, opt bus.FollowOptions) error
	nodes  int
}

func (l fakeLog) Part(ctx context.Context, _ bus.Stream, from uint64, filter string) ([]bus.Message, bool, error) {
	if l.part != nil {
		return l.part(from)
	}
	messages, err := l.slots(ctx, filter)
	return messages, false, err
}

func (l fakeLog) Nodes() int { return max(l.nodes, 1) }

func (l fakeLog) Grow(int) error { return nil }

func (l fakeLog) Follow(_ context.Context, s bus.Stream, _ uint64, o bus.FollowOptions) (*bus.Follower, error) {
	return nil, l.follow(s, o)
}

func (l fakeLog) FollowToEnd(
	_, _ context.Context, s bus.Stream, _ uint64, o bus.FollowOptions,
) (*bus.Follower, error) {
	return nil, l.follow(s, o)
}

// bench is a runner of a script.
type bench struct {
	*Runner[*script]
	t      *testing.T
	log    machinetest.Lines
	config Config[*script]
	stop   context.CancelFunc
	ended  chan error
}

func newBench(t *testing.T, change ...func(*bench, *Config[*script])) *bench {
	b := &bench{t: t, ended: make(chan error, 1)}
	c := Config[*script]{
		Machine: &script{}, Log: slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Start: func(context.Context) error { return nil }, Observe: func(protocol.Report) {},
		Perform: func(e protocol.Effect) { t.Errorf("no way to perform %T", e) },
	}
	for _, f := range change {
		f(b, &c)
	}
	b.config = c
	b.Runner = New(c)
	return b
}

// run begins Run; finish ends it.
func (b *bench) run() {
	ctx, stop := context.WithCancel(b.t.Context())
	b.stop = stop
	go func() { b.ended <- b.Run(ctx) }()
	synctest.Wait()
}

func (b *bench) finish() {
	b.t.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.t.Errorf("Run ended with %v", err)
	}
}

func (b *bench) seen() []protocol.Event {
	var seen []protocol.Event
	b.With(func(s *script) { seen = slices.Clone(s.seen) })
	return seen
}

// notes are what happened, in its order.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) add(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, what)
}

var errTest = errors.New("no way")

// timer is an event that a test knows again.
func timer(id string) protocol.Timer { return protocol.Timer{ID: id} }

// pause lets the bubble's clock run.
func pause(d time.Duration) { time.Sleep(d); synctest.Wait() }
