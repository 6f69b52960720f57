package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// CollectFor is how long a gateway's clients collect single signatures, see client.Config.
const CollectFor = 2 * time.Millisecond

// crowded is how many single signatures are under way at once from which on further ones are
// collected: on an idle fleet nobody waits for others.
const crowded = 8

// signOne signs a single item that its caller waits for, and that has no idempotency key. In
// a crowd it shares a job with others of its client. ok is false where it has to have its own.
func (s *Server) signOne(ctx context.Context, in *SignInput, items []client.SignItem) (out *AnswerOutput, ok bool, err error) {
	if in.IdempotencyKey != "" || in.duration() <= 0 || len(items) != 1 {
		return nil, false, nil
	}
	p := s.principal(ctx)
	c, err := s.signer(p)
	if err != nil {
		return nil, true, err
	}
	defer s.singles.Add(-1)
	if s.singles.Add(1) <= crowded || !c.Collects() {
		out, err = s.signAlone(ctx, in, items)
		return out, true, err
	}
	waiting, cancel := context.WithTimeout(ctx, in.duration())
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	r, err := c.Sign(tracing.Remote(waiting), client.SignRequest{Items: items})
	job := ""
	var failed *client.JobError
	var open *client.UnfinishedError
	switch {
	case err == nil:
		job = r.Job
	case errors.As(err, &failed):
		job = failed.Job
	case errors.As(err, &open) && len(open.Open) > 0:
		job = open.Open[0]
		s.noteClaim(ctx, s.collected(p, job))
	case errors.As(err, &open):
		return nil, true, problem("busy", "the job was not published in this time").after(time.Second)
	}
	o, err := settle(ctx, s, r, err)
	if err != nil {
		return nil, true, err
	}
	return answer(job, o, showSignatures), true, nil
}

// collected is the claim of a job with which a caller was left.
func (s *Server) collected(p *Principal, job string) directory.Request {
	now := s.cfg.Now().UTC()
	return directory.Request{Client: p.Client, Job: job, Kind: wire.KindSign, By: p.Name, Expires: now.Add(jobLife), Time: now}
}
