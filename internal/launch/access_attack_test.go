package launch

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestIndexOfTwoDevices: who revokes a lost node by its index revokes the one that takes its
// place, too, and is told so.
func TestIndexOfTwoDevices(t *testing.T) {
	t.Parallel()
	founding := wiretest.New(t, 2, 3, nil)
	next := founding.Next(t, 2, 3)
	if string(founding.Manifest.Nodes[1].Identity) == string(next.Manifest.Nodes[1].Identity) {
		t.Fatal("node 1 is the same device in both")
	}
	index := 1
	a, err := (&config.Access{Revoked: []config.AccessRevoked{{Node: &index}}}).Wire()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*wire.Manifest{founding.Manifest, next.Manifest} {
		if !a.RevokesNode(m, 1) {
			t.Errorf("epoch %d: not revoked", m.Epoch)
		}
	}
	if got := strangers(a, []*wire.Manifest{founding.Manifest}); len(got) != 0 {
		t.Errorf("one manifest: %q", got)
	}
	got := strangers(a, []*wire.Manifest{founding.Manifest, next.Manifest})
	if len(got) != 1 || !strings.Contains(got[0], "revokes node 1 by its index") {
		t.Errorf("%q", got)
	}
}
