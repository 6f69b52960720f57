package client

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Handle is a job that was published.
type Handle[R any] struct {
	p     *pending
	span  trace.Span // ended by the first Wait
	check func(*answer) (*R, error)
}

// Job is the job's id: what to look for in the fleet's logs and results.
func (h *Handle[R]) Job() string { return h.p.job.job.ID }

// Wait returns the job's checked result. It may be called again after ctx
// ended. Errors: *JobError, *ProofError, ErrNoAnswer, ErrClosed, ctx.Err().
func (h *Handle[R]) Wait(ctx context.Context) (r *R, err error) {
	defer func() { finish(h.span, err) }()
	a, err := h.p.wait(ctx)
	if err != nil {
		return nil, err
	}
	if r, err = h.check(a); err != nil {
		return nil, &ProofError{Job: h.Job(), Gateway: a.gateway, Err: err}
	}
	return r, nil
}
