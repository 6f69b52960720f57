package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// maxSummaries is how many finished batches wait for their public keys to be
// computed while the record is read. More would only fill memory: the record is
// read faster than it is computed.
const maxSummaries = 16

// readKeys starts reading the record into the directory.
func (g *Gateway) readKeys() (*bus.Follower, error) {
	return g.cfg.Bus.Follow(g.ctx, bus.Keys, 1, bus.FollowOptions{
		Handler: func(m bus.Message) {
			g.await(g.ctx, func(c *protocol.Coordinator) bool { return c.Summaries() < maxSummaries })
			g.step(protocol.KeysMessage{LogMessage: logMessage(m)})
		},
		CaughtUp: func() { close(g.keysRead) },
		Lost: func(err error) {
			select {
			case g.fatal <- fmt.Errorf("the KEYS stream was recreated or cut: restore it from a mirror before this gateway goes on: %w", err):
			default:
			}
		},
	})
}

// whenRead begins to take key generations once the directory is complete. What
// it returns ends that.
func (g *Gateway) whenRead(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-g.keysRead:
			g.step(protocol.KeysRead{})
		case <-ctx.Done():
			return
		}
		g.await(ctx, (*protocol.Coordinator).Complete)
		if consumer := g.mustConsume(ctx, wire.KindKeygen); consumer != nil {
			_, keys := g.Stats()
			g.log.Info("key directory complete", "gateway", g.cfg.Name, "keys", keys)
			<-ctx.Done()
			consumer.Stop()
		}
	}()
	return func() { cancel(); <-ended }
}

// mustConsume tries until it can, or ctx ends.
func (g *Gateway) mustConsume(ctx context.Context, kind wire.Kind) *bus.Consumer {
	for pause := (backoff.Backoff{Min: minPause, Max: maxPause}); ctx.Err() == nil; {
		consumer, err := g.consume(ctx, kind)
		if err == nil {
			return consumer
		}
		g.log.Warn("jobs not taken yet", "kind", kind, "err", err)
		_ = pause.Wait(ctx) // its end ends the loop
	}
	return nil
}

// await waits until the machine says so, or ctx ends.
func (g *Gateway) await(ctx context.Context, cond func(*protocol.Coordinator) bool) {
	for ctx.Err() == nil {
		g.mu.Lock()
		ok := cond(g.coordinator)
		g.mu.Unlock()
		if ok {
			return
		}
		_ = backoff.Sleep(ctx, time.Millisecond)
	}
}
