package worker

import (
	"context"
	"crypto/ecdh"
	"errors"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestCard: what a node shows of itself is public, fits its secrets, and
// differs by fleet, epoch and device only.
func TestCard(t *testing.T) {
	p := machinetest.NewProvider(t)
	card, err := Card(t.Context(), p, machinetest.Name, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	host, err := derive(t.Context(), p, purposeHost, machinetest.Name, 1)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdh.X25519().NewPrivateKey(host.Expose())
	if err != nil {
		t.Fatal(err)
	}
	if card.Index != 2 || string(card.Encryption) != string(private.PublicKey().Bytes()) {
		t.Fatal("the card's encryption key is not that of the host secret")
	}
	for what, other := range map[string]struct {
		p     keyprovider.Provider
		fleet string
		epoch int
		same  bool
	}{
		"same":          {p, machinetest.Name, 1, true},
		"other fleet":   {p, "other", 1, false},
		"other epoch":   {p, machinetest.Name, 2, false},
		"other device":  {machinetest.NewProvider(t), machinetest.Name, 1, false},
		"prefix of one": {p, machinetest.Name + "/1", 1, false},
	} {
		got, err := Card(t.Context(), other.p, other.fleet, other.epoch, 2)
		if err != nil {
			t.Fatal(err)
		}
		if same := string(got.Encryption) == string(card.Encryption); same != other.same {
			t.Errorf("%s: same encryption key: %t", what, same)
		}
	}
}

// TestCheckCard: a node with other keys than the manifest's is told which and
// what may be wrong.
func TestCheckCard(t *testing.T) {
	a, b := machinetest.NewProvider(t), machinetest.NewProvider(t)
	m := machinetest.Manifest(t, Card, 1, a, b)
	if err := CheckCard(t.Context(), b, m, 1); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		p    keyprovider.Provider
		want []string
	}{
		{"another node's device", b, []string{"identity key", "node 0", "wrong [node] index"}},
		{"another derivation key", twoDevices{a, b}, []string{"encryption key", "wrong derivation key"}},
	} {
		err := CheckCard(t.Context(), test.p, m, 0)
		if err == nil {
			t.Errorf("%s: passes", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", test.name, err, want)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := CheckCard(ended, a, m, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// twoDevices is a fake device of which the derivation key was changed.
type twoDevices struct {
	keyprovider.Provider
	other keyprovider.Provider
}

func (p twoDevices) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	return p.other.Derive(ctx, label)
}

// TestOtherManifest: keys stay with the manifest that they were made under. A node
// that is started under another one of the same fleet, epoch and nodes has none of
// them, and says why.
func TestOtherManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, r := w.startNode()
	_ = node
	r.Stop()
	other := *w.Manifest
	other.AttestSigning = !other.AttestSigning
	if err := other.Seal(); err != nil {
		t.Fatal(err)
	}
	cfg := w.config()
	cfg.Manifest = &other
	if node, err := New(t.Context(), cfg); !errors.Is(err, keystore.ErrSealKey) || !strings.Contains(err.Error(), "manifest") {
		if err == nil {
			_ = node.Close()
		}
		t.Errorf("a keystore of another manifest: %v", err)
	}
	node, r = w.startNode() // it is whole
	if err := node.Ready(); err != nil {
		t.Error(err)
	}
	r.Stop()
}
