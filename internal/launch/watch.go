package launch

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// watchEvery is how often a program samples its bus.
const watchEvery = 5 * time.Second

// notYet is the state of a check whose part of the program starts later.
const notYet = "waiting for an earlier start-up step"

func manifestHash(m *wire.Manifest) string {
	hash := m.Hash()
	return hex.EncodeToString(hash[:])
}

// watch samples the bus for metrics and checks until ctx ends or the program stops.
func (p *program) watch(ctx context.Context) {
	p.metrics.Bus(p.watcher.Sample, p.conn.Healthy)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if p.Observe == Observer(p.metrics) {
		running.Go(func() { p.watcher.Run(ctx, watchEvery) })
	}
	running.Go(func() { watchManifest(ctx, p.conn, p.manifest, p.agrees) })
	p.ends = append(p.ends, func() { cancel(); running.Wait() })
}

// streamsCheck returns what keeps a program from reading or writing the log.
func streamsCheck(conn *bus.Bus, watcher *buswatch.Watcher) func() error {
	return func() error {
		if err := watcher.Streams(); err != nil {
			return err
		}
		return conn.Publishing()
	}
}

// manifestEvery is how often the manifest that gateways stored is compared.
const manifestEvery = 30 * time.Second

// watchManifest compares this program's manifest with the last one in KEYS, which forgets
// none. One of the same founding manifest is of the same fleet, and a program learns from
// KEYS which of those follow its own.
func watchManifest(ctx context.Context, conn *bus.Bus, mine *wire.Manifest, check *gate) {
	for {
		pause := watchEvery
		latest, err := latestManifest(ctx, conn)
		switch {
		case err != nil:
			check.wait("KEYS could not be read: " + err.Error())
		case latest == nil || latest.FleetID() == mine.FleetID(): // none: no gateway has started yet
			check.open(func() error { return nil })
			pause = manifestEvery
		default:
			check.wait(fmt.Sprintf("this program's manifest (%.8s) is not the one that gateways stored last in KEYS "+
				"(%.8s): get manifest.json from the fleet's operators", manifestHash(mine), manifestHash(latest)))
		}
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// latestManifest is the last valid manifest in KEYS, nil if there is none.
func latestManifest(ctx context.Context, conn *bus.Bus) (latest *wire.Manifest, err error) {
	messages, err := conn.Slots(ctx, bus.Keys, wire.Manifests)
	for _, m := range messages {
		if stored, err := wire.ParseManifest(m.Data); err == nil { // anything else is junk
			latest = stored
		}
	}
	return latest, err
}
