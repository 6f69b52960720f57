package gateway

import (
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a trace shows of a gateway: "job" from its storing to its result's, and
// below it the tasks, the rounds by the log's own times, the aggregation and the
// storing of the result.

// begin opens a job's span, beneath the one that its header names. A job without
// such a header gets a span whose id follows from its signature, so that a later
// delivery, to whichever gateway, is filed beneath the first one.
func (g *Gateway) begin(d bus.Delivery, job *wire.SignedJob, stored time.Time) *tracing.Span {
	if g.cfg.Tracer == nil {
		return nil
	}
	attrs := []tracing.Attribute{
		tracing.Job(wire.PeekJobID(job.Payload)), tracing.Client(job.Client),
		tracing.Kind(string(job.Kind)), tracing.Delivery(d.Attempt()),
	}
	open, parent := g.cfg.Tracer.Span, tracing.Parse(d.Message().Header)
	if parent == "" && len(job.Signature) > 0 {
		if parent = g.cfg.Tracer.Derive(job.Signature); d.Attempt() == 1 {
			open = g.cfg.Tracer.Root
		}
	}
	span := open(parent, "job", stored, attrs...)
	job.Trace = span.Trace()
	return span
}

// ended closes a job's span with its answer; nil is one that was stored before.
func ended(span *tracing.Span, answer *wire.Result) {
	if answer == nil {
		span.End(nil)
		return
	}
	span.Set(tracing.Items(answer.Amount()))
	if !answer.Status.Refused() {
		span.End(nil)
		return
	}
	span.Set(tracing.Code(string(answer.Code)))
	span.End(errors.New(answer.Error))
}

// round reports a round that has ended. The log's clock is the server's.
func (g *Gateway) round(e protocol.Round) {
	g.cfg.Observe.Round(e)
	if e.Trace == "" {
		return
	}
	offset := g.cfg.Offset()
	g.cfg.Tracer.Span(e.Trace, string(e.Round), e.From.Add(offset), tracing.ID(e.ID)).EndAt(e.To.Add(offset), nil)
}

// errNotEnded is how a job's span ends that this gateway gave back.
var errNotEnded = errors.New("given back, or taken over by a later delivery")
