package worker

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// attester has the device sign leaves, with as few calls as its speed asks for.
type attester = keyprovider.Coalescer[*protocol.Attestation]

// newAttester returns an attester. sign is one attempt.
func newAttester(m *protocol.Manifest, sign func(context.Context, [32]byte) ([]byte, error), signed func(leaves int)) *attester {
	return &attester{
		SignOnce: sign,
		Digest:   func(leaves [][32]byte) [32]byte { return protocol.AttestDigest(m, leaves) },
		Prove:    protocol.NewAttestations,
		Signed:   signed,
	}
}
