package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// A fleet changes by another manifest, which names the one before. What the fleet's
// programs and clients need to follow is the word of enough nodes of that one: each
// node's operator approves the successor, and the node's device signs that.

// SuccessionVersion is the format of successions that this program writes and reads.
const SuccessionVersion = 1

// MaxSuccession bounds a succession, in bytes.
const MaxSuccession = 1 << 20

// Succession is a manifest and the approvals of nodes of the one before it. It proves
// itself, wherever it comes from.
type Succession struct {
	Version   uint32              `cbor:"1,keyasint"`
	Manifest  []byte              `cbor:"2,keyasint"` // JSON of the successor
	Approvals []SuccessorApproval `cbor:"3,keyasint"` // by node, ascending
}

// SuccessorApproval is the word of a node's device that a manifest may follow the node's
// own. Forced is for a fleet that has lost nodes: see Quorum.
type SuccessorApproval struct {
	Node        uint32       `cbor:"1,keyasint"`
	Next        [32]byte     `cbor:"2,keyasint"` // hash of the successor
	Forced      bool         `cbor:"3,keyasint,omitempty"`
	Attestation *Attestation `cbor:"4,keyasint"`
}

// Leaf is what the node's device signs.
func (a *SuccessorApproval) Leaf(m *Manifest) [32]byte {
	mh, forced := m.Hash(), uint32(0)
	if a.Forced {
		forced = 1
	}
	return frost.Hash("frostfleet/succession/v1", mh[:], a.Next[:], Be32(a.Node), Be32(forced))
}

// Verify checks that a node of m approved a manifest of that hash.
func (a *SuccessorApproval) Verify(m *Manifest, next [32]byte) error {
	switch {
	case int(a.Node) >= m.N:
		return fmt.Errorf("approval of node %d; the manifest has nodes 0 to %d", a.Node, m.N-1)
	case a.Next != next:
		return fmt.Errorf("node %d approved manifest %x, and not %x", a.Node, a.Next[:8], next[:8])
	}
	if err := a.Attestation.verify(m, m.Identity(int(a.Node)), a.Leaf(m)); err != nil {
		return fmt.Errorf("approval of node %d: %w", a.Node, err)
	}
	return nil
}

// Quorum is how many nodes of m must approve a successor: more than (n+t-1)/2, of which
// t-1 may be malicious and approve two. So no two manifests succeed one.
func (m *Manifest) Quorum() int { return (m.N+m.T-1)/2 + 1 }

// Enough reports whether approvals that verified, of distinct nodes, make a successor: a
// Quorum, or at least t that are all forced. Forced ones are for a fleet that has too few
// nodes left. They can make two successors: whoever sees both stops (ErrFork).
func (m *Manifest) Enough(approvals []SuccessorApproval) bool {
	forced := 0
	for _, a := range approvals {
		if a.Forced {
			forced++
		}
	}
	return len(approvals) >= m.Quorum() || forced >= m.T
}

// ErrNotEnough says that too few nodes approved a successor.
var ErrNotEnough = errors.New("too few nodes approved it")

// CheckSuccessor checks that a manifest may follow m, approvals aside: of the same fleet
// and network, the next epoch, with encryption keys that none of m's nodes has.
func (m *Manifest) CheckSuccessor(next *Manifest) error {
	mh, fleet := m.Hash(), m.FleetID()
	previous, ok := next.ParentHash()
	switch {
	case next.Fleet != m.Fleet:
		return fmt.Errorf("the next manifest is of fleet %q, and this one of %q", next.Fleet, m.Fleet)
	case next.Network != m.Network:
		return fmt.Errorf("the next manifest is for %s, and this one for %s", next.Network, m.Network)
	case !ok:
		return errors.New("it is the founding manifest of a fleet: frostctl fleet next prepare makes one that follows")
	case previous != mh:
		return fmt.Errorf("the next manifest follows %x, and this one is %x", previous[:8], mh[:8])
	case next.FleetID() != fleet:
		return fmt.Errorf("the next manifest says that the fleet was founded by %x, and it was by %x", next.Genesis[:8], fleet[:8])
	case next.Epoch != m.Epoch+1:
		return fmt.Errorf("the next manifest has epoch %d; want %d", next.Epoch, m.Epoch+1)
	}
	for i, node := range next.Nodes {
		for j, before := range m.Nodes {
			if slices.Equal(node.Encryption, before.Encryption) {
				return fmt.Errorf("node %d of the next manifest has the encryption key of node %d of this one: "+
					"enroll it for epoch %d", i, j, next.Epoch)
			}
		}
	}
	return nil
}

// OpenSuccession reads a succession to m and verifies it.
func OpenSuccession(data []byte, m *Manifest) (next *Manifest, err error) {
	s, next, err := DecodeSuccession(data)
	if err != nil {
		return nil, err
	}
	if err := m.CheckSuccessor(next); err != nil {
		return nil, err
	}
	for i, a := range s.Approvals {
		if i > 0 && s.Approvals[i-1].Node >= a.Node {
			return nil, fmt.Errorf("succession: approval of node %d is out of its order, or there twice", a.Node)
		}
		if err := a.Verify(m, next.Hash()); err != nil {
			return nil, fmt.Errorf("succession: %w", err)
		}
	}
	if !m.Enough(s.Approvals) {
		return nil, fmt.Errorf("succession: %w: %d of %d, want %d, or %d that are forced", ErrNotEnough, len(s.Approvals), m.N,
			m.Quorum(), m.T)
	}
	return next, nil
}

// DecodeSuccession reads a succession. It proves nothing.
func DecodeSuccession(data []byte) (*Succession, *Manifest, error) {
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if len(data) > MaxSuccession {
		return nil, nil, fmt.Errorf("succession of %d bytes is over the limit of %d", len(data), MaxSuccession)
	}
	if err := peekMode.Unmarshal(data, &peek); err != nil {
		return nil, nil, fmt.Errorf("succession: %w", err)
	}
	if peek.Version != SuccessionVersion {
		return nil, nil, fmt.Errorf("succession of format %d, and this program reads %d", peek.Version, SuccessionVersion)
	}
	var s Succession
	if err := Decode(data, MaxSuccession, &s); err != nil {
		return nil, nil, fmt.Errorf("succession: %w", err)
	}
	next, err := ParseManifest(s.Manifest)
	if err != nil {
		return nil, nil, fmt.Errorf("succession: %w", err)
	}
	return &s, next, nil
}
