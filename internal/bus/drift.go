package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Drift is one difference between nats/streams.json and the server.
type Drift struct {
	Stream     string // name on the server; of a consumer: stream and name
	Field      string // as in the JetStream API; "stream" or "consumer" when it is missing
	Want, Have string // JSON
}

const fieldReplicas = "num_replicas"

// DriftError lists every difference that Check found.
type DriftError struct{ Drifts []Drift }

func (e *DriftError) Error() string {
	var b strings.Builder
	b.WriteString("streams are not as declared; the administrator runs: frostctl bus apply")
	for _, d := range e.Drifts {
		fmt.Fprintf(&b, "\n  %s: %s: want %s, have %s", d.Stream, d.Field, d.Want, d.Have)
		if d.Field == fieldReplicas {
			fmt.Fprintf(&b, " (--replicas %s, or set replicas = %s under [bus] in this program's file)", d.Want, d.Have)
		}
	}
	return b.String()
}

// harmless are the fields that the declaration leaves to the operator or the
// server: neither loses a message nor tells where one goes. Everything else that
// nats.go knows of is compared; a test lists it, so that what is new there is
// decided on.
var harmless = []string{"description", "metadata"}

// compare looks at every field of the API's JSON form, so that an unforeseen
// setting counts as drift too.
func (b *Bus) compare(want, have *jetstream.StreamConfig) []Drift {
	if have == nil {
		return []Drift{{Stream: want.Name, Field: "stream", Want: "present", Have: "missing"}}
	}
	w, h := fields(want), fields(have)
	if b.opt.Replicas == 0 {
		delete(w, fieldReplicas)
		delete(h, fieldReplicas)
	}
	if raised(want, have) {
		delete(w, "max_bytes")
		delete(h, "max_bytes")
	}
	return differences(want.Name, w, h)
}

// raised says that the operator gave a stream more room than is declared, but still
// a bound: without one it could take the others' storage.
func raised(want, have *jetstream.StreamConfig) bool {
	return want.MaxBytes > 0 && have.MaxBytes > want.MaxBytes
}

// checkConsumers compares the durables of a stream. Others are none of the
// fleet's: whoever may make one is the administrator.
func (b *Bus) checkConsumers(ctx context.Context, d *declaration, replicas int) (drifts []Drift, err error) {
	stream := b.names.stream(d.Name)
	for i := range d.Consumers {
		want := d.Consumers[i].config(b.names, replicas)
		have, err := b.consumerConfig(ctx, stream, want.Durable)
		if err != nil {
			return nil, err
		}
		drifts = append(drifts, compareConsumer(stream, &want, have)...)
	}
	return drifts, nil
}

func compareConsumer(stream string, want, have *jetstream.ConsumerConfig) []Drift {
	name := stream + " " + want.Durable
	if have == nil {
		return []Drift{{Stream: name, Field: "consumer", Want: "present", Have: "missing"}}
	}
	return differences(name, fields(want), fields(have))
}

// consumerConfig is nil without error if the consumer does not exist.
func (b *Bus) consumerConfig(ctx context.Context, stream, durable string) (*jetstream.ConsumerConfig, error) {
	var info jetstream.ConsumerInfo
	err := b.Ask(ctx, "$JS.API.CONSUMER.INFO."+stream+"."+durable, nil, &info)
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeConsumerNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading consumer %s of stream %s: %w", durable, stream, err)
	}
	return &info.Config, nil
}

func differences(name string, want, have map[string]string) (drifts []Drift) {
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(harmless, field) && want[field] != have[field] {
			drifts = append(drifts, Drift{name, field, orNone(want[field]), orNone(have[field])})
		}
	}
	return drifts
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// fields maps each field of the JSON form of a configuration to its JSON.
func fields[C jetstream.StreamConfig | jetstream.ConsumerConfig](c *C) map[string]string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic("bus: configuration does not encode: " + err.Error()) // a struct of plain values
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		panic("bus: configuration does not decode: " + err.Error())
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}
