// Package machine runs a state machine of internal/protocol: the Node of a
// worker or the Coordinator of a gateway.
//
//	log, clock, timers --event--> Step --effects--> computations, timers, reads;
//	         ^                                      publishes, stores, calls
//	         +--------------- events ---------------+
//
// A Runner owns its machine. Step calls it under one lock, so the machine takes
// one event at a time, and performs the effects of the step without the lock.
// Steps are short. Work that grows with a job's items belongs in a computation or
// on a goroutine of its own, never in the machine's step.
//
// The Runner performs what both machines ask for: Compute on a pool of one worker
// per core, After with a timer, Refetch by reading the log, Report with a log line
// and a metric. It hands every other effect to its program, the worker or the
// gateway around it: Config.Perform. Perform runs on the goroutine that called
// Step, often the one that reads a stream, and holds it up. That is right for what
// must keep the order of the log; what waits for a device or a server runs on a
// goroutine of its own (Go).
//
// # Panics
//
// A panic in a step or in a computation is a fault of this program. It is logged
// without its value, which may be secret, and costs one session: the session whose
// message it was times out. The process goes on. That is safe because nonces are
// handed out once, whatever happens to the session around them.
//
// # Goroutines and their end
//
// New starts nothing. Every goroutine begins in Run or later, and none outlives
// Run. Run ends when its context ends, or by Fail, and both in this order:
//
//  1. Intake: timers no longer step the machine, nothing is read again, and what
//     Start began is stopped, the last first (OnStop, Intake). Stopping is closed,
//     so that handlers of jobs can give them back.
//  2. Computations: those under way return; those that wait are dropped.
//  3. Effects: publishes and stores under way (Go) have DrainTime to end by
//     themselves, and may still step the machine. That is the drain. There is none
//     after Abandon.
//  4. Stop: Life ends, which cuts off what is still under way, and Run waits
//     until the last goroutine has returned. From here on Go begins nothing.
//
// The stores behind the program are closed by the program, after Run.
package machine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/pool"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Machine is a state machine. It need not be safe for concurrent use.
type Machine interface {
	Step(protocol.Event) []protocol.Effect
}

// Log is what a Runner reads: a *bus.Bus.
type Log interface {
	Follow(ctx context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) (*bus.Follower, error)
	FollowToEnd(ctx, life context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) (*bus.Follower, error)
	Part(ctx context.Context, stream bus.Stream, from uint64, filter string) (messages []bus.Message, more bool, err error)
	Nodes() int // of the fleet
	Grow(nodes int) error
}

// Config is what a Runner is made of.
type Config[M Machine] struct {
	Machine M
	Lock    *sync.Mutex   // of the machine; nil: one of its own
	Lineage *wire.Lineage // that the program begins with; KEYS adds to it
	// Manifest is whose nodes are heard most; nil: the newest of the lineage. Messages of others' take the machine
	// longer.
	Manifest *wire.Manifest
	Bus      Log
	Log      *slog.Logger
	Tracer   *tracing.Tracer       // nil: no spans
	Spans    []tracing.Attribute   // of every span
	Observe  func(protocol.Report) // for metrics
	// Start reads the log up to its present end and begins intake. Its context ends
	// with Run's, or when the Runner fails.
	Start func(context.Context) error
	// Perform performs the effects that the Runner does not.
	Perform func(protocol.Effect)
	// Entry is called with each verified head of KEYS, in its order. It may be nil.
	Entry func(*wire.Entry, bus.Message)
	// Tick is called once a second, after the machine's own Tick. It may be nil.
	Tick func()
}

// Runner runs one machine. Its methods are safe for concurrent use.
type Runner[M Machine] struct {
	cfg  Config[M]
	log  *slog.Logger
	pool *pool.Pool

	mu      *sync.Mutex // guards machine
	machine M
	stepped sync.Cond // signals the end of each step

	life       context.Context // ends when the drain is over
	cut        context.CancelFunc
	intake     context.Context // ends as soon as the end is asked for
	stopIntake context.CancelFunc
	stops      stops

	tasks    pool.Tasks // goroutines that perform effects
	rebuilds chan struct{}
	fetches  fetchQueue
	keys     atomic.Pointer[bus.Follower] // of KEYS
	lineage  atomic.Pointer[wire.Lineage]
	reader   *wire.Reader
	rounds   rounds
	started  atomic.Bool
	failed   context.Context // ends with the first failure as its cause
	fail     context.CancelCauseFunc
}

// New returns a Runner that does nothing until Run.
func New[M Machine](cfg Config[M]) *Runner[M] {
	r := &Runner[M]{
		cfg: cfg, log: cfg.Log, machine: cfg.Machine, pool: pool.New(),
		rebuilds: make(chan struct{}, maxRebuilds()), mu: cfg.Lock, reader: wire.NewReader(),
	}
	if r.mu == nil {
		r.mu = new(sync.Mutex)
	}
	r.stepped.L = r.mu
	r.lineage.Store(cfg.Lineage)
	r.life, r.cut = context.WithCancel(context.Background())
	r.intake, r.stopIntake = context.WithCancel(r.life)
	r.failed, r.fail = context.WithCancelCause(context.Background())
	return r
}

// Step feeds the machine and performs what it asks for. It reports whether the
// machine took the event: one at which it panics is lost.
func (r *Runner[M]) Step(ev protocol.Event) bool {
	effects, ok := r.step(ev)
	for _, effect := range effects {
		r.perform(effect)
	}
	return ok
}

func (r *Runner[M]) step(ev protocol.Event) (effects []protocol.Effect, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.stepped.Broadcast()
	defer r.contain("the machine panicked; please report this")
	return r.machine.Step(ev), true
}

// contain, deferred, ends a panic. What it logs of it holds no values.
func (r *Runner[M]) contain(message string) {
	if recover() != nil {
		r.log.Error(message, "at", pool.Trace())
	}
}

// With calls f with the machine locked. f must be as short as a step and leaves
// the state of the machine alone.
func (r *Runner[M]) With(f func(M)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.machine)
}

// Await waits until cond holds, which it checks after each step. It returns false
// if ctx ends first.
func (r *Runner[M]) Await(ctx context.Context, cond func(M) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cond(r.machine) {
		return true
	}
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock() // or the broadcast could come just before the wait
		defer r.mu.Unlock()
		r.stepped.Broadcast()
	})()
	for !cond(r.machine) {
		if ctx.Err() != nil {
			return false
		}
		r.stepped.Wait()
	}
	return true
}
