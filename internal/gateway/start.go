package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// start reads what is under way, and then takes sign jobs. The record of all keys
// is read meanwhile: a key that is asked for before its turn is looked up by
// itself. Key generations wait for the whole record, since what it knows of a job
// must be known before the job is begun again.
func (g *Gateway) start(ctx context.Context) error {
	if err := errors.Join(g.publishManifest(ctx), g.listen()); err != nil {
		return err
	}
	g.beat.Start()
	for _, stream := range []bus.Stream{bus.Control, bus.Work, bus.Sign, bus.Presence} {
		if err := g.run.Follow(ctx, stream, 1, bus.FollowOptions{}); err != nil {
			return err
		}
	}
	if err := g.run.FollowRounds(ctx); err != nil {
		return err
	}
	keysRead := make(chan struct{})
	if err := g.readKeys(ctx, keysRead); err != nil {
		return err
	}
	var consumer *bus.Consumer
	if g.heard() == nil {
		var err error
		if consumer, err = g.consume(ctx, signatures); err != nil {
			return err
		}
	}
	g.run.Intake(func(ctx context.Context) { g.take(ctx, signatures, consumer) })
	g.run.Intake(func(ctx context.Context) { g.take(ctx, bulk, nil) })
	g.run.Intake(func(ctx context.Context) { g.take(ctx, approvals, nil) })
	g.run.Intake(g.sweep)
	g.run.Intake(func(ctx context.Context) { g.takeKeygen(ctx, keysRead) })
	return nil
}

// publishManifest keeps the core manifest in the register beside its keys.
func (g *Gateway) publishManifest(ctx context.Context) error {
	hash := g.cfg.Manifest.Hash()
	body, err := json.Marshal(g.cfg.Manifest)
	if err != nil {
		return err
	}
	_, err = g.cfg.Bus.PublishSlot(ctx, wire.ManifestSubject(hash), body, nil, func(m bus.Message) bool {
		stored, err := wire.ParseManifest(m.Data)
		return err == nil && stored.Hash() == hash
	})
	if err != nil {
		return fmt.Errorf("store the manifest in KEYS: %w", err)
	}
	return nil
}

// publishSuccession puts into KEYS what makes a manifest one of the fleet's. The machine wants
// it again until KEYS shows it.
func (g *Gateway) publishSuccession(e protocol.PublishSuccession) {
	_, err := g.cfg.Bus.PublishSlot(g.run.Life(), wire.SuccessionSubject(e.Next), e.Data, nil, func(m bus.Message) bool {
		next, err := wire.OpenSuccession(m.Data, g.cfg.Manifest)
		return bytes.Equal(m.Data, e.Data) || err == nil && next.Hash() == e.Next
	})
	if err != nil && g.run.Life().Err() == nil {
		g.log.Warn("succession not published", "manifest", wire.ShortID(e.Next), "err", err)
	}
}

// maxSummaries is how many finished batches wait for their public keys to be
// computed while the record is read. More would only fill memory: the record is
// read faster than it is computed.
const maxSummaries = 16

// readKeys starts reading the record into the directory, and closes read at its
// present end.
func (g *Gateway) readKeys(ctx context.Context, read chan<- struct{}) error {
	return g.run.Follow(ctx, bus.Keys, 1, bus.FollowOptions{
		Handler: func(m bus.Message) {
			g.run.Await(ctx, func(c *protocol.Coordinator) bool { return c.Summaries() < maxSummaries })
			g.run.Read(bus.Keys, m)
		},
		CaughtUp: func() { close(read) },
	})
}

// takeKeygen takes key generations once the directory is complete, until ctx ends.
func (g *Gateway) takeKeygen(ctx context.Context, keysRead <-chan struct{}) {
	select {
	case <-keysRead:
		g.run.Step(protocol.KeysRead{})
	case <-ctx.Done():
		return
	}
	g.run.Await(ctx, (*protocol.Coordinator).Complete)
	if ctx.Err() == nil {
		_, keys := g.Stats()
		g.log.Info("key directory complete", "keys", keys)
	}
	g.take(ctx, keygens, nil)
}
