package machine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// DrainTime is how long publishes and stores under way may take once the end was
// asked for.
const DrainTime = 5 * time.Second

// Run works until ctx ends or the Runner fails, and then ends everything in the
// order that the package comment gives. It may be called once.
func (r *Runner[M]) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.failed, cancel)()
	poolCtx, stopPool := context.WithCancel(r.life)
	computed := make(chan struct{})
	go func() { r.pool.Run(poolCtx); close(computed) }()

	err := r.cfg.Start(ctx)
	if err == nil && r.failed.Err() == nil {
		r.started.Store(true)
		r.log.Info("ready")
		r.serve(ctx)
	}
	if r.failed.Err() != nil {
		err = context.Cause(r.failed)
	}

	cancel()
	r.stopIntake()
	for _, f := range r.stops.take() {
		f()
	}
	stopPool()
	<-computed
	r.drain()
	r.cut()
	r.tasks.Close()
	return err
}

// serve lets the clock run.
func (r *Runner[M]) serve(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Step(protocol.Tick{Now: clock.Now()})
			if r.cfg.Tick != nil {
				r.cfg.Tick()
			}
		}
	}
}

func (r *Runner[M]) drain() {
	timeout := time.NewTimer(DrainTime)
	defer timeout.Stop()
	select {
	case <-r.tasks.Idle():
	case <-timeout.C:
		r.log.Warn("stopped while publishes or stores were under way; they are resolved on restart")
	}
}

// Fail ends the Runner, also while it starts, with the first error that it is
// called with.
func (r *Runner[M]) Fail(err error) { r.fail(err) }

// Abandon is Fail without the drain: what is under way is of no more use to anybody.
func (r *Runner[M]) Abandon(err error) {
	r.fail(err)
	r.cut()
}

// Go performs an effect on a goroutine of its own, which Run waits for. It reports
// false, and begins nothing, after the end.
func (r *Runner[M]) Go(f func()) bool { return r.tasks.Go(f) }

// OnStop has f called when intake stops, in the reverse order of the calls. Only
// Start may call it.
func (r *Runner[M]) OnStop(f func()) {
	r.stops.mu.Lock()
	defer r.stops.mu.Unlock()
	if r.stops.over { // a stream that is followed since this program runs
		go f()
		return
	}
	r.stops.all = append(r.stops.all, f)
}

// stops are what ends intake.
type stops struct {
	mu   sync.Mutex
	all  []func()
	over bool
}

// take takes what is to be called, the last first.
func (s *stops) take() []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	slices.Reverse(s.all)
	return s.all
}

// Intake runs f on a goroutine that is a part of intake: when that stops its
// context ends, and the end waits for it, if it began before that.
func (r *Runner[M]) Intake(f func(context.Context)) {
	done := make(chan struct{})
	go func() { defer close(done); f(r.intake) }()
	r.OnStop(func() { <-done })
}

// Life is the context of what the program has under way. It ends when the drain
// is over, or by Abandon.
func (r *Runner[M]) Life() context.Context { return r.life }

// Stopping is closed as soon as intake stops.
func (r *Runner[M]) Stopping() <-chan struct{} { return r.intake.Done() }

// Started reports whether Start has succeeded.
func (r *Runner[M]) Started() bool { return r.started.Load() }

// Waiting counts the computations that wait for a core.
func (r *Runner[M]) Waiting() int { return r.pool.Waiting() }

// Ready returns what keeps the Runner from working, nil if nothing does.
func (r *Runner[M]) Ready() error {
	switch {
	case !r.Started():
		return errors.New("still reading the log")
	case r.intake.Err() != nil:
		return errors.New("stopping")
	}
	return nil
}
