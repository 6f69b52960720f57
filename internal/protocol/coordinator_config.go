package protocol

import "github.com/frostfleet/frostfleet/internal/wire"

// CoordinatorConfig is what a gateway's machine starts with.
type CoordinatorConfig struct {
	Name     string         // of the gateway, in its heartbeats
	Manifest *wire.Manifest // of its configuration
	// Lineage is the manifests that the program goes by; nil: Manifest alone.
	Lineage *wire.Lineage
	Access  *wire.Access
	// Address encodes a public key for a chain and the manifest's network.
	Address func(chain, network string, publicKey []byte) (string, error)
	// Descriptor is what a watch-only wallet imports to see a key's children; empty where
	// a chain has no such thing.
	Descriptor func(chain, network string, publicKey []byte, chainCode [32]byte) (string, error)
	// MaxBatches bounds the batches in work at a time, and MaxBulk the sign jobs
	// of more than InteractiveItems, and with them everybody's memory. Others wait.
	MaxBatches, MaxBulk int
	// Each divides computations of many items among cores; nil: none is divided.
	Each Each
	// PerSlice bounds the keys that a node deals in one message of a resharing; 0: as many as fit.
	PerSlice int
	Oracle   Oracle // nil: none
	// CompactEntries has batches made whose entries leave out what nobody needs again. The
	// release before this one can't read them.
	CompactEntries bool
}
