// Package machine runs a state machine of internal/protocol: the Node of a
// worker or the Coordinator of a gateway.
//
//	log, clock, timers --event--> Step --effects--> computations, timers, reads;
//	         ^                                      publishes, stores, calls
//	         +--------------- events ---------------+
//
// A Runner owns its machine. Step calls it under one lock, so the machine takes
// one event at a time, and performs the effects of the step without the lock.
// Steps are short. Work that grows with a job's items belongs into a computation
// or onto a goroutine of its own, never into the machine's step.
//
// The Runner performs what both machines ask for: Compute on a pool as wide as
// there are cores, After by a timer, Refetch by reading the log, Report by a log
// line and a metric. It hands every other effect to its program, which is the
// worker or the gateway around it: Config.Perform. Perform holds up whoever
// brought the event, often the one goroutine that reads a stream. That is right
// for what must keep the order of the log; what waits for a device or a server
// runs on a goroutine of its own (Go).
//
// # Panics
//
// A panic in a step or in a computation is a fault of this program. It is logged
// without its value, which may be secret, and costs the session whose message it
// was: the session times out. The process goes on, because a signer gives out its
// nonces once, whatever became of the session around it.
//
// # Goroutines and their end
//
// New starts nothing. Every goroutine begins in Run or later, and none outlives
// Run. Run ends when its context ends, or by Fail, and both in this order:
//
//  1. Intake: no timer steps the machine any more, nothing is read again, and
//     what Start began is stopped, the last first (OnStop, Intake). Whoever holds
//     a job for a client hears Stopping and gives it back.
//  2. Computations: those under way return; those that wait are dropped.
//  3. Effects: publishes and stores under way (Go) have DrainTime to end by
//     themselves, and may still step the machine. That is the drain.
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
)

// Machine is a state machine. It need not be safe for concurrent use.
type Machine interface {
	Step(protocol.Event) []protocol.Effect
}

// Log is what a Runner reads: a *bus.Bus.
type Log interface {
	Follow(ctx context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) (*bus.Follower, error)
	FollowToEnd(ctx, life context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) (*bus.Follower, error)
	Slots(ctx context.Context, stream bus.Stream, filter string) ([]bus.Message, error)
}

// Config is what a Runner is made of.
type Config[M Machine] struct {
	Machine M
	Bus     Log
	Log     *slog.Logger
	Tracer  *tracing.Tracer       // nil: no spans
	Spans   []tracing.Attribute   // of every span
	Observe func(protocol.Report) // for metrics
	// Start reads the log up to its present end and then takes in what else there
	// is. Its context ends with Run's, or when the Runner fails.
	Start func(context.Context) error
	// Perform performs the effects that the Runner does not.
	Perform func(protocol.Effect)
	// Tick is called once a second, after the machine's own Tick. It may be nil.
	Tick func()
}

// Runner runs one machine. Its methods are safe for concurrent use.
type Runner[M Machine] struct {
	cfg  Config[M]
	log  *slog.Logger
	pool *pool.Pool

	mu      sync.Mutex // guards machine
	machine M
	stepped sync.Cond // signals the end of each step

	life       context.Context // ends when the drain is over
	cut        context.CancelFunc
	intake     context.Context // ends as soon as the end is asked for
	stopIntake context.CancelFunc
	onStop     []func() // owned by Run

	tasks     pool.Tasks // goroutines that perform effects
	rebuilds  chan struct{}
	refetches refetches
	started   atomic.Bool
	failed    context.Context // ends with the first failure as its cause
	fail      context.CancelCauseFunc
}

// New returns a Runner that does nothing until Run, except for what it is asked to.
func New[M Machine](cfg Config[M]) *Runner[M] {
	r := &Runner[M]{
		cfg: cfg, log: cfg.Log, machine: cfg.Machine, pool: pool.New(),
		rebuilds: make(chan struct{}, maxRebuilds()),
	}
	r.stepped.L = &r.mu
	r.life, r.cut = context.WithCancel(context.Background())
	r.intake, r.stopIntake = context.WithCancel(r.life)
	r.failed, r.fail = context.WithCancelCause(context.Background())
	return r
}

// Step feeds the machine and performs what it asks for.
func (r *Runner[M]) Step(ev protocol.Event) {
	for _, effect := range r.step(ev) {
		r.perform(effect)
	}
}

func (r *Runner[M]) step(ev protocol.Event) []protocol.Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.stepped.Broadcast()
	defer r.contain("the machine panicked; please report this")
	return r.machine.Step(ev)
}

// contain, deferred, ends a panic. What it logs of it holds no values.
func (r *Runner[M]) contain(message string) {
	if recover() != nil {
		r.log.Error(message, "at", pool.Trace())
	}
}

// With calls f with the machine locked, for a question that changes nothing. f
// must be as short as a step.
func (r *Runner[M]) With(f func(M)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.machine)
}

// Await waits until a question about the machine is answered with yes. It is
// asked after each step. False means that ctx ended before.
func (r *Runner[M]) Await(ctx context.Context, question func(M) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if question(r.machine) {
		return true
	}
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock() // or the broadcast could come just before the wait
		defer r.mu.Unlock()
		r.stepped.Broadcast()
	})()
	for !question(r.machine) {
		if ctx.Err() != nil {
			return false
		}
		r.stepped.Wait()
	}
	return true
}
