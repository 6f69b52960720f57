package worker

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a trace shows of a node: its computations and its messages (deal, certify,
// commit, share, abort, refuse), each from when it is ready until it is stored, and
// below that the calls to the key provider. A job that is not traced has no spans
// here.

// publishSpan opens the span of a message.
func (m *member) publishSpan(e protocol.Publish) *tracing.Span {
	return m.run.ChildSpan(e.Trace, spanNames[e.Slot.Kind], tracing.ID(e.Slot.ID))
}

var spanNames = map[wire.SlotKind]string{
	wire.SlotDeal: "deal", wire.SlotCert: "certify", wire.SlotAbort: "abort",
	wire.SlotReshareDeal: "deal", wire.SlotReshareCert: "certify", wire.SlotReshareAbort: "abort",
	wire.SlotCommit: "commit", wire.SlotShare: "share", wire.SlotRefuse: "refuse",
}

// deviceCall opens the span of one call to the key provider. It is the child of one
// of the messages that it serves, and is linked to each.
func (m *member) deviceCall(served []context.Context) (end func(error)) {
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
	span := m.run.ChildSpan(parent, "key provider sign", tracing.Digests(len(served)))
	for _, trace := range traces {
		span.Link(trace)
	}
	return span.End
}
