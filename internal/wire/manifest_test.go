package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// clone gives an unsealed copy to change.
func clone(m *Manifest) *Manifest {
	var c Manifest
	must(0, json.Unmarshal(mustJSON(m), &c))
	return &c
}

func TestManifestRoundTrip(t *testing.T) {
	m := newFleet(t, 2, 3).m
	got, err := ParseManifest(mustJSON(m))
	if err != nil || got.Hash() != m.Hash() {
		t.Fatalf("%v", err)
	}
	for i := range m.N {
		if !got.Identity(i).Equal(m.Identity(i)) || got.HostKeys()[i] != m.HostKeys()[i] {
			t.Errorf("node %d has other keys", i)
		}
	}
}

func TestManifestSyntax(t *testing.T) {
	good := string(mustJSON(newFleet(t, 2, 3).m))
	for name, data := range map[string]string{
		"no JSON":        "x",
		"unknown field":  strings.Replace(good, `"fleet"`, `"flete"`, 1),
		"two values":     good + good,
		"trailing brace": good + "}",
		"trailing junk":  good + "]x",
		"bad hex":        strings.Replace(good, `"identity":"04`, `"identity":"0g`, 1),
		"too large":      good + strings.Repeat(" ", MaxJobSize),
	} {
		if _, err := ParseManifest([]byte(data)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// Every fault is found, and all of them are told at once.
func TestManifestFaults(t *testing.T) {
	f := newFleet(t, 2, 3)
	faults := map[string]func(*Manifest){
		"version 2":                  func(m *Manifest) { m.Version = 2 },
		`fleet "a b"`:                func(m *Manifest) { m.Fleet = "a b" },
		`network "moon"`:             func(m *Manifest) { m.Network = "moon" },
		"threshold 4 of 3":           func(m *Manifest) { m.T = 4 },
		"epoch -1":                   func(m *Manifest) { m.Epoch = -1 },
		"node 0 has index 7":         func(m *Manifest) { m.Nodes[0].Index = 7 },
		"node 1: identity":           func(m *Manifest) { m.Nodes[1].Identity = m.Nodes[1].Identity[:64] },
		"node 1: encryption: a":      func(m *Manifest) { m.Nodes[1].Encryption = make([]byte, 32) },
		"nodes 0 and 2 share":        func(m *Manifest) { m.Nodes[2].Identity = bytes.Clone(m.Nodes[0].Identity) },
		"node 2: encryption: not an": func(m *Manifest) { m.Nodes[2].Encryption = make([]byte, 31) },
	}
	all := clone(f.m)
	for want, change := range faults {
		one := clone(f.m)
		change(one)
		change(all)
		if err := one.Seal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	err := all.Seal()
	for want := range faults {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of all faults at once, %q is not told", want)
		}
	}
	for name, change := range map[string]func(*Manifest){
		"n 0":               func(m *Manifest) { m.N, m.Nodes = 0, nil },
		"t 0":               func(m *Manifest) { m.T = 0 },
		"one node less":     func(m *Manifest) { m.Nodes = m.Nodes[:2] },
		"one node more":     func(m *Manifest) { m.Nodes = append(m.Nodes, m.Nodes[0]) },
		"same encryption":   func(m *Manifest) { m.Nodes[1].Encryption = m.Nodes[0].Encryption },
		"compressed P-256":  func(m *Manifest) { m.Nodes[0].Identity = append([]byte{2}, m.Nodes[0].Identity[1:33]...) },
		"not on the curve":  func(m *Manifest) { m.Nodes[0].Identity[64] ^= 1 },
		"fleet too long":    func(m *Manifest) { m.Fleet = strings.Repeat("x", 65) },
		"fleet with a line": func(m *Manifest) { m.Fleet = "x\n" },
		"small order point": func(m *Manifest) { m.Nodes[0].Encryption = append([]byte{1}, make([]byte, 31)...) },
		"one key, two spellings": func(m *Manifest) {
			m.Nodes[1].Encryption = slices.Clone(m.Nodes[0].Encryption)
			m.Nodes[1].Encryption[31] |= 0x80
		},
		"not reduced": func(m *Manifest) { // the base point, 9, and 2^255-19
			m.Nodes[1].Encryption = append(append([]byte{0xf6}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)
		},
	} {
		m := clone(f.m)
		change(m)
		if m.Seal() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestManifestMaxNodes(t *testing.T) {
	m := clone(newFleet(t, 2, MaxNodes).m)
	if err := m.Seal(); err != nil {
		t.Fatalf("128 nodes: %v", err)
	}
	extra := clone(newFleet(t, 1, 1).m).Nodes[0]
	extra.Index = MaxNodes
	m.N, m.Nodes = MaxNodes+1, append(m.Nodes, extra)
	if err := m.Seal(); err == nil || err.Error() != "manifest: threshold 2 of 129: need 1 <= t <= n <= 128" {
		t.Errorf("129 nodes: %v", err)
	}
}

func TestManifestHashBindsEveryField(t *testing.T) {
	f := newFleet(t, 2, 3)
	seen := map[[32]byte]string{f.m.Hash(): "base"}
	other := newFleet(t, 2, 3).m
	for name, change := range map[string]func(*Manifest){
		"fleet":      func(m *Manifest) { m.Fleet = "tess" },
		"network":    func(m *Manifest) { m.Network = "signet" },
		"n":          func(m *Manifest) { m.N, m.Nodes = 2, m.Nodes[:2] },
		"t":          func(m *Manifest) { m.T = 3 },
		"epoch":      func(m *Manifest) { m.Epoch++ },
		"attest":     func(m *Manifest) { m.AttestSigning = false },
		"identity":   func(m *Manifest) { m.Nodes[0].Identity = other.Nodes[0].Identity },
		"encryption": func(m *Manifest) { m.Nodes[0].Encryption = other.Nodes[0].Encryption },
		"order": func(m *Manifest) {
			m.Nodes[0], m.Nodes[1] = m.Nodes[1], m.Nodes[0]
			m.Nodes[0].Index, m.Nodes[1].Index = 0, 1
		},
	} {
		m := clone(f.m)
		change(m)
		if err := m.Seal(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if was, ok := seen[m.Hash()]; ok {
			t.Errorf("%s: same hash as %s", name, was)
		}
		seen[m.Hash()] = name
	}
}

func TestAccess(t *testing.T) {
	pub := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	good := Client{Name: "alice", Key: pub, Kinds: []Kind{KindSign}}
	a, err := NewAccess([]Client{good}, map[string]ed25519.PublicKey{"gw": pub})
	if err != nil || !a.clients["alice"].allows(KindSign) || a.clients["alice"].allows(KindKeygen) {
		t.Fatalf("%v, %+v", err, a)
	}
	for name, clients := range map[string][]Client{
		"bad name":     {{Name: "a.b", Key: pub}},
		"twice":        {good, good},
		"short key":    {{Name: "a", Key: pub[:31]}},
		"unknown kind": {{Name: "a", Key: pub, Kinds: []Kind{"mint"}}},
	} {
		if _, err := NewAccess(clients, nil); err == nil {
			t.Errorf("client %s passes", name)
		}
	}
	for name, key := range map[string]ed25519.PublicKey{"a b": pub, "gw": pub[:31], "": pub} {
		if _, err := NewAccess(nil, map[string]ed25519.PublicKey{name: key}); err == nil {
			t.Errorf("gateway %q with a key of %d bytes passes", name, len(key))
		}
	}
}
