package client

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/frostfleet/frostfleet/internal/background"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Handle is a job that was published.
type Handle[R any] struct {
	p     *pending
	span  trace.Span // ended by the first Wait
	check func(*prepared, *answer) (*R, error)
	short func(*R) error // what a checked result lacks; nil where it lacks nothing ever

	onPending func(string) // nil: that the job waits for approvals ends the waiting
}

// submitJob publishes a job, which check knows the right answers to.
func submitJob[R any](ctx context.Context, c *Client, j *prepared, patient bool,
	check func(*prepared, *answer) (*R, error)) (*Handle[R], error) {
	if over := j.job.Over(); !time.Now().Before(over) {
		return nil, &JobError{Job: j.job.ID, Code: CodeExpired, Message: "it is over since " + over.Format(time.RFC3339)}
	}
	ctx, span := c.begin(ctx, j)
	p, err := c.submit(ctx, j, patient)
	if err != nil {
		finish(span, err)
		return nil, err
	}
	return &Handle[R]{p: p, span: span, check: check}, nil
}

// submitMade publishes a job that was made.
func submitMade[R any](ctx context.Context, c *Client, made *Made[R], patient bool) (*Handle[R], error) {
	h, err := submitJob(ctx, c, made.j, patient, made.check)
	if err != nil {
		return nil, err
	}
	h.short, h.onPending = made.short, made.onPending
	aside(made.j.size(), made.ahead) // now there is time, while the fleet signs
	return h, nil
}

// Job is the job's id: what to look for in the fleet's logs and results.
func (h *Handle[R]) Job() string { return h.p.job.job.ID }

// aside does what a job of so many keys or signatures takes, a large one's so that what single signatures take does not
// wait for it.
func aside(size int, f func()) {
	if size <= wire.InteractiveItems {
		f()
		return
	}
	background.Do(f)
}

// Wait returns the job's checked result. It may be called again after ctx
// ended. Errors: *JobError, *PendingError, *ProofError, ErrDisagreement, ErrNoAnswer, ErrClosed,
// ctx.Err(); and
// *ItemsError, with which there is a result.
func (h *Handle[R]) Wait(ctx context.Context) (r *R, err error) {
	defer func() { finish(h.span, err) }()
	a, err := h.p.wait(trace.ContextWithSpan(ctx, h.span), h.onPending) // a job that is repeated is of the same trace
	if err != nil {
		return nil, err
	}
	aside(h.p.job.size(), func() { r, err = h.check(h.p.job, a) })
	if err != nil {
		return nil, unproven(h.Job(), a.gateway, err)
	}
	if h.short != nil {
		err = h.short(r)
	}
	return r, err
}
