package tracing

import "go.opentelemetry.io/otel/attribute"

// Attribute is one attribute of a span.
type Attribute = attribute.KeyValue

// The attributes of spans: ids and counts.
var (
	Job      = attribute.Key("frostfleet.job").String    // its id
	Client   = attribute.Key("frostfleet.client").String // the name of a job's client
	Kind     = attribute.Key("frostfleet.kind").String   // of a job: keygen or sign
	ID       = attribute.Key("frostfleet.id").String     // of a batch or of a signing session
	Node     = attribute.Key("frostfleet.node").Int      // a node's index
	Code     = attribute.Key("frostfleet.code").String   // why a job failed, as in its result
	Items    = attribute.Key("frostfleet.items").Int     // keys or signatures
	Digests  = attribute.Key("frostfleet.digests").Int   // what one signature of the device served
	Delivery = attribute.Key("frostfleet.delivery").Int  // how often a job was delivered, 1 the first time
)

// Args adds the trace's id to the arguments of a log line, if there is one.
func Args(args []any, traceparent string) []any {
	if id := TraceID(traceparent); id != "" {
		args = append(args, "trace_id", id)
	}
	return args
}
