package client

import (
	"github.com/frostfleet/frostfleet/internal/config"
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
func ParseManifest(data []byte) (*Manifest, error) { return public(wire.ParseManifest(data)) }

// LoadManifest reads and validates a manifest.json.
func LoadManifest(path string) (*Manifest, error) { return public(config.LoadManifest(path)) }

// Hash identifies the manifest: two fleets, or two versions of one, never have
// the same. Certificates and results name it.
func (m *Manifest) Hash() [32]byte { return m.core.Hash() }

// FleetID is the fleet's identity, to which jobs and results are bound: the hash of its
// founding manifest.
func (m *Manifest) FleetID() [32]byte { return m.core.FleetID() }

func public(m *wire.Manifest, err error) (*Manifest, error) {
	if err != nil {
		return nil, err
	}
	return &Manifest{Fleet: m.Fleet, Network: m.Network, N: m.N, T: m.T, core: m}, nil
}
