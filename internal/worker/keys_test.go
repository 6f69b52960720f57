package worker

import (
	"context"
	"crypto/ecdh"
	"errors"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
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
