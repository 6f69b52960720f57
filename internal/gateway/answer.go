package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// headers are the gateway's signature over a result, and the job's trace.
func (g *Gateway) headers(client, job string, payload []byte, trace string) map[string][]string {
	sig := ed25519.Sign(g.cfg.Key, wire.ResultSigningInput(g.cfg.Manifest, client, job, payload))
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
	subject := wire.DeadSubject(job.Kind, job.Client, r.Code)
	letter := wire.DeadLetter{
		Job: r.Job, Client: job.Client, Kind: job.Kind, Code: r.Code, Error: r.Error, Payload: job.Payload,
	}
	if r.Code != wire.CodePoison && r.Code != wire.CodeInternal { // whose whole payload the operators need
		letter.Cut()
	}
	ctx, cancel := context.WithTimeout(g.run.Life(), letterTime)
	defer cancel()
	_, _ = g.store(ctx, subject, letter.Encode(), nil) // it has logged what went wrong
	args := []any{"client", job.Client, "job", r.Job, "code", string(r.Code), "reason", r.Error}
	g.log.Warn("job given up", tracing.Args(args, job.Trace)...)
}

// reject answers without taking the place of a result. As a result is, the answer is
// stored before the job is acknowledged: who published it has nothing else to go by.
func (g *Gateway) reject(e protocol.Reject) {
	if g.heard() != nil {
		g.giveBack(e.Token)
		return
	}
	d := g.held.get(e.Token)
	if d == nil {
		d = givenBack()
	}
	g.deadLetter(e.Job, e.Result)
	payload, id := e.Result.Encode(), wire.AnswerID(e.Job.Payload)
	headers := g.headers(e.Result.Client, id, payload, e.Job.Trace)
	if err := g.insist(d, "jobs wait: their rejections can't be stored", func(context.Context) error {
		return g.notify(e.Result.Client, id, payload, headers)
	}); err != nil {
		g.log.Warn("rejection not announced", "client", e.Result.Client, "job", id, "err", err)
		g.giveBack(e.Token)
		return
	}
	g.auditRejection(e.Result)
	g.done(e.Token, e.Result)
}

// noticeTime bounds one try to store a notice.
const noticeTime = 10 * time.Second

// notify leaves an answer in NOTICES, from where it goes where results go.
func (g *Gateway) notify(client, job string, payload []byte, headers map[string][]string) error {
	ctx, cancel := context.WithTimeout(g.run.Life(), noticeTime)
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
	ctx, cancel := context.WithTimeout(g.run.Life(), noticeTime)
	defer cancel()
	msg, ok, err := g.cfg.Bus.Last(ctx, bus.Results, wire.StoredResultSubject(client, job))
	if err != nil || !ok {
		return err
	}
	return g.notify(client, job, msg.Data, msg.Header)
}
