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

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Drift is one difference between nats/streams.json and the server.
type Drift struct {
	Stream     string // name on the server
	Field      string // as in the JetStream API; "stream" when it is missing
	Want, Have string // JSON
}

// DriftError lists every difference that Check found.
type DriftError struct{ Drifts []Drift }

func (e *DriftError) Error() string {
	var b strings.Builder
	b.WriteString("streams are not as declared; the administrator runs: frostctl bus apply")
	for _, d := range e.Drifts {
		fmt.Fprintf(&b, "\n  %s: %s: want %s, have %s", d.Stream, d.Field, d.Want, d.Have)
	}
	return b.String()
}

// Check compares every stream with its declaration. The error is a
// *DriftError if all could be read. Replicas are compared only if
// Options.Replicas says how many there should be.
func (b *Bus) Check(ctx context.Context) error {
	var drifts []Drift
	for i := range b.declared {
		want := b.declared[i].config(b.names, b.opt.Replicas)
		have, err := b.streamConfig(ctx, want.Name)
		if err != nil {
			return err
		}
		drifts = append(drifts, b.compare(&want, have)...)
	}
	if len(drifts) > 0 {
		return &DriftError{Drifts: drifts}
	}
	return nil
}

// Apply creates what is missing and corrects what drifted. It needs the
// administrator's permissions.
func (b *Bus) Apply(ctx context.Context) error {
	for i := range b.declared {
		d := &b.declared[i]
		if err := b.applyStream(ctx, d); err != nil {
			return err
		}
		if err := b.applyConsumers(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// applyConsumers makes a stream's durables. A work queue takes no two that want
// the same message, so those of an earlier version go first; what they had not
// acknowledged stays in the stream.
func (b *Bus) applyConsumers(ctx context.Context, d *declaration) error {
	if len(d.Consumers) == 0 {
		return nil
	}
	name := b.names.stream(d.Name)
	stream, err := b.nc.JS.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", name, err)
	}
	existing := stream.ListConsumers(ctx)
	for c := range existing.Info() {
		if d.durable(c.Name) != nil || c.Config.Durable == "" {
			continue
		}
		if err := stream.DeleteConsumer(ctx, c.Name); err != nil {
			return fmt.Errorf("removing undeclared consumer %s of stream %s: %w", c.Name, name, err)
		}
		b.log.Info("undeclared consumer removed", "stream", name, "consumer", c.Name)
	}
	if err := existing.Err(); err != nil {
		return fmt.Errorf("reading consumers of stream %s: %w", name, err)
	}
	for j := range d.Consumers {
		c := d.Consumers[j].config(b.names, 0)
		if _, err := stream.CreateOrUpdateConsumer(ctx, c); err != nil {
			return fmt.Errorf("consumer %s of stream %s: %w", c.Durable, name, err)
		}
	}
	return nil
}

// Restore creates the streams that are missing and kept in memory only: a server
// without replicas forgets them, configuration and all, when it restarts. A
// gateway may do that; everything else is the administrator's.
func (b *Bus) Restore(ctx context.Context) error {
	for i := range b.declared {
		d := &b.declared[i]
		if d.Storage != jetstream.MemoryStorage {
			continue
		}
		have, err := b.streamConfig(ctx, b.names.stream(d.Name))
		if err == nil && have == nil {
			err = b.create(ctx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) applyStream(ctx context.Context, d *declaration) error {
	want := d.config(b.names, b.opt.Replicas)
	have, err := b.streamConfig(ctx, want.Name)
	if err != nil {
		return err
	}
	if have == nil {
		return b.create(ctx, d)
	}
	drifts := b.compare(&want, have)
	if len(drifts) == 0 {
		return nil
	}
	if b.opt.Replicas == 0 {
		want.Replicas = have.Replicas
	}
	if raised(&want, have) {
		want.MaxBytes = have.MaxBytes
	}
	if _, err := b.nc.JS.UpdateStream(ctx, want); err != nil {
		return fmt.Errorf("updating stream %s: %w (its storage, retention and persist mode can't be changed; %w)",
			want.Name, err, &DriftError{Drifts: drifts})
	}
	b.log.Info("stream updated", "stream", want.Name, "drifts", len(drifts))
	return nil
}

func (b *Bus) create(ctx context.Context, d *declaration) error {
	config := d.config(b.names, b.opt.Replicas)
	if _, err := b.nc.JS.CreateStream(ctx, config); err != nil {
		return fmt.Errorf("creating stream %s: %w", config.Name, explainCreate(err))
	}
	b.log.Info("stream created", "stream", config.Name)
	return nil
}

// explainCreate adds what to do where the server's words don't.
func explainCreate(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return err
	}
	if natsconn.NoStorage(api) {
		return fmt.Errorf("%w: raise max_memory_store and max_file_store in the jetstream section of the server "+
			"(or of the account)", err)
	}
	return err
}

// streamConfig is nil without error if the stream does not exist. A server that
// is just starting may never answer, so the wait is bounded.
func (b *Bus) streamConfig(ctx context.Context, name string) (*jetstream.StreamConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	s, err := b.nc.JS.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", name, err)
	}
	return &s.CachedInfo().Config, nil
}

// undeclared are the fields that the declaration leaves to the operator or
// the server.
var undeclared = []string{"description", "metadata", "placement", "consumer_limits"}

// compare looks at every field of the API's JSON form, so that an unforeseen
// setting counts as drift too.
func (b *Bus) compare(want, have *jetstream.StreamConfig) []Drift {
	if have == nil {
		return []Drift{{Stream: want.Name, Field: "stream", Want: "present", Have: "missing"}}
	}
	w, h := fields(want), fields(have)
	if b.opt.Replicas == 0 {
		delete(w, "num_replicas")
		delete(h, "num_replicas")
	}
	if raised(want, have) {
		delete(w, "max_bytes")
		delete(h, "max_bytes")
	}
	all := maps.Clone(w)
	maps.Copy(all, h)
	var drifts []Drift
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(undeclared, field) && w[field] != h[field] {
			drifts = append(drifts, Drift{want.Name, field, orNone(w[field]), orNone(h[field])})
		}
	}
	return drifts
}

// raised says that the operator gave a stream more room than is declared, but still
// a bound: without one it could take the others' storage.
func raised(want, have *jetstream.StreamConfig) bool {
	return want.MaxBytes > 0 && have.MaxBytes > want.MaxBytes
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// fields maps each field of the JSON form to its JSON.
func fields(c *jetstream.StreamConfig) map[string]string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic("bus: stream configuration does not encode: " + err.Error()) // a struct of plain values
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		panic("bus: stream configuration does not decode: " + err.Error())
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}
