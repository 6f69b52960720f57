// Package testdkg tries a fleet's key providers together before there is a
// fleet. It opens the device of each node configuration that it is given, runs
// a throwaway fleet of these nodes in this process on an embedded bus,
// generates a key on each chain, signs with both and verifies the signatures.
//
// The devices are the real ones, with their real credentials. Everything else
// is made for the run in a temporary directory, under a fleet name drawn at
// random: what the devices sign and derive for it is of no use to any other
// fleet, and the directory is removed at the end.
package testdkg

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// Run generates and signs. It returns what it measured only if every
// signature verified.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	n, start := len(o.Configs), time.Now()
	o.Threshold = cmp.Or(o.Threshold, n/2+1)
	if o.Threshold < 1 || o.Threshold > n {
		return nil, fmt.Errorf("a threshold of %d does not fit %d nodes: use 1 to %d", o.Threshold, n, n)
	}
	t := &trial{Options: o, report: Report{N: n, T: o.Threshold}}
	if t.dir, err = os.MkdirTemp("", "frostfleet-test-dkg-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.dir)) }()
	if err := t.run(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", t.doing, err)
	}
	for _, d := range t.devices {
		t.report.Nodes = append(t.report.Nodes, d.report())
	}
	t.report.Seconds = time.Since(start).Seconds()
	return &t.report, nil
}

func (t *trial) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.closeDevices()) }()
	if err := t.openDevices(ctx); err != nil {
		return err
	}
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.storeDir(), Port: -1})
	if err != nil {
		return err
	}
	defer server.Shutdown()
	if err := t.enrol(ctx, server.URL()); err != nil {
		return err
	}
	return t.runFleet(ctx, server, t.use)
}

// enrol asks each device for its card, and writes the fleet around them.
func (t *trial) enrol(ctx context.Context, url string) error {
	t.step("starting a throwaway fleet, %d of %d", t.report.T, t.report.N)
	m := &wire.Manifest{
		Version: 1, Fleet: "test-dkg-" + strings.ToLower(rand.Text()[:16]), Network: network,
		N: t.report.N, T: t.report.T, Epoch: 1, AttestSigning: true,
	}
	for i, d := range t.devices {
		card, err := worker.Card(ctx, d.provider, m.Fleet, m.Epoch, i)
		if err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
		for j, other := range m.Nodes {
			if string(other.Identity) == string(card.Identity) {
				return fmt.Errorf("%s and %s name the same identity key: each node has its own", t.devices[j].path, d.path)
			}
		}
		m.Nodes = append(m.Nodes, card)
	}
	if err := m.Seal(); err != nil {
		return err
	}
	_, err := fleet.Init(ctx, t.fleetDir(), fleet.Options{Manifest: m, Client: clientName, BusURL: url})
	return err
}
