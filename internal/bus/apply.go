package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Check compares every stream and its consumers with their declaration. The error
// is a *DriftError if all could be read; while streams elect leaders, it waits for
// that until ctx ends. Replicas are compared only if Options.Replicas says how many
// there should be.
func (b *Bus) Check(ctx context.Context) error { return b.check(ctx, true, false) }

// CheckServing is Check for gateways. Streams as the release before declared them will do:
// programs are replaced one after the other, and those of that release start with no others.
// What is new has to wait then.
func (b *Bus) CheckServing(ctx context.Context) error { return b.check(ctx, true, true) }

// CheckStreams is CheckServing without consumers, which workers may not read, and without the
// streams that are new: they are gateways', and workers may not ask for them.
func (b *Bus) CheckStreams(ctx context.Context) error { return b.check(ctx, false, true) }

func (b *Bus) check(ctx context.Context, consumers, earlier bool) error {
	var drifts []Drift
	streams := b.streams()
	for i := range streams {
		if earlier && streams[i].New && (!consumers || !b.isThere(ctx, &streams[i])) {
			continue
		}
		if err := b.onceFormed(ctx, func(ctx context.Context) error {
			more, err := b.checkStream(ctx, &streams[i], consumers, earlier)
			drifts = append(drifts, more...)
			return err
		}); err != nil {
			return err
		}
	}
	if len(drifts) > 0 {
		return &DriftError{Drifts: drifts}
	}
	return nil
}

// isThere reports whether there is a stream that the release before did not have. Nobody may have
// made it yet, nor told the servers who may ask for it: who does then has no answer. Others have
// answered by now.
func (b *Bus) isThere(ctx context.Context, d *declaration) bool {
	ctx, cancel := context.WithTimeout(ctx, newStreamTime)
	defer cancel()
	name := b.names.stream(d.Name)
	have, err := b.streamConfig(ctx, name)
	if have == nil {
		b.log.Warn("this stream is new, and not there yet: what needs it waits until the servers have this release's "+
			"permissions and the administrator has run frostctl bus apply", "stream", name, "err", err)
	}
	return have != nil
}

// newStreamTime is longer than a server takes to answer that has answered a moment ago.
const newStreamTime = 2 * time.Second

func (b *Bus) checkStream(ctx context.Context, d *declaration, consumers, earlier bool) ([]Drift, error) {
	have, err := b.streamConfig(ctx, b.names.stream(d.Name))
	if err != nil {
		return nil, err
	}
	want := b.wanted(d, have)
	if earlier && have != nil && d.AllowAtomic {
		want.AllowAtomicPublish = have.AllowAtomicPublish // the release before had none; all works without
	}
	if earlier && have != nil && d.wasDeclared(b.names, have.Subjects) {
		b.log.Warn("this stream is as the release before declared it; once all programs are replaced, the "+
			"administrator runs frostctl bus apply", "stream", want.Name)
		want.Subjects = have.Subjects
	}
	drifts := b.compare(&want, have)
	if have == nil || !consumers {
		return drifts, nil
	}
	more, err := b.checkConsumers(ctx, d, have.Replicas)
	if err != nil {
		return nil, err
	}
	return append(drifts, more...), nil
}

// Apply creates what is missing and corrects what drifted. It needs the
// administrator's permissions. While the servers of a cluster are still starting
// it waits for them until ctx ends.
func (b *Bus) Apply(ctx context.Context) error {
	streams := b.streams()
	for i := range streams {
		d := &streams[i]
		if err := b.onceFormed(ctx, func(ctx context.Context) error {
			if err := b.applyStream(ctx, d); err != nil {
				return err
			}
			return b.applyConsumers(ctx, d)
		}); err != nil {
			return err
		}
	}
	return nil
}

// Exists reports whether a stream is there.
func (b *Bus) Exists(ctx context.Context, stream Stream) (there bool, err error) {
	err = b.onceFormed(ctx, func(ctx context.Context) error {
		have, err := b.streamConfig(ctx, b.names.stream(stream))
		there = have != nil
		return err
	})
	return there, err
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
		c := d.Consumers[j].config(b.names, stream.CachedInfo().Config.Replicas)
		if err := b.applyConsumer(ctx, stream, c); err != nil {
			return fmt.Errorf("consumer %s of stream %s: %w", c.Durable, name, err)
		}
	}
	return nil
}

// movesAtMost is how often a consumer is deleted until it is as it is to be.
const movesAtMost = 8

// applyConsumer makes a durable or corrects it. Whether it is kept in memory can't be
// changed: it is deleted, and what was handed out and not acknowledged is handed out
// again. A gateway of another version may make it in between, as it was.
func (b *Bus) applyConsumer(ctx context.Context, stream jetstream.Stream, want jetstream.ConsumerConfig) error {
	for move := 1; ; move++ {
		_, err := stream.CreateOrUpdateConsumer(ctx, want)
		if !errors.Is(err, jetstream.ErrConsumerCreate) || move > movesAtMost {
			return err
		}
		have, failed := b.consumerConfig(ctx, stream.CachedInfo().Config.Name, want.Durable)
		if failed != nil || have != nil && have.MemoryStorage == want.MemoryStorage {
			return err // it is something else
		}
		failed = stream.DeleteConsumer(ctx, want.Durable)
		if failed != nil && !errors.Is(failed, jetstream.ErrConsumerNotFound) {
			return errors.Join(err, failed)
		}
		b.log.Info("consumer is made anew", "stream", stream.CachedInfo().Config.Name, "consumer", want.Durable,
			"in memory", want.MemoryStorage)
	}
}

// Restore creates the streams that are missing and kept in memory only: a server
// without replicas forgets them, configuration and all, when it restarts. A
// gateway may do that; everything else is the administrator's.
func (b *Bus) Restore(ctx context.Context) error {
	streams := b.streams()
	for i := range streams {
		d := &streams[i]
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

// wanted is the configuration that a stream is to have, which may be there.
func (b *Bus) wanted(d *declaration, have *jetstream.StreamConfig) jetstream.StreamConfig {
	replicas := b.opt.Replicas
	if replicas == 0 && have != nil {
		replicas = have.Replicas
	}
	want := d.config(b.names, replicas)
	if !b.nc.HasBatches() { // nor can the server say whether the stream takes any
		want.AllowAtomicPublish = have != nil && have.AllowAtomicPublish
	}
	return want
}

func (b *Bus) applyStream(ctx context.Context, d *declaration) error {
	have, err := b.streamConfig(ctx, b.names.stream(d.Name))
	if err != nil {
		return err
	}
	if have == nil {
		return b.create(ctx, d)
	}
	want := b.wanted(d, have)
	drifts := b.compare(&want, have)
	if len(drifts) == 0 {
		return nil
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
	config := b.wanted(d, nil)
	if err := b.createStream(ctx, config); err != nil {
		return err
	}
	b.log.Info("stream created", "stream", config.Name)
	return nil
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
