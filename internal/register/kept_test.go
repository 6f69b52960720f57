package register_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// What a node keeps of its fleet's manifests proves itself by each of them.
func TestKeptLineage(t *testing.T) {
	c := holdertest.Change(t, wiretest.New(t, 2, 3, nil))
	dir := t.TempDir()
	if l, err := register.KeptLineage(dir, c.Fleets[1].Manifest); err != nil || len(l.Chain()) != 1 {
		t.Fatalf("nothing kept: %v", err)
	}
	for _, l := range []*wire.Lineage{wire.NewLineage(c.Fleets[0].Manifest), c.Lineage} {
		if err := register.KeepLineage(dir, l); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range c.Fleets {
		l, err := register.KeptLineage(dir, f.Manifest)
		if err != nil || !slices.Equal(chain(l), chain(c.Lineage)) || len(l.Proofs()) != 2 || l.Pinned() != f.Manifest {
			t.Errorf("by manifest %d: %v", i, err)
		}
	}
	path := filepath.Join(dir, register.LineageFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cut": good[:len(good)-1], "empty": nil, "with entries": file(t, c.Fleets[0].Manifest, c.Entries[0]),
		"bent": append(slices.Clone(good[:len(good)-30]), append([]byte{good[len(good)-30] ^ 1}, good[len(good)-29:]...)...),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := register.KeptLineage(dir, c.Fleets[0].Manifest); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// By another fleet's manifest all of it is a stranger's.
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := register.KeptLineage(dir, wiretest.New(t, 2, 3, nil).Manifest); err == nil {
		t.Error("another fleet's is taken")
	}
}
