package launch

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestManifestCheck: a program whose manifest is not the fleet's says so. As
// long as no gateway has stored one there is nothing to contradict it.
func TestManifestCheck(t *testing.T) {
	dir, o := newFleet(t, 1)
	applyStreams(t, o)
	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 1, Name: "gateway0", Embedded: o.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(conn, o.Log)
	mine, err := config.LoadManifest(filepath.Join(dir, fleet.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	other := *mine
	other.Epoch++
	if err := other.Seal(); err != nil {
		t.Fatal(err)
	}

	next := *mine
	hash := mine.Hash()
	next.Version, next.Genesis, next.Previous, next.Epoch = wire.SuccessorVersion, hash[:], hash[:], mine.Epoch+1
	if err := next.Seal(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		store *wire.Manifest
		junk  bool
		want  string
	}{
		{nil, false, ""},
		{nil, true, ""},
		{mine, false, ""},
		{&next, false, ""},
		{&other, false, "not the one that gateways stored last"},
	} {
		if step.store != nil {
			storeManifest(t, conn, step.store)
		}
		if step.junk {
			if _, err := conn.Publish(t.Context(), wire.ManifestSubject([32]byte{}), []byte("{}"), nil); err != nil {
				t.Fatal(err)
			}
		}
		got := watched(t, conn, mine)
		if got == "starting" || (got == "") != (step.want == "") || !strings.Contains(got, step.want) {
			t.Errorf("stored %v: %q, want %q", step.store != nil, got, step.want)
		}
	}
}

// watched is what the check says of a program's manifest once it has looked.
func watched(t *testing.T, conn *bus.Bus, mine *wire.Manifest) (got string) {
	t.Helper()
	check := waiting("manifest", "starting")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { watchManifest(ctx, conn, mine, check); close(ended) }()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = text(check.Fail()); got != "starting" {
			break
		}
	}
	cancel()
	<-ended
	return got
}

// TestManifestsOfOneFleet: that KEYS has several manifests of a fleet is no reason for alarm. That
// another one follows than a program has is.
func TestManifestsOfOneFleet(t *testing.T) {
	_, o := newFleet(t, 1)
	applyStreams(t, o)
	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 3, Name: "gateway0", Embedded: o.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(conn, o.Log)
	founding := wiretest.New(t, 2, 3, nil)
	next, other := founding.Next(t, 2, 3), founding.Next(t, 2, 3)
	last := next.Next(t, 2, 3)
	for _, m := range []*wire.Manifest{founding.Manifest, other.Manifest, next.Manifest, last.Manifest} {
		storeManifest(t, conn, m)
	}
	all := []*wire.Manifest{founding.Manifest, next.Manifest, other.Manifest}
	for _, m := range all {
		if got := watched(t, conn, m); got != "" {
			t.Errorf("before any was approved: %s", got)
		}
	}
	for _, s := range []struct{ from, to *wiretest.Fleet }{{founding, next}, {next, last}} {
		data := s.from.Succession(s.to.Manifest, false)
		if _, err := conn.Publish(t.Context(), wire.SuccessionSubject(s.to.Manifest.Hash()), data, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range append(all, last.Manifest) {
		got, want := watched(t, conn, m), ""
		if m == other.Manifest {
			want = "and not this program's"
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%.8s: %q, want %q", manifestHash(m), got, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func storeManifest(t *testing.T, conn *bus.Bus, m *wire.Manifest) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	subject := wire.ManifestSubject(m.Hash())
	if _, err := conn.Publish(t.Context(), subject, body, nil); err != nil {
		t.Fatal(err)
	}
}
