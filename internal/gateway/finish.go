package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/background"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// perform performs the effects of a gateway.
func (g *Gateway) perform(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.PublishTask:
		g.run.Go(func() { g.publishTask(e) })
	case protocol.AskNode:
		g.run.Go(func() { g.ask(e) })
	case protocol.RestoreEntry:
		g.run.Go(func() { g.restore(e) })
	case protocol.AskKeysEnd:
		g.run.Go(func() { g.readKeysEnd(e) })
	case protocol.WriteEntry:
		g.run.Go(func() { g.writeEntry(e) })
	case protocol.PublishSuccession:
		g.run.Go(func() { g.publishSuccession(e) })
	case protocol.Finish:
		end := g.endings.begin(e) // a copy may be next
		g.run.Go(func() {
			begin := time.Now()
			defer func() { // whatever came of it: others wait for the end
				end()
				if e.Flight != 0 {
					g.run.Step(protocol.Finished{Flight: e.Flight, Took: time.Since(begin)})
				}
			}()
			g.finish(e)
		})
	case protocol.Pend:
		g.run.Go(func() { g.pend(e) })
	case protocol.Reject:
		g.run.Go(func() { g.reject(e) })
	case protocol.Replay:
		g.run.Go(func() { g.replay(e) })
	case protocol.Supersede:
		g.supersede(e)
	case protocol.Round:
		g.round(e)
	default:
		panic(fmt.Sprintf("gateway: no way to perform %T", e))
	}
}

func (g *Gateway) publishTask(e protocol.PublishTask) {
	sealed := wire.SealGateway(g.cfg.Key, g.cfg.Name, g.cfg.Manifest, e.Subject, e.Body)
	ctx, cancel := context.WithTimeout(g.run.Life(), time.Minute)
	defer cancel()
	span := g.run.ChildSpan(e.Trace, "task")
	_, err := g.cfg.Bus.PublishSlot(ctx, e.Subject, sealed, tracing.Header(span.Trace()), func(m bus.Message) bool {
		return g.coordinator.JudgeTask(machine.LogMessage(m), e.Body) != wire.Junk
	})
	span.End(err)
	if err != nil && g.run.Life().Err() == nil {
		g.log.Warn("task not published", tracing.Args([]any{"subject", e.Subject, "err", err}, e.Trace)...)
	}
}

// finish stores the result, then the dead letter if there is one, and only
// then acknowledges the job. If the job has a result already, that one is
// announced again. What can't be stored or read now is tried again in place. Where
// something stands that no client believes, the result goes the way of notices.
func (g *Gateway) finish(e protocol.Finish) {
	if g.heard() != nil { // what it stored would be no answer, and in the place of one
		g.giveBack(e.Token)
		return
	}
	d := g.held.get(e.Token)
	if d == nil {
		d = givenBack() // its result counts all the same
	}
	g.cfg.Directory.Computed(e.Result.Keys)
	stored, subject, err := g.storeResult(d, e.Result, e.Job.Trace)
	if errors.Is(err, bus.ErrTooLarge) {
		// What can never be stored must not hold its job for ever.
		e.Result = tooLarge(e.Result)
		stored, subject, err = g.storeResult(d, e.Result, e.Job.Trace)
	}
	if err != nil {
		g.giveBack(e.Token)
		return
	}
	counted := e.Result
	if !stored {
		msg, found, ok := g.last(d, subject)
		switch {
		case !ok:
			g.giveBack(e.Token)
			return
		case found && !g.believed(e.Result.Client, e.Result.Job, msg):
			g.finishBeside(e)
			return
		}
		standing, mine := g.standing(msg, found)
		if standing == nil || !bytes.Equal(standing.Digest, e.Result.Digest) {
			// Another gateway had a job of this id and other content. This one is
			// looked at again, and is told so.
			if d.job != nil {
				g.arrive(e.Token, d)
			}
			return
		}
		e.Result, counted = standing, standing
		if !mine {
			counted = nil // by the gateway that stored it
		}
		g.announce(e.Result.Client, e.Result.Job)
	}
	if e.Result.Status.Refused() {
		g.deadLetter(e.Job, e.Result)
	}
	g.auditJob(counted, e.Nodes)
	g.done(e.Token, counted)
}

const resultItemSize = 300 // bytes, about

func (g *Gateway) storeResult(d *delivery, r *wire.Result, trace string) (stored bool, subject string, err error) {
	subject = wire.StoredResultSubject(r.Client, r.Job)
	span := g.run.ChildSpan(trace, "result")
	var payload []byte
	var headers map[string][]string
	background.Of(resultItemSize*r.Amount(), func() {
		payload = r.Encode()
		headers = g.headers(r.Client, r.Job, payload, trace)
	})
	tooLarge := false
	err = g.insist(d, "jobs wait: their results can't be stored", func(context.Context) (err error) {
		// Publish repeats by itself what may pass, until the end of the drain.
		stored, err = g.store(g.run.Life(), subject, payload, headers)
		if tooLarge = errors.Is(err, bus.ErrTooLarge); tooLarge {
			return nil
		}
		return err
	})
	if tooLarge {
		err = bus.ErrTooLarge
	}
	span.End(err)
	return stored, subject, err
}

// tooLarge is the answer to a job whose result the bus does not take.
func tooLarge(r *wire.Result) *wire.Result {
	return &wire.Result{
		Job: r.Job, Client: r.Client, Kind: r.Kind, Digest: r.Digest,
		Fleet: r.Fleet, Network: r.Network, Manifest: r.Manifest,
		Status: wire.StatusFailed, Code: wire.CodeTooLarge,
		Error: "the result is larger than a message may be: ask for less in one job",
	}
}

// done acknowledges a job whose answer is stored. An answer that somebody stored
// before is nil: that job ended then.
func (g *Gateway) done(token uint64, answer *wire.Result) {
	d := g.held.take(token)
	if d == nil {
		return
	}
	if answer != nil {
		items := answer.Amount()
		g.cfg.Observe.JobDone(protocol.JobEnd{
			Kind: answer.Kind, Code: answer.Code, Reason: answer.Error, Items: items, Interactive: items <= wire.InteractiveItems,
			Trace: d.span.Trace(), Took: time.Since(d.since),
		})
	}
	ended(d.span, answer)
	if d.job.Waits() { // before it is acknowledged: else nobody would come back to it
		g.unpend(d.job)
	}
	close(d.done)
	if !g.run.Go(func() { g.acknowledgeSoon(d) }) {
		g.acknowledge(d)
	}
}
