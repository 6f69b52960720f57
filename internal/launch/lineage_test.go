package launch

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
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

// TestGatewayFollowsItsFleet: a gateway with its own bus that runs while another manifest comes to
// follow makes what its nodes need; and it starts with either manifest.
func TestGatewayFollowsItsFleet(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 1)
	founding := wiretest.New(t, 2, 3, nil)
	next := founding.Next(t, 3, 5)
	g := loadGateway(t, dir)
	g.Bus.Embedded = true
	// run has one run with a manifest while f does.
	run := func(m *wire.Manifest, f func(conn *bus.Bus)) {
		t.Helper()
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		g.Gateway.Manifest = write(t, filepath.Join(t.TempDir(), fleet.ManifestFile), string(text), 0o600)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		ready, ended := make(chan struct{}), make(chan error, 1)
		o.Ready = func() { close(ready) }
		go func() { ended <- Gateway(ctx, g, o) }()
		select {
		case <-ready:
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		}
		conn, err := bus.Connect(ctx, bus.Options{Fleet: "test", Nodes: 3, Name: "test", Embedded: o.Embedded})
		if err != nil {
			t.Fatal(err)
		}
		f(conn)
		closeBus(conn, o.Log)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	run(founding.Manifest, func(conn *bus.Bus) {
		subject := wire.SuccessionSubject(next.Manifest.Hash())
		if _, err := conn.Publish(t.Context(), subject, founding.Succession(next.Manifest, false), nil); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if there, err := conn.Exists(t.Context(), bus.RoundsOf(4)); err != nil {
				t.Fatal(err)
			} else if there {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it made no streams for the nodes that are new")
			}
		}
	})
	run(founding.Manifest, func(*bus.Bus) {})
	run(next.Manifest, func(conn *bus.Bus) {
		l, err := register.Lineage(t.Context(), conn, next.Manifest)
		if err != nil || len(l.Chain()) != 2 {
			t.Errorf("KEYS has %v, %v", l, err)
		}
	})
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
