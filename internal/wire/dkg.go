package wire

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// The messages of key generation.

// dealBody is what stands in a deal slot. The header makes the log readable
// on its own: a node that lost its disk needs nothing else.
type dealBody struct {
	Header      BatchHeader `cbor:"1,keyasint"`
	Ephemeral   [32]byte    `cbor:"2,keyasint"`
	Commitments []byte      `cbor:"3,keyasint"`
	Proofs      []byte      `cbor:"4,keyasint"`
	Shares      [][]byte    `cbor:"5,keyasint"`
	Apart       bool        `cbor:"6,keyasint,omitempty"` // proofs are; in rounds of form 1
}

// EncodeDeal gives a deal with its proofs, as it stands in the rounds.
func EncodeDeal(h BatchHeader, d *frost.Deal) []byte {
	return Encode(&dealBody{
		Header: h, Ephemeral: d.Ephemeral, Commitments: d.Commitments, Proofs: d.Proofs, Shares: d.Shares, Apart: d.ProofsHash != nil,
	})
}

// DecodeDeal reads what EncodeDeal gives.
func DecodeDeal(body []byte) (BatchHeader, *frost.Deal, error) {
	var b dealBody
	if err := Decode(body, MaxMessageSize, &b); err != nil {
		return BatchHeader{}, nil, err
	}
	d := &frost.Deal{Ephemeral: b.Ephemeral, Commitments: b.Commitments, Proofs: b.Proofs, Shares: b.Shares}
	if b.Apart {
		hash := frost.HashProofs(b.Proofs)
		d.ProofsHash = &hash
	}
	return b.Header, d, nil
}

// Certificate is a node's signed statement: I hold my share of every key
// under Root, over exactly this transcript.
type Certificate struct {
	Context     [32]byte     `cbor:"1,keyasint"`
	Generation  uint32       `cbor:"2,keyasint"`
	Transcript  [32]byte     `cbor:"3,keyasint"`
	Root        [32]byte     `cbor:"4,keyasint"` // KeyRoot
	Node        uint32       `cbor:"5,keyasint"`
	Attestation *Attestation `cbor:"6,keyasint"`
}

func (c *Certificate) Leaf(m *Manifest) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/certificate/v2", mh[:], c.Context[:], Be32(c.Generation), c.Transcript[:], c.Root[:],
		Be32(c.Node))
}

// DecodeCertificate reads a certificate of a generation and checks that node i's HSM
// signed it.
func DecodeCertificate(body []byte, m *Manifest, i int, generation uint32) (*Certificate, error) {
	c, err := DecodeReshareCertificate(body, m, i)
	if err == nil && c.Generation != generation {
		return nil, fmt.Errorf("certificate of generation %d; want generation %d", c.Generation, generation)
	}
	return c, err
}

// DecodeReshareCertificate is DecodeCertificate for the caller that holds the context
// against an attempt at resharing, of which the generation is part.
func DecodeReshareCertificate(body []byte, m *Manifest, i int) (*Certificate, error) {
	var c Certificate
	if err := Decode(body, MaxAttestation, &c); err != nil {
		return nil, err
	}
	if int(c.Node) != i {
		return nil, fmt.Errorf("certificate of node %d; want node %d", c.Node, i)
	}
	if err := c.Attestation.verify(m, m.Identity(i), c.Leaf(m)); err != nil {
		return nil, err
	}
	return &c, nil
}

// Agrees reports whether two certificates certify the same keys.
func (c *Certificate) Agrees(o *Certificate) bool {
	return c.Context == o.Context && c.Transcript == o.Transcript && c.Root == o.Root
}
