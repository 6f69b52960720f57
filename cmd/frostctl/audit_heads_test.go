package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestHeadsOfEveryManifest: audit heads reads the heartbeats of each manifest's nodes, and of
// gateways, whichever manifest they are configured with.
func TestHeadsOfEveryManifest(t *testing.T) {
	t.Parallel()
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 3, Name: "test", Embedded: server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := wiretest.New(t, 2, 3, nil)
	next := f.Next(t, 2, 3)
	stranger := wiretest.New(t, 2, 3, nil)
	lineage, err := wire.NewLineage(f.Manifest).WithSuccession(f.Succession(next.Manifest, false))
	if err != nil {
		t.Fatal(err)
	}
	beat := func(m *wire.Manifest, subject string, seal func(body []byte) []byte) {
		t.Helper()
		body := wire.Encode(&wire.Heartbeat{
			Version: wire.HeartbeatVersion, Boot: [16]byte{1}, Manifest: m.Hash(), Build: "v1", Host: "h",
			Audit: wire.AuditHead{Seq: 7, Hash: [32]byte{7}},
		})
		if _, err := b.Publish(t.Context(), subject, seal(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	node := func(of *wiretest.Fleet, i int) {
		t.Helper()
		subject := of.Manifest.NodePresence(i)
		beat(of.Manifest, subject, func(body []byte) []byte {
			return of.NewSession(i, time.Now()).Seal(of.Manifest, subject, body)
		})
	}
	node(f, 0)
	node(next, 0)
	node(next, 2)
	node(stranger, 1)
	beat(next.Manifest, wire.GatewayPresence("gw"), func(body []byte) []byte {
		return wire.SealGateway(f.Gateway, "gw", next.Manifest, wire.GatewayPresence("gw"), body)
	})
	lines, refused, err := readHeads(t.Context(), lineage, f.Access, b)
	if err != nil || len(refused) != 1 {
		t.Fatalf("%v, refused %v", err, refused)
	}
	var names []string
	for _, l := range lines {
		names = append(names, l.By)
		if l.Head == "" {
			t.Errorf("%s has no head", l.By)
		}
	}
	if want := []string{"worker-0", "worker-0 of epoch 1", "worker-2 of epoch 1", "gw"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
