package launch

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
)

// watchEvery is how often a program looks at its bus and its fleet's manifest.
const watchEvery = 5 * time.Second

// notYet is what a check says of a part that comes later in the start.
const notYet = "not checked yet: what stands before it is not through"

func identity(m *protocol.Manifest, role, name string) telemetry.Identity {
	return telemetry.Identity{Role: role, Name: name, Fleet: m.Fleet, Manifest: manifestHash(m), Version: version(), Nodes: m.N, Threshold: m.T}
}

func manifestHash(m *protocol.Manifest) string {
	hash := m.Hash()
	return hex.EncodeToString(hash[:])
}

// watch samples the bus for metrics and checks until ctx ends or it is stopped.
func (o Options) watch(ctx context.Context, conn *bus.Bus, m *protocol.Manifest, metrics *telemetry.Metrics, manifest *gate) (stop func()) {
	metrics.Bus(conn.Sample, conn.Healthy)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if !o.Unobserved {
		running.Go(func() { conn.Watch(ctx, watchEvery) })
	}
	running.Go(func() { watchManifest(ctx, conn, manifestHash(m), manifest) })
	return func() { cancel(); running.Wait() }
}

// watchManifest compares this program's manifest with those that gateways
// stored in KEYS. Once it is there it stays: KEYS forgets nothing.
func watchManifest(ctx context.Context, conn *bus.Bus, hash string, check *gate) {
	for {
		stored, err := storedManifests(ctx, conn)
		switch {
		case err != nil:
			check.wait("KEYS could not be asked: " + err.Error())
		case stored[hash]:
			check.open(func() error { return nil })
			return
		case len(stored) == 0: // no gateway has started yet
			check.open(func() error { return nil })
		default:
			check.wait(fmt.Sprintf("this program's manifest (%.8s) is none of the %d that gateways stored in KEYS: get manifest.json from the fleet's operators", hash, len(stored)))
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return
		}
	}
}

func storedManifests(ctx context.Context, conn *bus.Bus) (map[string]bool, error) {
	messages, err := conn.Slots(ctx, bus.Keys, bus.Manifests)
	if err != nil {
		return nil, err
	}
	hashes := map[string]bool{}
	for _, m := range messages {
		if stored, err := protocol.ParseManifest(m.Data); err == nil { // anything else is junk
			hashes[manifestHash(stored)] = true
		}
	}
	return hashes, nil
}

// unix is a time for a metric; 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
