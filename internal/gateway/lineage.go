package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a gateway does in a fleet that changes, but for moving keys, which is the machine's.

// Lineage is the manifests that this gateway goes by: KEYS adds to them while it runs.
func (g *Gateway) Lineage() *wire.Lineage { return g.run.Lineage() }

// Manifests are those whose nodes the fleet needs now, oldest first.
func (g *Gateway) Manifests() (all []protocol.ManifestNodes) {
	g.run.With(func(c *protocol.Coordinator) { all = c.Manifests() })
	return all
}

// Resharing tells how far keys have moved to another manifest.
func (g *Gateway) Resharing() (r protocol.Resharing) {
	g.run.With(func(c *protocol.Coordinator) { r = c.Resharing() })
	return r
}

// tellResharing logs what keeps keys from moving, and that it does not any more.
func (g *Gateway) tellResharing() {
	r := g.Resharing()
	why := r.Blocked
	if !r.Run || r.Left == 0 {
		why = ""
	}
	switch {
	case why == g.blocked:
	case why == "":
		g.log.Info("keys may move again, or need not", "left", r.Left)
	default:
		g.log.Warn("no key moves to the next manifest's nodes", "why", why, "left", r.Left)
	}
	g.blocked = why
}

// publishLineage keeps the manifests in the register beside the keys, and what makes them the
// fleet's.
func (g *Gateway) publishLineage(ctx context.Context) error {
	if err := register.StoreLineage(ctx, g.cfg.Bus, g.Lineage()); err != nil {
		return fmt.Errorf("store the manifest in KEYS: %w", err)
	}
	return nil
}

// publishSuccession puts into KEYS what makes a manifest one of the fleet's, unless it is there:
// which nodes' approvals prove it is all the same. The machine wants it again until KEYS shows it.
func (g *Gateway) publishSuccession(e protocol.PublishSuccession) {
	err := register.StoreSuccession(g.run.Life(), g.cfg.Bus, g.Lineage(), e.Data)
	if err != nil && g.run.Life().Err() == nil {
		g.log.Warn("succession not published", "manifest", wire.ShortID(e.Next), "err", err)
	}
}

// askers ask the nodes of each manifest. One begins to listen when it is wanted.
type askers struct {
	begin func(*wire.Manifest) (*register.Asker, error)

	mu   sync.Mutex
	all  map[[32]byte]*register.Asker
	over bool
}

var errStopping = errors.New("stopping")

func (a *askers) of(m *wire.Manifest) (*register.Asker, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil, errStopping
	}
	if there := a.all[m.Hash()]; there != nil {
		return there, nil
	}
	asker, err := a.begin(m)
	if err != nil {
		return nil, err
	}
	if a.all == nil {
		a.all = map[[32]byte]*register.Asker{}
	}
	a.all[m.Hash()] = asker
	return asker, nil
}

func (a *askers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for _, asker := range a.all {
		asker.Close()
	}
}

// newAsker opens the way for the answers of a manifest's nodes.
func (g *Gateway) newAsker(m *wire.Manifest) (*register.Asker, error) {
	asker, err := register.NewAsker(g.cfg.Bus, m, func() *wire.Access { return g.access.Load() })
	if err == nil {
		asker.SignAs(g.cfg.Name, g.cfg.Key)
	}
	return asker, err
}
