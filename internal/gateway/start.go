package gateway

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// start reads what is under way, and then takes sign jobs. The record of all keys
// is read meanwhile: a key that is asked for before its turn is looked up by
// itself. Key generations wait for the whole record, since what it knows of a job
// must be known before the job is begun again.
func (g *Gateway) start(ctx context.Context) error {
	g.run.OnStop(g.askers.close)
	if err := g.publishLineage(ctx); err != nil {
		return err
	}
	g.beat.Start()
	for _, stream := range []bus.Stream{bus.Control, bus.Work, bus.Sign, bus.Presence} {
		if err := g.run.Follow(ctx, stream, 1, bus.FollowOptions{}); err != nil {
			return err
		}
	}
	if err := g.run.FollowFirstRounds(ctx); err != nil {
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
		CaughtUp: func() {
			close(read)
			g.cfg.Directory.EntriesRead()
		},
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
