package worker

import (
	"context"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a trace shows of a node: its computations and what it says (deal,
// certify, commit, share, abort, refuse), each from when it is ready to be said
// until it is stored, and below that the calls to the key provider. A job that
// is not traced has no spans here.

// below opens a span of a job, if that is traced.
func (w *Worker) below(trace, name string, attrs ...tracing.Attribute) *tracing.Span {
	if trace == "" {
		return nil
	}
	return w.cfg.Tracer.Span(trace, name, time.Time{}, append(attrs, tracing.Node(w.cfg.Index))...)
}

// saying opens the span of a message.
func (w *Worker) saying(e protocol.Publish) *tracing.Span {
	return w.below(e.Trace, spanNames[e.Slot.Kind], tracing.ID(e.Slot.ID))
}

var spanNames = map[wire.SlotKind]string{
	wire.SlotDeal: "deal", wire.SlotCert: "certify", wire.SlotAbort: "abort",
	wire.SlotCommit: "commit", wire.SlotShare: "share", wire.SlotRefuse: "refuse",
}

// deviceCall tells of one call to the key provider, and of all that it serves: it
// stands below one of them and is linked to each.
func (w *Worker) deviceCall(served []context.Context) (end func(error)) {
	var traces []string
	parent := ""
	for _, ctx := range served {
		trace := tracing.FromContext(ctx)
		if trace == "" {
			continue // a session key, say
		}
		traces = append(traces, trace)
		if parent == "" || tracing.Sampled(trace) && !tracing.Sampled(parent) {
			parent = trace
		}
	}
	span := w.below(parent, "key provider sign", tracing.Digests(len(served)))
	for _, trace := range traces {
		span.Link(trace)
	}
	return span.End
}
