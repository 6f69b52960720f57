package launch

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/register"
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

// manifestEvery is how often the manifests that KEYS has are compared.
const manifestEvery = 30 * time.Second

// watchManifest compares this program's manifest with those in KEYS, which forgets none.
func watchManifest(ctx context.Context, conn *bus.Bus, mine *wire.Manifest, check *gate) {
	for {
		pause := watchEvery
		other, err := otherManifest(ctx, conn, mine)
		switch {
		case err != nil:
			check.wait("KEYS could not be read: " + err.Error())
		case other != "":
			check.wait(other)
		default:
			check.open(func() error { return nil })
			pause = manifestEvery
		}
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// otherManifest says how the fleet goes by another manifest than this program's; "": it does
// not. The last one that was stored is of its fleet if that was founded by the same: which of
// those follow its own it learns from KEYS. It may be one itself that never came to be the
// fleet's, as operators approved another one.
func otherManifest(ctx context.Context, conn *bus.Bus, mine *wire.Manifest) (string, error) {
	latest, err := latestManifest(ctx, conn)
	if err != nil || latest == nil { // no gateway has started yet
		return "", err
	}
	const get = ": get manifest.json from the fleet's operators"
	if latest.FleetID() != mine.FleetID() {
		return fmt.Sprintf("this program's manifest (%.8s) is not the one that gateways stored last in KEYS (%.8s)"+get,
			manifestHash(mine), manifestHash(latest)), nil
	}
	lineage, err := register.Lineage(ctx, conn, mine)
	if err != nil {
		return "", err
	}
	// This program goes by its own configuration. What the fleet goes by follows from its oldest.
	fleet, err := register.Lineage(ctx, conn, lineage.Chain()[0])
	if err != nil || fleet.Manifest(mine.Hash()) != nil {
		return "", err
	}
	parent, _ := mine.ParentHash()
	chain := fleet.Chain()
	at := slices.IndexFunc(chain, func(m *wire.Manifest) bool { return m.Hash() == parent })
	if at < 0 || at+1 == len(chain) {
		return "", nil // nobody approved another one
	}
	return fmt.Sprintf("the manifest that follows %x is %.8s, and not this program's (%.8s)"+get,
		parent[:4], manifestHash(chain[at+1]), manifestHash(mine)), nil
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
