package worker

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// attester turns leaves into attestations, with as few calls to the device as
// its speed asks for.
type attester = keyprovider.Coalescer[*wire.Attestation]

// newAttester returns an attester; its Life is to be set before the first leaf.
func newAttester(
	m *wire.Manifest, sign func(context.Context, [32]byte) ([]byte, error), signed func(leaves int),
) *attester {
	return &attester{
		Sign:   sign,
		Digest: func(leaves [][32]byte) [32]byte { return wire.AttestDigest(m, leaves) },
		Prove:  wire.NewAttestations,
		Signed: signed,
	}
}
