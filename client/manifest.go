package client

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Manifest says who the fleet is: its name, its network, and the keys of its
// nodes. It is public, and everything that this package checks rests on it, so
// take it from the fleet's operators and not from the bus. The fields are for
// reading; what is checked is the manifest that was parsed.
type Manifest struct {
	Fleet   string // name of the fleet
	Network string // mainnet, testnet, signet or regtest
	N       int    // nodes, each of which holds a share of every key
	T       int    // nodes that it takes to sign

	core *wire.Manifest
}

// ParseManifest reads and validates the content of a manifest.json.
func ParseManifest(data []byte) (*Manifest, error) {
	m, err := wire.ParseManifest(data)
	if err != nil {
		return nil, err
	}
	return public(m), nil
}

// LoadManifest reads and validates a manifest.json.
func LoadManifest(path string) (*Manifest, error) {
	text, err := secret.File{What: "manifest", Path: path, Max: wire.MaxJobSize, Public: true}.Text()
	if err != nil {
		return nil, fmt.Errorf("%w: ask the fleet's operators for manifest.json", err)
	}
	m, err := ParseManifest(text.Expose())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Hash identifies the manifest: two fleets, or two versions of one, never have
// the same. Certificates and results name it.
func (m *Manifest) Hash() [32]byte { return m.core.Hash() }

func public(m *wire.Manifest) *Manifest {
	return &Manifest{Fleet: m.Fleet, Network: m.Network, N: m.N, T: m.T, core: m}
}
