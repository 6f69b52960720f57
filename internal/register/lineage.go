package register

import (
	"context"
	"encoding/json"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Parts is what is read page by page: a *bus.Bus.
type Parts interface {
	Part(ctx context.Context, stream bus.Stream, from uint64, filter string) ([]bus.Message, bool, error)
}

// each hands what KEYS has under a filter to f, in its order, until f has enough. It holds no
// more than a page.
func each(ctx context.Context, p Parts, filter string, f func(data []byte) (more bool)) error {
	for from, more := uint64(1), true; more; {
		var page []bus.Message
		var err error
		if page, more, err = p.Part(ctx, bus.Keys, from, filter); err != nil {
			return err
		}
		for _, msg := range page {
			if !f(msg.Data) {
				return nil
			}
			from = msg.Seq + 1
		}
		more = more && len(page) > 0
	}
	return nil
}

// Lineage reads KEYS for what belongs to a manifest: those before it, which are named by their
// hashes, and those that enough nodes approved to follow. What proves nothing is passed over.
// The caller looks at its Fork.
func Lineage(ctx context.Context, p Parts, pinned *wire.Manifest) (*wire.Lineage, error) {
	l := wire.NewLineage(pinned)
	for {
		want, ok := l.Wanted()
		if !ok {
			break
		}
		before := l
		if err := each(ctx, p, wire.ManifestSubject(want), func(data []byte) bool {
			l = withParent(l, data)
			return l == before
		}); err != nil {
			return nil, err
		}
		if l == before {
			break // nobody stored it: keys of before can't be judged
		}
	}
	// A succession may stand before that of its manifest's parent.
	for before := (*wire.Lineage)(nil); before != l && l.Fork() == nil; {
		before = l
		if err := each(ctx, p, wire.Successions, func(data []byte) bool {
			l, _ = l.WithSuccession(data)
			return l.Fork() == nil
		}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// withParent adds the manifest before the oldest one, if it is that.
func withParent(l *wire.Lineage, data []byte) *wire.Lineage {
	m, err := wire.ParseManifest(data)
	if err != nil {
		return l
	}
	next, _ := l.WithParent(m)
	return next
}

// StoreLineage writes the manifests of a lineage to KEYS, and what makes them the fleet's, as
// far as KEYS lacks it.
func StoreLineage(ctx context.Context, b Publisher, l *wire.Lineage) error {
	for _, m := range l.Chain() {
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := storeManifest(ctx, b, m, data); err != nil {
			return err
		}
	}
	for _, proof := range l.Proofs() {
		if err := StoreSuccession(ctx, b, l, proof); err != nil {
			return err
		}
	}
	return nil
}

func storeManifest(ctx context.Context, b Publisher, m *wire.Manifest, data []byte) error {
	return write(ctx, b, wire.ManifestSubject(m.Hash()), data, nil, func(standing bus.Message) bool {
		stored, err := wire.ParseManifest(standing.Data)
		return err == nil && stored.Hash() == m.Hash()
	})
}

// StoreSuccession writes what makes a manifest the successor of one that is known. What stands
// there already and verifies is as good.
func StoreSuccession(ctx context.Context, b Publisher, known wire.ManifestSet, data []byte) error {
	m, next, err := openSuccession(known, data)
	if err != nil {
		return err
	}
	return write(ctx, b, wire.SuccessionSubject(next.Hash()), data, nil, func(standing bus.Message) bool {
		stored, err := wire.OpenSuccession(standing.Data, m)
		return err == nil && stored.Hash() == next.Hash()
	})
}

// openSuccession verifies a succession to a manifest that is known.
func openSuccession(known wire.ManifestSet, data []byte) (m, next *wire.Manifest, err error) {
	_, claimed, err := wire.DecodeSuccession(data)
	if err != nil {
		return nil, nil, err
	}
	parent, _ := claimed.ParentHash()
	if m = known.Manifest(parent); m == nil {
		return nil, nil, wire.ErrOtherFleet
	}
	next, err = wire.OpenSuccession(data, m)
	return m, next, err
}
