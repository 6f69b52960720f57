package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/pool"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// step feeds the machine and does what it asks for.
func (g *Gateway) step(ev protocol.Event) { g.perform(g.ask(ev)) }

// ask steps the machine. A panic is a fault of this program; it costs the job
// whose message it was, which is delivered again, and not the gateway.
func (g *Gateway) ask(ev protocol.Event) (effects []protocol.Effect) {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() {
		if recover() != nil {
			g.log.Error("the machine panicked; please report this", "at", pool.Trace())
			effects = nil
		}
	}()
	return g.coordinator.Step(ev)
}

func (g *Gateway) perform(effects []protocol.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case protocol.Compute:
			g.pool.Do(e.Urgent, func() {
				span := g.below(e.Trace, e.Name)
				ev := g.guard(e.Run)
				span.End(nil)
				if ev != nil {
					g.step(ev)
				}
			})
		case protocol.After:
			time.AfterFunc(e.Delay, func() { g.tasks.Go(func() { g.step(e.Timer) }) })
		case protocol.PublishTask:
			g.tasks.Go(func() { g.publishTask(e) })
		case protocol.Finish:
			g.tasks.Go(func() { g.finish(e) })
		case protocol.Reject:
			g.tasks.Go(func() { g.reject(e) })
		case protocol.Replay:
			g.tasks.Go(func() { g.replay(e) })
		case protocol.Supersede:
			g.supersede(e)
		case protocol.Refetch:
			g.tasks.Go(func() { g.refetch(e.ID) })
		case protocol.Round:
			g.round(e)
		case protocol.Report:
			g.report(e)
		default:
			panic(fmt.Sprintf("gateway: no way to perform %T", e))
		}
	}
}

// guard keeps a panic over one session's bytes from ending the gateway.
func (g *Gateway) guard(run func() protocol.Event) (ev protocol.Event) {
	defer func() {
		if recover() != nil {
			g.log.Error("a computation panicked; its session is lost. Please report this", "at", pool.Trace())
		}
	}()
	return run()
}

func (g *Gateway) publishTask(e protocol.PublishTask) {
	sealed := wire.SealGateway(g.cfg.Key, g.cfg.Name, g.cfg.Manifest, e.Subject, e.Body)
	ctx, cancel := context.WithTimeout(g.ctx, time.Minute)
	defer cancel()
	span := g.below(e.Trace, "task")
	_, err := g.cfg.Bus.PublishSlot(ctx, e.Subject, sealed, tracing.Header(span.Trace()), func(m bus.Message) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.coordinator.JudgeTask(logMessage(m), e.Body) != wire.Junk
	})
	span.End(err)
	if err != nil && g.ctx.Err() == nil {
		g.log.Warn("task not published", tracing.Args([]any{"subject", e.Subject, "err", err}, e.Trace)...)
	}
}

// finish stores the result, then the dead letter if there is one, and only
// then acknowledges the job. If the job has a result already, that one is
// announced again.
func (g *Gateway) finish(e protocol.Finish) {
	stored, subject, err := g.storeResult(e.Result, e.Job.Trace)
	if errors.Is(err, bus.ErrTooLarge) {
		// What can never be stored must not hold its job for ever.
		e.Result = tooLarge(e.Result)
		stored, subject, err = g.storeResult(e.Result, e.Job.Trace)
	}
	if err != nil {
		g.giveBack(e.Token)
		return
	}
	counted := e.Result
	if !stored {
		standing, mine := g.standing(subject)
		if standing == nil || !bytes.Equal(standing.Digest, e.Result.Digest) {
			// Another gateway had a job of this id and other content. This one comes
			// again, and is told so.
			g.giveBack(e.Token)
			return
		}
		e.Result, counted = standing, standing
		if !mine {
			counted = nil // by the gateway that stored it
		}
		g.announce(e.Result.Client, e.Result.Job)
	}
	if e.Result.Status == wire.StatusFailed {
		g.deadLetter(e.Job, e.Result)
	}
	g.done(e.Token, counted)
}

func (g *Gateway) storeResult(r *wire.Result, trace string) (stored bool, subject string, err error) {
	payload := r.Encode()
	subject = wire.StoredResultSubject(r.Client, r.Job)
	span := g.below(trace, "result")
	stored, err = g.store(g.ctx, subject, payload, g.headers(r, payload, trace))
	span.End(err)
	return stored, subject, err
}

// tooLarge is the answer to a job whose result the bus does not take.
func tooLarge(r *wire.Result) *wire.Result {
	return &wire.Result{
		Job: r.Job, Client: r.Client, Kind: r.Kind, Digest: r.Digest, Fleet: r.Fleet, Network: r.Network, Manifest: r.Manifest,
		Status: wire.StatusFailed, Code: wire.CodeTooLarge,
		Error: "the result is larger than a message may be: ask for less in one job",
	}
}

// standing is the stored result, nil if it can't be read, and whether this gateway
// stored it.
func (g *Gateway) standing(subject string) (result *wire.Result, mine bool) {
	ctx, cancel := context.WithTimeout(g.ctx, 10*time.Second)
	defer cancel()
	msg, ok, err := g.cfg.Bus.Last(ctx, bus.Results, subject)
	var stored wire.Result
	if err != nil || !ok || json.Unmarshal(msg.Data, &stored) != nil {
		return nil, false
	}
	by := msg.Header[wire.HeaderGateway]
	return &stored, len(by) == 1 && by[0] == g.cfg.Name
}

func (g *Gateway) giveBack(token uint64) {
	if d := g.release(token); d != nil {
		_ = d.Nak(backDelay)
		close(d.done)
	}
}

// headers are the gateway's signature over a result, and the job's trace.
func (g *Gateway) headers(r *wire.Result, payload []byte, trace string) map[string][]string {
	sig := ed25519.Sign(g.cfg.Key, wire.ResultSigningInput(r.Fleet, r.Client, r.Job, payload))
	headers := map[string][]string{
		wire.HeaderGateway:   {g.cfg.Name},
		wire.HeaderSignature: {hex.EncodeToString(sig)},
	}
	maps.Copy(headers, tracing.Header(trace))
	return headers
}

// store returns once the server has the message. It is false where a message
// was there already: the first one wins.
func (g *Gateway) store(ctx context.Context, subject string, data []byte, headers map[string][]string) (bool, error) {
	_, err := g.cfg.Bus.Publish(ctx, subject, data, headers)
	if errors.Is(err, bus.ErrExists) {
		return false, nil
	}
	if err != nil {
		g.log.Error("not stored", "subject", subject, "err", err)
	}
	return err == nil, err
}

// deadLetter keeps what was given up, and why.
func (g *Gateway) deadLetter(job wire.SignedJob, r *wire.Result) {
	id := r.Job
	if id == "" {
		id = "unnamed-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	subject := wire.DeadSubject(job.Kind, job.Client, id)
	letter := wire.DeadLetter{Job: r.Job, Client: job.Client, Kind: job.Kind, Code: r.Code, Error: r.Error, Payload: job.Payload}
	ctx, cancel := context.WithTimeout(g.ctx, letterTime)
	defer cancel()
	_, _ = g.store(ctx, subject, letter.Encode(), nil) // it has said what went wrong
	g.log.Warn("job given up", tracing.Args([]any{"client", job.Client, "job", id, "code", string(r.Code), "reason", r.Error}, job.Trace)...)
}

// done acknowledges a job whose answer is stored. An answer that somebody stored
// before is nil: that job ended then.
func (g *Gateway) done(token uint64, answer *wire.Result) {
	d := g.release(token)
	if d == nil {
		return
	}
	if answer != nil {
		items := max(len(answer.Keys), len(answer.Sigs))
		g.cfg.Observe.JobDone(protocol.JobEnd{
			Kind: answer.Kind, Code: answer.Code, Items: items, Interactive: items <= wire.InteractiveItems, Trace: d.span.Trace(), Took: time.Since(d.since),
		})
	}
	ended(d.span, answer)
	g.acknowledge(d)
	close(d.done)
}

// reject answers without taking the place of a result.
func (g *Gateway) reject(e protocol.Reject) {
	g.deadLetter(e.Job, e.Result)
	if e.Result.Job != "" {
		payload := e.Result.Encode()
		if err := g.notify(e.Result.Client, e.Result.Job, payload, g.headers(e.Result, payload, e.Job.Trace)); err != nil {
			g.log.Warn("rejection not announced", "client", e.Result.Client, "job", e.Result.Job, "err", err)
		}
	}
	g.done(e.Token, e.Result)
}

// noticeTime bounds the storing of a notice; the job ends with or without it.
const noticeTime = 10 * time.Second

// notify leaves an answer in NOTICES, from where it goes where results go.
func (g *Gateway) notify(client, job string, payload []byte, headers map[string][]string) error {
	ctx, cancel := context.WithTimeout(g.ctx, noticeTime)
	defer cancel()
	_, err := g.cfg.Bus.Publish(ctx, wire.NoticeSubject(client, job), payload, headers)
	return err
}

// replay announces a stored result once more, byte for byte.
func (g *Gateway) replay(e protocol.Replay) {
	g.announce(e.Client, e.Job)
	g.done(e.Token, nil)
}

func (g *Gateway) announce(client, job string) {
	if err := g.announceStored(client, job); err != nil {
		g.log.Warn("result not announced again", "client", client, "job", job, "err", err)
	}
}

func (g *Gateway) announceStored(client, job string) error {
	ctx, cancel := context.WithTimeout(g.ctx, noticeTime)
	defer cancel()
	msg, ok, err := g.cfg.Bus.Last(ctx, bus.Results, wire.StoredResultSubject(client, job))
	if err != nil || !ok {
		return err
	}
	return g.notify(client, job, msg.Data, msg.Header)
}

// supersede gives up the older of two deliveries of one job. JetStream has
// forgotten it, or the client published the job twice: then the older message
// is acknowledged, as the younger one keeps the job. Left alone, each would come
// again and again for as long as the other is held, and look like poison.
func (g *Gateway) supersede(e protocol.Supersede) {
	old := g.release(e.Old)
	if old == nil {
		return
	}
	close(old.done)
	g.mu.Lock()
	young := g.deliveries[e.New]
	g.mu.Unlock()
	if young != nil && young.Message().Seq != old.Message().Seq {
		g.tasks.Go(func() { g.acknowledge(old) })
	}
}

func (g *Gateway) acknowledge(d *delivery) {
	ctx, cancel := context.WithTimeout(g.ctx, 10*time.Second)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		g.log.Warn("job not acknowledged; it will come again", "err", err)
	}
}

// refetch reads a batch's messages once more, and tries until it has them:
// the machine asks once. One batch at a time: it can be large.
func (g *Gateway) refetch(id string) {
	g.refetching.Lock()
	defer g.refetching.Unlock()
	for pause := (backoff.Backoff{Min: minPause, Max: maxPause}); ; {
		messages, err := g.cfg.Bus.Slots(g.ctx, bus.Keys, wire.BatchFilter(id))
		for _, m := range messages {
			g.step(protocol.KeysMessage{LogMessage: logMessage(m)})
		}
		if err == nil || g.ctx.Err() != nil {
			return
		}
		g.log.Error("batch not read from the log", "batch", id, "err", err)
		if errors.Is(err, bus.ErrTooMany) || errors.Is(err, bus.ErrClosed) {
			return
		}
		_ = pause.Wait(g.ctx) // its end ends the loop
	}
}

func (g *Gateway) report(r protocol.Report) {
	g.cfg.Observe.Report(r)
	args := tracing.Args([]any{"id", r.ID}, r.Trace)
	if r.Job != "" && r.Job != r.ID {
		args = append(args, "job", r.Job)
	}
	if r.Reason != "" {
		args = append(args, "code", string(r.Code), "reason", r.Reason, "culprit", r.Culprit)
	}
	switch r.What {
	case protocol.ReportComplete:
		g.log.Info("batch complete", append(args, "suite", r.Suite.String(), "keys", r.Count)...)
	case protocol.ReportRetry, protocol.ReportAborted:
		g.log.Warn(string(r.What), args...)
	default:
		g.log.Debug(string(r.What), args...)
	}
}
