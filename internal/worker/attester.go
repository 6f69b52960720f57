package worker

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// attester has the device sign leaves, with as few calls as its speed asks for.
type attester = keyprovider.Coalescer[*wire.Attestation]

// A tree that the device signs is one that readers take.
const _ = uint(wire.MaxAttested - keyprovider.MaxLeaves)

// newAttester returns an attester. sign is one attempt.
func newAttester(
	m *wire.Manifest, sign func(context.Context, [32]byte) ([]byte, error), signed func(leaves int),
) *attester {
	return &attester{
		SignOnce: sign,
		Digest:   func(leaves [][32]byte) [32]byte { return wire.AttestDigest(m, leaves) },
		Prove:    wire.NewAttestations,
		Signed:   signed,
	}
}
