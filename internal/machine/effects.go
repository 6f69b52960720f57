package machine

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func (r *Runner[M]) perform(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Compute:
		r.Compute(e)
	case protocol.After:
		r.after(e)
	case protocol.Refetch:
		if r.fetches.add(e) {
			r.Go(r.refetchAll)
		}
	case protocol.Report:
		r.report(e)
	default:
		r.cfg.Perform(effect)
	}
}

// Compute runs a computation, and steps the machine with its event. Urgent ones
// overtake bulk ones. A Rebuild first waits until there is room for it.
func (r *Runner[M]) Compute(e protocol.Compute) {
	if e.Rebuild {
		r.rebuild(e)
		return
	}
	r.pool.Do(e.Urgent, e.Client, func() { r.compute(e) })
}

// Each divides a computation among the cores that have nothing to do: see pool.Pool.
func (r *Runner[M]) Each(n int, do func(i int)) { r.pool.Each(n, do) }

func (r *Runner[M]) compute(e protocol.Compute) {
	if !e.Until.IsZero() && clock.Now().After(e.Until) {
		r.answer(e, r.run(e.Late))
		return
	}
	span := r.ChildSpan(e.Trace, e.Name)
	ev := r.run(e.Run)
	span.End(nil)
	r.answer(e, ev)
}

// answer steps the machine with the event of a computation. Bulk ones run on threads
// that give way to all others of the machine: one that had the lock then, and no core,
// would hold up everything.
func (r *Runner[M]) answer(e protocol.Compute, ev protocol.Event) {
	switch {
	case ev == nil:
	case e.Urgent:
		r.Step(ev)
	default:
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Step(ev)
		}()
		<-done
	}
}

func (r *Runner[M]) run(computation func() protocol.Event) protocol.Event {
	defer r.contain("a computation panicked; its session is lost. Please report this")
	return computation()
}

// maxRebuilds is how many batches may be rebuilt at once: some for each core,
// so that cores compute while a batch is written. A log of a million keys is
// read faster than it is worked on, and each batch holds a few MB.
func maxRebuilds() int { return 2*runtime.GOMAXPROCS(0) + 2 }

// rebuild holds up the reading of the log, which asks for rebuilds, until there
// is room for the next one. The pool never calls it: the pool is what makes room.
func (r *Runner[M]) rebuild(e protocol.Compute) {
	select {
	case r.rebuilds <- struct{}{}:
	case <-r.Stopping(): // the next start reads the batch again
		return
	}
	r.pool.Go(e.Urgent, e.Client, func() {
		defer func() { <-r.rebuilds }()
		r.compute(e) // its event has the batch stored
	})
}

// after steps the machine later, unless the end was asked for by then.
func (r *Runner[M]) after(e protocol.After) {
	time.AfterFunc(e.Delay, func() {
		if r.intake.Err() == nil {
			r.Go(func() { r.Step(e.Timer) })
		}
	})
}

// The pause between attempts to read a batch.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// fetchQueue holds the batches that are to be read once more. Any node can have
// many of them wanted, so each costs its id here and not a goroutine.
type fetchQueue struct {
	mu     sync.Mutex
	wanted []protocol.Refetch // the first is being read
	queued map[protocol.Refetch]bool
}

// add reports whether nobody works on the queue yet. A batch that waits is not
// queued again.
func (q *fetchQueue) add(e protocol.Refetch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued[e] {
		return false
	}
	if q.queued == nil {
		q.queued = map[protocol.Refetch]bool{}
	}
	q.queued[e] = true
	q.wanted = append(q.wanted, e)
	return len(q.wanted) == 1
}

// first is the batch to be read. From here on it may be queued again.
func (q *fetchQueue) first() protocol.Refetch {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.queued, q.wanted[0])
	return q.wanted[0]
}

// done takes the first out, and reports whether there is another.
func (q *fetchQueue) done() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wanted = q.wanted[1:]
	return len(q.wanted) > 0
}

// refetchAll reads one batch at a time: it can be large.
func (r *Runner[M]) refetchAll() {
	for more := true; more && r.intake.Err() == nil; more = r.fetches.done() {
		r.refetch(r.fetches.first())
	}
}

// refetch reads a batch's messages once more.
func (r *Runner[M]) refetch(e protocol.Refetch) {
	if e.Control {
		for _, filter := range []string{wire.ControlFilter, wire.CarriedFilter} {
			r.refetchFrom(bus.Control, filter, controlMessage)
		}
		return
	}
	if e.Register {
		filter := wire.EntryFilter(e.ID)
		if e.Heads {
			filter = wire.EntryHeadFilter(e.ID)
		}
		r.refetchFrom(bus.Keys, filter, func(m wire.LogMessage) protocol.Event {
			return protocol.ReadKeysAgain(r.Lineage(), m)
		})
		return
	}
	if e.Manifest {
		r.refetchFrom(bus.Keys, wire.ManifestFilter(e.ID), func(msg wire.LogMessage) protocol.Event {
			if m, err := wire.ParseManifest(msg.Data); err == nil {
				return protocol.ManifestSeen{Manifest: m}
			}
			return nil
		})
		return
	}
	filter := wire.RoundsFilter(e.ID)
	if e.Reshare {
		filter = wire.ReshareFilter(e.ID)
	}
	for node := range r.nodes() {
		r.refetchFrom(bus.RoundsOf(node), filter, func(m wire.LogMessage) protocol.Event {
			return protocol.RoundsAgain{LogMessage: r.slotMessage(m)}
		})
	}
}

// refetchFrom retries until it has read what a stream holds under a filter: the
// machine asks once.
func (r *Runner[M]) refetchFrom(stream bus.Stream, filter string, event func(wire.LogMessage) protocol.Event) {
	next := uint64(1)
	for pause := (backoff.Backoff{Min: minPause, Max: maxPause}); ; {
		messages, more, err := r.cfg.Bus.Part(r.intake, stream, next, filter)
		for _, m := range messages {
			if e := event(LogMessage(m)); e != nil { // not junk
				r.Step(e)
			}
			next = m.Seq + 1
		}
		if err == nil && !more || r.intake.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		r.log.Error("batch not read from the log", "stream", stream, "filter", filter, "err", err)
		if errors.Is(err, bus.ErrClosed) {
			return
		}
		_ = pause.Wait(r.intake) // the next attempt fails at its end
	}
}

// levels of the reports that are not for debugging only.
var levels = map[protocol.ReportKind]slog.Level{
	protocol.ReportAborted: slog.LevelWarn, protocol.ReportRefused: slog.LevelWarn,
	protocol.ReportBadTask: slog.LevelWarn, protocol.ReportRetry: slog.LevelWarn,
	protocol.ReportAbsent: slog.LevelWarn, protocol.ReportTwin: slog.LevelError,
	protocol.ReportComplete: slog.LevelInfo, protocol.ReportRecovered: slog.LevelInfo,
	protocol.ReportBlamed: slog.LevelError, protocol.ReportUnserved: slog.LevelWarn,
	protocol.ReportBadEntry: slog.LevelWarn, protocol.ReportConflict: slog.LevelError,
	protocol.ReportFrozen: slog.LevelWarn, protocol.ReportUnfrozen: slog.LevelWarn,
	protocol.ReportBadControl: slog.LevelWarn,
	protocol.ReportReshared:   slog.LevelInfo, protocol.ReportReshareComplete: slog.LevelInfo,
	protocol.ReportReshareRefused: slog.LevelWarn, protocol.ReportReshareAbandoned: slog.LevelWarn,
	protocol.ReportFork: slog.LevelError,
}

func (r *Runner[M]) report(e protocol.Report) {
	r.cfg.Observe(e)
	level, ok := levels[e.What]
	if !ok {
		level = slog.LevelDebug
	}
	args := tracing.Args([]any{"id", e.ID}, e.Trace)
	if e.Job != "" && e.Job != e.ID {
		args = append(args, "job", e.Job)
	}
	if e.Count > 0 {
		args = append(args, "suite", e.Suite.String(), "count", e.Count)
	}
	if e.Reason != "" {
		args = append(args, "code", string(e.Code), "reason", e.Reason)
	}
	if e.Culprit >= 0 {
		args = append(args, "culprit", e.Culprit)
	}
	r.log.Log(context.Background(), level, string(e.What), args...)
}

// ChildSpan opens a span of a job; nil if the job is not traced.
func (r *Runner[M]) ChildSpan(trace, name string, attrs ...tracing.Attribute) *tracing.Span {
	if trace == "" {
		return nil
	}
	return r.cfg.Tracer.Span(trace, name, time.Time{}, append(attrs, r.cfg.Spans...)...)
}
