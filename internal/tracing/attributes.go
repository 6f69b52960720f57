package tracing

import "go.opentelemetry.io/otel/attribute"

// Attribute is one attribute of a span.
type Attribute = attribute.KeyValue

// The attributes of spans: ids and counts.
const (
	keyJob     = attribute.Key("frostfleet.job")
	keyClient  = attribute.Key("frostfleet.client")
	keyKind    = attribute.Key("frostfleet.kind")
	keyID      = attribute.Key("frostfleet.id")
	keyNode    = attribute.Key("frostfleet.node")
	keyCode    = attribute.Key("frostfleet.code")
	keyItems   = attribute.Key("frostfleet.items")
	keyDigests = attribute.Key("frostfleet.digests")
	keyAttempt = attribute.Key("frostfleet.delivery")
)

// Job is the id of a job.
func Job(id string) attribute.KeyValue { return keyJob.String(id) }

// Client is the name of a job's client.
func Client(name string) attribute.KeyValue { return keyClient.String(name) }

// Kind is that of a job: keygen or sign.
func Kind(kind string) attribute.KeyValue { return keyKind.String(kind) }

// ID is that of a batch or of a signing session.
func ID(id string) attribute.KeyValue { return keyID.String(id) }

// Node is a node's index.
func Node(index int) attribute.KeyValue { return keyNode.Int(index) }

// Code says why a job failed, as its result does.
func Code(code string) attribute.KeyValue { return keyCode.String(code) }

// Items counts keys or signatures.
func Items(n int) attribute.KeyValue { return keyItems.Int(n) }

// Digests counts what one signature of the device served.
func Digests(n int) attribute.KeyValue { return keyDigests.Int(n) }

// Delivery counts how often a job was delivered, 1 the first time.
func Delivery(n int) attribute.KeyValue { return keyAttempt.Int(n) }

// Args adds the trace's id to the arguments of a log line, if there is one.
func Args(args []any, traceparent string) []any {
	if id := TraceID(traceparent); id != "" {
		args = append(args, "trace_id", id)
	}
	return args
}
