package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// submitTime is for a job to be stored in JetStream.
const submitTime = 10 * time.Second

// noteAfter is how long a job runs that nobody has to see in a list. Most signatures take less.
const noteAfter = 100 * time.Millisecond

// outcome is how far a job has come when its request is answered. A job that ended is an
// answer, however it ended: only what the fleet never accepted is a problem.
type outcome[R any] struct {
	state   directory.State
	code    string
	text    string
	result  *R                 // done and partial
	refused []client.ItemError // partial
}

// status is the answer's.
func (o outcome[R]) status() int {
	if o.state.Ended() {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// perform has a job done, and waits for its end at most so long. What its caller does
// meanwhile, such as going away, changes nothing for the job.
func perform[R any](ctx context.Context, s *Server, cl *claimed, made *client.Made[R], wait time.Duration) (outcome[R], error) {
	if cl.again {
		r, err := client.Fetch(ctx, cl.client, made)
		if !errors.Is(err, client.ErrNoResult) {
			return settle(ctx, s, r, err)
		}
	}
	h, err := submit(ctx, s, cl, made)
	if err != nil {
		return outcome[R]{}, err
	}
	if wait <= 0 {
		s.listed(ctx, cl)
		return outcome[R]{state: directory.Accepted}, nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	late := time.AfterFunc(noteAfter, func() { s.listed(ctx, cl) })
	r, err := h.Wait(waiting)
	o, err := settle(ctx, s, r, err)
	if late.Stop() && !o.state.Ended() {
		s.listed(ctx, cl)
	}
	return o, err
}

// listed has a job without a key in the lists.
func (s *Server) listed(ctx context.Context, cl *claimed) {
	if !cl.keyed {
		s.noteClaim(ctx, cl.Request)
	}
}

// submit publishes a job. Where nobody knows whether it is stored, the same request with its
// key is safe, and without one may be a second job.
func submit[R any](ctx context.Context, s *Server, cl *claimed, made *client.Made[R]) (*client.Handle[R], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), submitTime)
	defer cancel()
	h, err := client.Submit(tracing.Remote(ctx), cl.client, made)
	if err != nil {
		return nil, s.unpublished(ctx, cl.Job, err)
	}
	return h, nil
}

// unpublished is why a job was not published, or may not have been.
func (s *Server) unpublished(ctx context.Context, job string, err error) error {
	switch {
	case errors.Is(err, client.ErrNoStream):
		return problem("busy", "the streams of jobs are away").after(time.Second)
	case errors.Is(err, client.ErrClosed):
		return problem("busy", "the gateway ends: repeat the request at another one").after(time.Second)
	case ctx.Err() != nil:
		return problem("busy", "it is not known whether job %s is stored: ask for it, or repeat the request with its "+
			"Idempotency-Key", job).after(time.Second)
	}
	return s.fail(ctx, err)
}

// settle says what an answer of package client means.
func settle[R any](ctx context.Context, s *Server, r *R, err error) (outcome[R], error) {
	var pending *client.PendingError
	var denied *client.DeniedError
	var failed *client.JobError
	var some *client.ItemsError
	switch {
	case err == nil:
		return outcome[R]{state: directory.Done, result: r}, nil
	case errors.As(err, &pending):
		return outcome[R]{state: directory.Pending, text: pending.Message}, nil
	case errors.As(err, &some):
		return outcome[R]{state: directory.Partial, result: r, refused: some.Items}, nil
	case errors.As(err, &denied):
		return outcome[R]{state: directory.Denied, code: string(denied.Code), text: denied.Message}, nil
	case errors.As(err, &failed) && failed.Gateway != "":
		return outcome[R]{state: directory.Failed, code: string(failed.Code), text: failed.Message}, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, client.ErrNoAnswer),
		errors.Is(err, client.ErrClosed):
		return outcome[R]{state: directory.Accepted}, nil // it is published
	}
	return outcome[R]{}, s.fail(ctx, err)
}
