package fleet

import (
	"bytes"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Next makes the manifest that follows m of the cards of all its nodes, which enrolled for the
// next epoch with the threshold t.
func Next(m *wire.Manifest, cards []Card, t int, attest bool) (*wire.Manifest, error) {
	id, hash := m.FleetID(), m.Hash()
	next := &wire.Manifest{
		Version: wire.SuccessorVersion, Fleet: m.Fleet, Network: m.Network, T: t, Epoch: m.Epoch + 1, AttestSigning: attest,
		Genesis: id[:], Previous: hash[:],
	}
	if err := Join(next, cards); err != nil {
		return nil, err
	}
	if err := m.CheckSuccessor(next); err != nil {
		return nil, err
	}
	return next, nil
}

// Difference is what a manifest changes, for people who decide about it.
type Difference struct {
	Fleet   string `json:"fleet"`
	Network string `json:"network"`
	Before  Shape  `json:"before"`
	After   Shape  `json:"after"`
	Nodes   []Seat `json:"nodes"` // of both manifests, by index
	Quorum  int    `json:"approvals_needed"`
}

// Shape is a manifest in short.
type Shape struct {
	Hash          string `json:"hash"`
	N             int    `json:"n"`
	T             int    `json:"t"`
	Epoch         int    `json:"epoch"`
	AttestSigning bool   `json:"attest_signing"`
}

// Seat is an index in two manifests.
type Seat struct {
	Index  int    `json:"index"`
	Before string `json:"before,omitempty"` // fingerprints of identity keys
	After  string `json:"after,omitempty"`
	What   string `json:"what"`
}

// Compare says what next changes.
func Compare(m, next *wire.Manifest) Difference {
	d := Difference{Fleet: m.Fleet, Network: m.Network, Before: shape(m), After: shape(next), Quorum: m.Quorum()}
	for i := range max(m.N, next.N) {
		s := Seat{Index: i}
		if i < m.N {
			s.Before = fingerprint(m.Nodes[i].Identity)
		}
		if i < next.N {
			s.After = fingerprint(next.Nodes[i].Identity)
		}
		s.What = seat(m, next, i)
		d.Nodes = append(d.Nodes, s)
	}
	return d
}

func seat(m, next *wire.Manifest, i int) string {
	switch {
	case i >= next.N:
		if j := find(next, m.Nodes[i].Identity); j >= 0 {
			return fmt.Sprintf("becomes node %d", j)
		}
		return "leaves"
	case i < m.N && bytes.Equal(m.Nodes[i].Identity, next.Nodes[i].Identity):
		return "stays, with new encryption keys"
	}
	if j := find(m, next.Nodes[i].Identity); j >= 0 {
		return fmt.Sprintf("was node %d", j)
	}
	if i >= m.N {
		return "joins"
	}
	return "is replaced"
}

// find is the index of the node with an identity key, -1 if there is none.
func find(m *wire.Manifest, identity []byte) int {
	for i, node := range m.Nodes {
		if bytes.Equal(node.Identity, identity) {
			return i
		}
	}
	return -1
}

func shape(m *wire.Manifest) Shape {
	return Shape{Hash: fmt.Sprintf("%x", m.Hash()), N: m.N, T: m.T, Epoch: m.Epoch, AttestSigning: m.AttestSigning}
}

// fingerprint is the beginning of an identity key's x coordinate, for people to compare.
func fingerprint(identity []byte) string { return fmt.Sprintf("%x", identity[1:9]) }

// Lines are the difference as people read it.
func (d Difference) Lines() []string {
	lines := []string{
		fmt.Sprintf("fleet %s on %s", d.Fleet, d.Network),
		fmt.Sprintf("manifest  %s", d.Before.Hash),
		fmt.Sprintf("becomes   %s", d.After.Hash),
		fmt.Sprintf("epoch %d -> %d", d.Before.Epoch, d.After.Epoch),
		fmt.Sprintf("%d of %d sign -> %d of %d sign", d.Before.T, d.Before.N, d.After.T, d.After.N),
	}
	if d.Before.AttestSigning != d.After.AttestSigning {
		lines = append(lines, fmt.Sprintf("devices attest signing commitments: %t -> %t", d.Before.AttestSigning,
			d.After.AttestSigning))
	}
	for _, s := range d.Nodes {
		lines = append(lines, fmt.Sprintf("  node %-3d %-16s -> %-16s  %s", s.Index, dash(s.Before), dash(s.After), s.What))
	}
	if d.After.T == 1 {
		lines = append(lines, "with a threshold of 1, each node alone has every key")
	}
	return append(lines, fmt.Sprintf("it takes the approval of %d of %d nodes, or %d that are forced", d.Quorum, d.Before.N,
		d.Before.T))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
