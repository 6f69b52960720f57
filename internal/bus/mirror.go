package bus

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Mirror creates KEYS as a mirror of the fleet's KEYS in another JetStream domain. Apply
// makes it the register: it takes the mirror's source away.
func (b *Bus) Mirror(ctx context.Context, domain string) error {
	streams := b.streams()
	keys := slices.IndexFunc(streams, func(d declaration) bool { return d.Name == Keys })
	want := streams[keys].config(b.names, b.opt.Replicas)
	want.Mirror = &jetstream.StreamSource{Name: want.Name, Domain: domain}
	want.Subjects, want.RePublish, want.Duplicates = nil, nil, 0 // are the original's
	return b.onceFormed(ctx, func(ctx context.Context) error {
		have, err := b.streamConfig(ctx, want.Name)
		switch {
		case err != nil:
			return err
		case have == nil:
			return b.createStream(ctx, want)
		case have.Mirror == nil:
			return errors.New("KEYS is there, and is no mirror: is this the fleet's own NATS?")
		}
		return nil
	})
}
