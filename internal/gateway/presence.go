package gateway

import (
	"context"
	"math"
	"time"

	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// newBeat makes this gateway's heartbeats. Two processes of one name are no harm that
// one of them would have to end for: gateways hold nothing that both must not use.
func (g *Gateway) newBeat() *presence.Beat {
	opener := wire.NewOpener(g.cfg.Manifest, g.cfg.Access)
	return presence.New(presence.Config{
		Board: g.cfg.Bus, Manifest: g.cfg.Manifest, Build: g.cfg.Build, Log: g.log,
		Subject: wire.GatewayPresence(g.cfg.Name),
		Seal: func(_ context.Context, subject string, body []byte) ([]byte, error) {
			return wire.SealGateway(g.cfg.Key, g.cfg.Name, g.cfg.Manifest, subject, body), nil
		},
		Open: func(msg wire.LogMessage) (*wire.Heartbeat, error) {
			opener.SetAccess(g.access.Load())
			_, h, err := opener.Heartbeat(msg)
			return h, err
		},
		Load: func(h *wire.Heartbeat) {
			g.run.With(func(c *protocol.Coordinator) {
				waiting := c.Waiting()
				h.InFlight, h.Backlog = count(c.Jobs()-waiting), count(waiting)
				h.Holdings = c.Holdings()
			})
			h.Audit = wire.AuditHead(g.cfg.Audit.Head())
		},
	})
}

func count(n int) uint32 { return uint32(min(max(int64(n), 0), math.MaxUint32)) }

// leaveTime is how long the last heartbeat may take.
const leaveTime = 2 * time.Second

func (g *Gateway) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	g.beat.Stop(ctx)
}

// Heard are the names of the gateways that this one hears, in their order.
func (g *Gateway) Heard() (gateways []string) {
	g.run.With(func(c *protocol.Coordinator) { _, gateways = c.Presence() })
	return gateways
}
