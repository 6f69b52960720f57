package worker

import (
	"context"
	"strings"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func readLineage(ctx context.Context, b *bus.Bus, l *wire.Lineage) (*wire.Lineage, error) {
	var all []bus.Message
	for _, filter := range []string{wire.Manifests, wire.Successions} {
		messages, err := b.Slots(ctx, bus.Keys, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, messages...)
	}
	for more := true; more && l.Fork() == nil; {
		more = false
		for _, m := range all {
			if next, err := growLineage(l, m.Subject, m.Data); err == nil && next != l {
				l, more = next, true
			}
		}
	}
	return l, nil
}

func growLineage(l *wire.Lineage, subject string, data []byte) (*wire.Lineage, error) {
	if strings.HasPrefix(subject, "succession.") {
		return l.WithSuccession(data)
	}
	m, err := wire.ParseManifest(data)
	if err != nil {
		return l, err
	}
	if want, ok := l.Wanted(); !ok || m.Hash() != want {
		return l, nil
	}
	return l.WithParent(m)
}
