package launch

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestEmbeddedBusGrows: a gateway with its own bus makes the streams of nodes that its fleet has
// since another manifest follows.
func TestEmbeddedBusGrows(t *testing.T) {
	_, o := newFleet(t, 1)
	founding := wiretest.New(t, 2, 3, nil)
	next := founding.Next(t, 3, 5)
	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 3, Name: "gateway0", Embedded: o.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(conn, o.Log)
	if err := conn.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := func(node int) bool {
		t.Helper()
		exists, err := conn.Exists(t.Context(), bus.RoundsOf(node))
		if err != nil {
			t.Fatal(err)
		}
		return exists
	}
	lineage, err := readLineage(t.Context(), conn, founding.Manifest, o.Log)
	if err == nil {
		err = grow(t.Context(), conn, lineage)
	}
	if err != nil || !there(2) || there(3) {
		t.Fatalf("before: %v, a stream of node 3: %t", err, there(3))
	}
	data := founding.Succession(next.Manifest, false)
	if _, err := conn.Publish(t.Context(), wire.SuccessionSubject(next.Manifest.Hash()), data, nil); err != nil {
		t.Fatal(err)
	}
	if lineage, err = readLineage(t.Context(), conn, founding.Manifest, o.Log); err != nil || len(lineage.Chain()) != 2 {
		t.Fatalf("%v, %v", lineage, err)
	}
	if err := grow(t.Context(), conn, lineage); err != nil || !there(4) || there(5) {
		t.Errorf("after: %v, of node 4 %t, of node 5 %t", err, there(4), there(5))
	}
	if err := conn.Check(t.Context()); err != nil {
		t.Errorf("as declared: %v", err)
	}
}

// TestFleetSize: as long as two manifests' nodes are needed, the larger one's numbers count.
func TestFleetSize(t *testing.T) {
	t.Parallel()
	small, large := &wire.Manifest{N: 3, T: 2}, &wire.Manifest{N: 5, T: 3}
	for _, of := range []struct {
		manifests []protocol.ManifestNodes
		n, t      int
	}{
		{[]protocol.ManifestNodes{{Manifest: large}, {Manifest: small}}, 5, 3},
		{[]protocol.ManifestNodes{{Manifest: small}}, 3, 2},
	} {
		if n, threshold := fleetSize(of.manifests); n != of.n || threshold != of.t {
			t.Errorf("%d of %d, want %d of %d", threshold, n, of.t, of.n)
		}
	}
}

// TestStrangersToEveryManifest: who is revoked and was a node of an earlier manifest, or is one of
// a later one, is no stranger.
func TestStrangersToEveryManifest(t *testing.T) {
	t.Parallel()
	founding := wiretest.New(t, 2, 3, nil)
	next, other := founding.Next(t, 2, 3), wiretest.New(t, 2, 3, nil)
	list := &config.Access{}
	for _, f := range []*wiretest.Fleet{founding, next, other} {
		list.Revoked = append(list.Revoked, config.AccessRevoked{Identity: f.Manifest.Nodes[1].Identity})
	}
	a, err := list.Wire()
	if err != nil {
		t.Fatal(err)
	}
	got := strangers(a, []*wire.Manifest{founding.Manifest, next.Manifest})
	if want := hex.EncodeToString(other.Manifest.Nodes[1].Identity); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("%q, want one that names %s", got, want)
	}
}
