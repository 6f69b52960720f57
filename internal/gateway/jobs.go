package gateway

import (
	"context"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// maxDeliveries is how often a job is tried. One that ends every gateway that
// touches it must not go round for ever.
const maxDeliveries = 5

// handle holds a job from its delivery to its end.
func (g *Gateway) handle(d bus.Delivery) {
	msg := d.Message()
	ref, err := wire.ParseJob(msg.Subject)
	if err != nil {
		g.log.Warn("message in JOBS is no job", "subject", msg.Subject, "err", err)
		_ = d.Term("not a job subject")
		return
	}
	job := wire.ReadJob(ref.Kind, ref.Client, msg.Data, msg.Header)
	held := &delivery{Delivery: d, since: g.stored(msg), done: make(chan struct{})}
	held.span = g.begin(d, &job, held.since)
	defer held.span.End(errNotEnded) // unless it has
	checked := protocol.CheckJob(g.cfg.Manifest, g.access.Load(), job, msg.Time)
	existing, err := g.existing(checked)
	if err != nil {
		g.log.Warn("job put back: the results could not be read", "err", err)
		_ = d.Nak(time.Second)
		return
	}
	token := g.held.add(held)
	defer g.held.take(token)
	var event protocol.Event = protocol.JobArrived{Token: token, Job: checked, Stored: msg.Time, Existing: existing}
	if d.Attempt() > maxDeliveries {
		event = protocol.JobPoisoned{Token: token, Job: checked, Existing: existing, Deliveries: d.Attempt()}
	}
	if !g.run.Step(event) {
		g.giveBack(token) // it comes again, and is poison in the end
	}
	g.hold(held)
}

// stored is when a message was stored, by this machine's clock. Going back from
// now keeps the monotonic reading: a clock that is set later makes no job longer.
func (g *Gateway) stored(m bus.Message) time.Time {
	now := time.Now()
	return now.Add(min(m.Time.Add(g.cfg.Offset()).Sub(now), 0))
}

// existing reads the stored result under the job's client and id.
func (g *Gateway) existing(job *protocol.CheckedJob) (*protocol.ExistingResult, error) {
	if job.ID == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(g.run.Life(), 5*time.Second)
	defer cancel()
	msg, ok, err := g.cfg.Bus.Last(ctx, bus.Results, wire.StoredResultSubject(job.Signed.Client, job.ID))
	if err != nil || !ok {
		return nil, err
	}
	return protocol.ReadExisting(msg.Data), nil
}

// hold keeps the job from redelivery until it has ended or the gateway stops;
// then it is given back, for another gateway to go on with.
func (g *Gateway) hold(d *delivery) {
	tick := time.NewTicker(progress)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
			if err := d.InProgress(); err != nil {
				g.log.Debug("job not kept in progress", "err", err)
			}
		case <-g.run.Stopping():
			// Not at once: it would come to another handler of this gateway, and
			// each delivery brings a job nearer to being poison.
			_ = d.Nak(backDelay)
			return
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
	if young := g.held.get(e.New); young != nil && young.Message().Seq != old.Message().Seq {
		g.run.Go(func() { g.acknowledge(old) })
	}
}

func (g *Gateway) acknowledge(d *delivery) {
	ctx, cancel := context.WithTimeout(g.run.Life(), 10*time.Second)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		g.log.Warn("job not acknowledged; it will come again", "err", err)
	}
}
