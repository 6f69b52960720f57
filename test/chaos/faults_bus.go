package chaos

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// stepDown has every stream and consumer elect another leader.
func stepDown(b *breaking) func() {
	for _, d := range b.admin.Declared() {
		b.leaderSteps("$JS.API.STREAM.LEADER.STEPDOWN." + d.Name)
		for _, c := range d.Durables {
			b.leaderSteps("$JS.API.CONSUMER.LEADER.STEPDOWN." + d.Name + "." + c)
		}
	}
	return nil
}

func (b *breaking) leaderSteps(subject string) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if err := b.admin.Ask(ctx, subject, nil, new(struct{})); err != nil {
		b.Event("%s: %v", subject, err) // a leader that has just gone needs no step
	}
}

// leader of a stream is a server of the stand.
func (s *Stand) leader(stream bus.Stream) string {
	s.t.Helper()
	var name string
	s.await("a leader of "+string(stream), func() error {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		var info jetstream.StreamInfo
		err := s.admin.Ask(ctx, "$JS.API.STREAM.INFO."+streamName(string(stream)), nil, &info)
		if err == nil && (info.Cluster == nil || info.Cluster.Leader == "") {
			err = jetstream.ErrStreamNotFound
		}
		if err == nil {
			name = info.Cluster.Leader
		}
		return err
	})
	return serverName(int(name[len(name)-1] - '1')) // nats-1 is the first
}

// deleteStream takes away a stream with all that is in it. Gateways make WORK and SIGN
// again; JOBS and RESULTS are reported, and the administrator makes them again.
func deleteStream(b *breaking) func() {
	b.delete(func(ctx context.Context) error {
		return b.admin.Conn().JS.DeleteStream(ctx, streamName(b.Target))
	}, jetstream.ErrStreamNotFound)
	if b.Target == "WORK" || b.Target == "SIGN" {
		return b.apply
	}
	made := b.lost(b.Target)
	return func() {
		b.apply()
		made()
		if b.Target == "RESULTS" {
			b.mu.Lock()
			b.lives++
			b.mu.Unlock()
		}
	}
}

// deleteConsumer takes away what gateways get jobs by. No job is lost with it.
func deleteConsumer(b *breaking) func() {
	b.delete(func(ctx context.Context) error {
		return b.admin.Conn().JS.DeleteConsumer(ctx, streamName("JOBS"), b.Target)
	}, jetstream.ErrConsumerNotFound)
	return b.apply
}

// delete tries until the target is gone.
func (b *breaking) delete(try func(context.Context) error, gone error) {
	b.await("deleting "+b.Target, func() error {
		ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
		defer cancel()
		if err := try(ctx); !errors.Is(err, gone) {
			return err
		}
		return nil
	})
	b.Event("%s is deleted", b.Target)
}

// apply is the administrator's frostctl bus apply.
func (b *breaking) apply() {
	b.await("bus apply", func() error {
		ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
		defer cancel()
		return b.admin.Apply(ctx)
	})
}
