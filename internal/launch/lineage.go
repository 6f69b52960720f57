package launch

import (
	"context"
	"encoding/hex"
	"log/slog"
	"sync"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A gateway in a fleet that changes: KEYS says by which manifests it goes, and what follows of
// that for the program around it.

// readLineage reads from KEYS which manifests the fleet had before the configured one, and which
// ones after it.
func readLineage(ctx context.Context, conn *bus.Bus, pinned *wire.Manifest, log *slog.Logger) (*wire.Lineage, error) {
	lineage, err := register.Lineage(ctx, conn, pinned)
	if err != nil {
		return nil, err
	}
	if chain := lineage.Chain(); len(chain) > 1 {
		for _, m := range chain {
			hash := m.Hash()
			log.Info("manifest", "hash", hex.EncodeToString(hash[:]), "epoch", m.Epoch, "n", m.N, "t", m.T)
		}
	}
	if want, more := lineage.Wanted(); more {
		log.Warn("KEYS does not have the manifest before: keys that were made under it are not known until it has "+
			"(a gateway that is configured with it stores it)", "manifest", hex.EncodeToString(want[:]))
	}
	if fork := forkOf(lineage); fork != nil {
		log.Error("no key moves until operators have settled it", "err", fork)
	}
	return lineage, nil
}

// forkOf is why the fleet stands still; nil if it does not.
func forkOf(l *wire.Lineage) error {
	if fork := l.Fork(); fork != nil {
		return fork
	}
	return nil
}

// grow makes the streams of nodes that a later manifest has, on a bus of the gateway's own.
func grow(ctx context.Context, conn *bus.Bus, l *wire.Lineage) error {
	most := conn.Nodes()
	for _, m := range l.Chain() {
		most = max(most, m.N)
	}
	if most == conn.Nodes() {
		return nil
	}
	if err := conn.Grow(most); err != nil {
		return err
	}
	return conn.Apply(ctx)
}

// followLineage keeps the program as its gateway's manifests are, until it stops.
func (p *program) followLineage(ctx context.Context, gw *gateway.Gateway, embedded bool) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		for grown := gw.Lineage(); ; {
			p.metrics.Resize(fleetSize(gw.Manifests()))
			if now := gw.Lineage(); embedded && now != grown {
				if err := grow(ctx, p.conn, now); err != nil {
					p.Log.Warn("no streams yet for the next manifest's nodes; trying again", "err", err)
				} else {
					grown = now
				}
			}
			if backoff.Sleep(ctx, watchEvery) != nil {
				return
			}
		}
	})
	p.ends = append(p.ends, func() { cancel(); following.Wait() })
}

// fleetSize is n and t of the manifests that the fleet needs now: the most that any has.
func fleetSize(manifests []protocol.ManifestNodes) (nodes, threshold int) {
	for _, of := range manifests {
		nodes, threshold = max(nodes, of.Manifest.N), max(threshold, of.Manifest.T)
	}
	return nodes, threshold
}
