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

// watchEvery is how often a program samples its bus.
const watchEvery = 5 * time.Second

// notYet is what a check reports of a part that starts later.
const notYet = "waiting for an earlier start-up step"

func identity(m *protocol.Manifest, role, name string) telemetry.Identity {
	return telemetry.Identity{
		Role: role, Name: name, Fleet: m.Fleet, Manifest: manifestHash(m), Version: version(), Nodes: m.N, Threshold: m.T,
	}
}

func manifestHash(m *protocol.Manifest) string {
	hash := m.Hash()
	return hex.EncodeToString(hash[:])
}

// watch samples the bus for metrics and checks until ctx ends or it is stopped.
func (o Options) watch(
	ctx context.Context, conn *bus.Bus, m *protocol.Manifest, metrics *telemetry.Metrics, manifest *gate,
) (stop func()) {
	metrics.Bus(conn.Sample, conn.Healthy)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if !o.Unobserved {
		running.Go(func() { conn.Watch(ctx, watchEvery) })
	}
	running.Go(func() { watchManifest(ctx, conn, manifestHash(m), manifest) })
	return func() { cancel(); running.Wait() }
}

// manifestEvery is how often the manifest that gateways stored is compared.
const manifestEvery = 30 * time.Second

// watchManifest compares this program's manifest with the last one that a gateway
// stored in KEYS, which forgets none.
func watchManifest(ctx context.Context, conn *bus.Bus, hash string, check *gate) {
	for {
		pause := watchEvery
		latest, err := latestManifest(ctx, conn)
		switch {
		case err != nil:
			check.wait("KEYS could not be read: " + err.Error())
		case latest == "" || latest == hash: // none: no gateway has started yet
			check.open(func() error { return nil })
			pause = manifestEvery
		default:
			check.wait(fmt.Sprintf("this program's manifest (%.8s) is not the one that gateways stored last in KEYS (%.8s): "+
				"get manifest.json from the fleet's operators", hash, latest))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// latestManifest is the hash of the last valid manifest in KEYS, "" if there is
// none.
func latestManifest(ctx context.Context, conn *bus.Bus) (hash string, err error) {
	messages, err := conn.Slots(ctx, bus.Keys, bus.Manifests)
	for _, m := range messages {
		if stored, err := protocol.ParseManifest(m.Data); err == nil { // anything else is junk
			hash = manifestHash(stored)
		}
	}
	return hash, err
}

// unix converts a time for a metric; 0 means none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
