package sim

import (
	"github.com/fxamacker/cbor/v2"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The bodies of round messages, as internal/protocol writes them. The
// simulator reads them to check invariants, and the liar writes its own.
type (
	dealBody struct {
		Header      wire.BatchHeader `cbor:"1,keyasint"`
		Ephemeral   [32]byte         `cbor:"2,keyasint"`
		Commitments []byte           `cbor:"3,keyasint"`
		Proofs      []byte           `cbor:"4,keyasint"`
		Shares      [][]byte         `cbor:"5,keyasint"`
		Apart       bool             `cbor:"6,keyasint,omitempty"`
	}
	commitBody struct {
		Session     [32]byte          `cbor:"1,keyasint"`
		Points      []byte            `cbor:"2,keyasint"`
		Attestation *wire.Attestation `cbor:"3,keyasint,omitempty"`
	}
	shareBody struct {
		Session [32]byte `cbor:"1,keyasint"`
		Set     [32]byte `cbor:"2,keyasint"`
		Shares  []byte   `cbor:"3,keyasint"`
	}
	complaintBody struct {
		Session [32]byte  `cbor:"1,keyasint"`
		Code    wire.Code `cbor:"2,keyasint"`
		Reason  string    `cbor:"3,keyasint"`
		Culprit *uint8    `cbor:"4,keyasint,omitempty"`
	}
)

var deterministic = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

func encode(v any) []byte {
	data, err := deterministic.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// decode reads what an honest node wrote.
func decode[T any](body []byte) (v T, ok bool) {
	err := cbor.Unmarshal(body, &v)
	return v, err == nil
}

// certificateLeaf is what a node's HSM signs in a certificate.
func certificateLeaf(m *wire.Manifest, c *wire.Certificate) [32]byte {
	mh := m.Hash()
	node := []byte{byte(c.Node >> 24), byte(c.Node >> 16), byte(c.Node >> 8), byte(c.Node)}
	generation := []byte{0, 0, 0, byte(c.Generation)}
	return frost.Hash("frostfleet/certificate/v2", mh[:], c.Context[:], generation, c.Transcript[:], c.Root[:], node)
}

// commitLeaf is what a node's HSM signs in a commitment.
func commitLeaf(m *wire.Manifest, c *commitBody, node int) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/commitment/v1", mh[:], c.Session[:], []byte{0, 0, 0, byte(node)}, c.Points)
}
