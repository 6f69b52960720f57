package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/background"
	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// handle holds a job from its delivery to its end.
func (g *Gateway) handle(d bus.Delivery) {
	msg := d.Message()
	ref, err := wire.ParseJob(msg.Subject)
	if err != nil {
		g.log.Warn("a stored message is no job", "subject", msg.Subject, "err", err)
		_ = d.Term("not a job subject")
		return
	}
	job := wire.ReadJob(ref.Kind, ref.Client, msg.Data, msg.Header)
	var checked *protocol.CheckedJob
	background.Of(len(msg.Data), func() {
		checked = protocol.CheckJob(g.cfg.Manifest, g.access.Load(), job, msg.Time)
	})
	g.handleJob(d, checked)
}

// handleJob holds a job from a delivery to its end.
func (g *Gateway) handleJob(d bus.Delivery, job *protocol.CheckedJob) {
	held := &delivery{Delivery: d, job: job, since: g.stored(d.Message()), done: make(chan struct{})}
	held.span = g.begin(d, &job.Signed, held.since)
	defer held.span.End(errNotEnded) // unless it has
	token := g.held.add(held)
	defer g.held.take(token)
	if g.heard() != nil { // looked at once it is held: take gives back all that are
		g.giveBack(token)
		return
	}
	g.run.Go(func() { g.arrive(token, held) }) // or it is stopping, which hold sees
	g.hold(held)
}

// arrive hands a job to the machine, once it is known whether it has a result. The
// delivery is kept in progress meanwhile: RESULTS being away is no fault of the job.
func (g *Gateway) arrive(token uint64, d *delivery) {
	if !g.pace.await(g.run.Stopping(), d) {
		return
	}
	ended := 0
	if g.held.attempt(d) > suspectAfter && !g.held.inWork(d) {
		var ok bool
		if ended, ok = g.suspect(d); !ok {
			return
		}
	}
	if !g.join(d) {
		return // stopping
	}
	existing, ok := g.result(token, d)
	if !ok {
		return // stopping
	}
	var event protocol.Event = protocol.JobArrived{
		Token: token, Job: d.job, Stored: d.Message().Time, Existing: existing,
	}
	if ended >= maxEnded {
		event = protocol.JobPoisoned{Token: token, Job: d.job, Existing: existing, Deliveries: d.Attempt()}
	}
	if !g.run.Step(event) {
		g.giveBack(token) // it comes again, and is poison in the end
		return
	}
	g.held.lived(d)
}

// stored is when a message was stored, by this machine's clock. Going back from
// now keeps the monotonic reading: a clock that is set later makes no job longer.
func (g *Gateway) stored(m bus.Message) time.Time {
	now := clock.Now()
	return now.Add(min(m.Time.Add(g.cfg.Offset()).Sub(now), 0))
}

// existing reads the stored result under the job's client and id, if a gateway of the
// access list signed one, again and again until it can. It is false if the gateway stops before, or if the job has ended.
func (g *Gateway) existing(d *delivery) (result *protocol.ExistingResult, ok bool) {
	if d.job.ID == "" {
		return nil, true
	}
	msg, found, ok := g.last(d, wire.StoredResultSubject(d.job.Signed.Client, d.job.ID))
	if !ok || !found || !g.believed(d.job.Signed.Client, d.job.ID, msg) {
		return nil, ok
	}
	return protocol.ReadExisting(msg.Data), true
}

// last reads a stored result, again and again until it can. It is false if the
// gateway stops before, or if the delivery ends.
func (g *Gateway) last(d *delivery, subject string) (msg bus.Message, found, ok bool) {
	err := g.insist(d, "jobs wait: their results can't be read", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		msg, found, err = g.cfg.Bus.Last(ctx, bus.Results, subject)
		return err
	})
	return msg, found, err == nil
}

// insist repeats for a delivery, which is kept in progress meanwhile, what fails with
// the bus and not with the job. The error is the last one before the delivery's end
// or the gateway's.
func (g *Gateway) insist(d *delivery, waiting string, f func(context.Context) error) error {
	err := f(g.run.Life())
	if err == nil || errors.Is(err, bus.ErrSubject) { // no repetition changes that
		return err
	}
	ctx, cancel := d.context(g.run.Stopping())
	defer cancel()
	for pause := (backoff.Backoff{Min: minPause, Max: maxPause}); err != nil; err = f(ctx) {
		if ctx.Err() == nil && g.waits.due() {
			g.log.Warn(waiting, "err", err)
		}
		if pause.Wait(ctx) != nil {
			return err
		}
	}
	return nil
}

// hold keeps the job from redelivery until it has ended or the gateway stops, and then
// returns false; it is given back, for another gateway to go on with.
func (g *Gateway) hold(d *delivery) (ended bool) {
	tick := time.NewTicker(progress)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return true
		case <-tick.C:
			next := progress
			if err := d.InProgress(); err != nil {
				g.log.Debug("job not kept in progress", "err", err)
				next /= 8 // or a word that can't be said once is one too few
			}
			tick.Reset(next)
		case <-g.run.Stopping():
			// Not at once: it would come to another handler of this gateway, and
			// each delivery brings a job nearer to being poison.
			_ = d.Nak(backDelay)
			return false
		}
	}
}

func (g *Gateway) giveBack(token uint64) {
	if d := g.held.take(token); d != nil {
		_ = d.Nak(backDelay)
		close(d.done)
	}
}

// supersede gives up the older of two deliveries of one job. JetStream has
// forgotten it, or the client published the job twice: then the older message
// is acknowledged, as the younger one keeps the job. Left alone, each would come
// again and again for as long as the other is held, and look like poison.
func (g *Gateway) supersede(e protocol.Supersede) {
	old := g.held.take(e.Old)
	if old == nil {
		return
	}
	close(old.done)
	if young := g.held.get(e.New); young != nil && young.place() != old.place() {
		g.run.Go(func() { g.acknowledge(old) })
	}
}

// A server of JOBS without replicas takes an acknowledged job out with a sync of the disk, and,
// where it is the only one, with a file that it makes and another that it removes. The next job
// of whoever signs one thing after the other comes just then, and would wait. So few jobs at a
// time, which count towards their clients' quotas meanwhile, are acknowledged later.
const (
	ackDelay    = 20 * time.Millisecond
	mostDelayed = 8
)

// acknowledgeSoon acknowledges a job whose answer is stored.
func (g *Gateway) acknowledgeSoon(d *delivery) {
	defer g.delayed.Add(-1)
	if g.delayed.Add(1) <= mostDelayed {
		delay := time.NewTimer(g.ackDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-g.run.Stopping():
		}
	}
	g.acknowledge(d)
}

func (g *Gateway) acknowledge(d *delivery) {
	g.held.forget(d)
	ctx, cancel := context.WithTimeout(g.run.Life(), 10*time.Second)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		g.log.Warn("job not acknowledged; it will come again", "err", err)
	}
}
