package gateway

import (
	"context"
	"crypto/ed25519"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
)

// A gateway that the access list does not have with its key is heard by nobody: its
// tasks begin nothing, and clients ignore its answers. So it takes no jobs then, and
// gives back those that it holds, for others to answer.

// heard returns why nobody listens to this gateway, nil if they do.
func (g *Gateway) heard() error {
	return g.access.Load().CheckGateway(g.cfg.Name, g.cfg.Key.Public().(ed25519.PublicKey))
}

// awaitHeard waits until the gateway is heard, or is not. It is false if ctx ends
// before.
func (g *Gateway) awaitHeard(ctx context.Context, heard bool) bool {
	for {
		changed := *g.changed.Load() // before the list that it is about
		if (g.heard() == nil) == heard {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// take takes jobs for as long as the gateway is heard, until ctx ends. The consumer is
// one that was begun already, or nil.
func (g *Gateway) take(ctx context.Context, of intake, consumer *bus.Consumer) {
	for {
		if consumer == nil && g.awaitHeard(ctx, true) {
			consumer = g.consumeUntil(ctx, of)
		}
		if consumer == nil {
			return // ctx has ended
		}
		if g.awaitHeard(ctx, false) {
			g.log.Error("this gateway takes no jobs", "consumer", of.durable, "err", g.heard())
			for _, token := range g.held.tokens() {
				g.giveBack(token)
			}
		}
		consumer.Stop()
		consumer = nil
	}
}

func (g *Gateway) consume(ctx context.Context, of intake) (*bus.Consumer, error) {
	handle := g.handle
	if of.stream == bus.Approvals {
		handle = g.handleApproval
	}
	return g.cfg.Bus.Consume(ctx, of.stream, of.durable, of.most, handle)
}

// consumeUntil retries until it can; nil if ctx ends before.
func (g *Gateway) consumeUntil(ctx context.Context, of intake) *bus.Consumer {
	for pause := (backoff.Backoff{Min: minPause, Max: maxPause}); ctx.Err() == nil; {
		consumer, err := g.consume(ctx, of)
		if err == nil {
			return consumer
		}
		g.log.Warn("jobs not taken yet", "consumer", of.durable, "err", err)
		_ = pause.Wait(ctx) // its end ends the loop
	}
	return nil
}
