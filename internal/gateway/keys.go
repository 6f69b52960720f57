package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// maxSummaries is how many finished batches wait for their public keys to be
// computed while the record is read. More would only fill memory: the record is
// read faster than it is computed.
const maxSummaries = 16

// readKeys starts reading the record into the directory.
func (g *Gateway) readKeys() (*bus.Follower, error) {
	return g.cfg.Bus.Follow(g.ctx, bus.Keys, 1, bus.FollowOptions{
		Handler: func(m bus.Message) {
			g.awaitSummaries(g.ctx, maxSummaries)
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

// awaitSummaries waits until fewer than so many are under way, or ctx ends.
func (g *Gateway) awaitSummaries(ctx context.Context, most int) {
	for {
		g.mu.Lock()
		under := g.coordinator.Summaries()
		g.mu.Unlock()
		if under < most {
			return
		}
		sleep(ctx, time.Millisecond)
		if ctx.Err() != nil {
			return
		}
	}
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
		case <-ctx.Done():
			return
		}
		g.awaitSummaries(ctx, 1)
		if ctx.Err() != nil {
			return
		}
		g.step(protocol.DirectoryComplete{})
		consumer, err := g.consume(ctx, protocol.KindKeygen)
		if err != nil {
			select {
			case g.fatal <- err:
			default:
			}
			return
		}
		_, keys := g.Stats()
		g.log.Info("key directory complete", "gateway", g.cfg.Name, "keys", keys)
		<-ctx.Done()
		consumer.Stop()
	}()
	return func() { cancel(); <-ended }
}
