package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ManifestSet is the manifests that a program goes by.
type ManifestSet interface {
	// Manifest is the one of that hash; nil: the program does not know it, or has no
	// reason to go by it.
	Manifest(hash [32]byte) *Manifest
}

// Manifest makes a manifest a set of one.
func (m *Manifest) Manifest(hash [32]byte) *Manifest {
	if hash == m.hash {
		return m
	}
	return nil
}

// Lineage is a fleet's manifests as far as a program has a reason to go by them: the one
// of its configuration, those before it, each of which the next one names by its hash,
// and those after it that enough nodes approved. It does not change: With… returns
// another one.
type Lineage struct {
	pinned *Manifest
	known  map[[32]byte]*Manifest
	chain  []*Manifest         // oldest first, without gaps
	proofs map[[32]byte][]byte // successions, by their manifest
	fork   *ForkError
}

// ForkError says that two manifests succeed one, which takes forced approvals. Nobody
// goes by either until operators have settled it. Where the program's configuration has one
// of them, or what came of one, they have: t devices of long ago make no fork of that.
type ForkError struct{ Parent, First, Second [32]byte }

func (e *ForkError) Error() string {
	return fmt.Sprintf("manifest %x has two successors, %x and %x: nodes were forced to approve both",
		e.Parent[:8], e.First[:8], e.Second[:8])
}

// NewLineage is what a program knows that is configured with a manifest.
func NewLineage(m *Manifest) *Lineage {
	return &Lineage{
		pinned: m, known: map[[32]byte]*Manifest{m.hash: m}, chain: []*Manifest{m}, proofs: map[[32]byte][]byte{},
	}
}

func (l *Lineage) clone() *Lineage {
	return &Lineage{
		pinned: l.pinned, known: maps.Clone(l.known), chain: slices.Clone(l.chain), proofs: maps.Clone(l.proofs), fork: l.fork,
	}
}

// Manifest implements ManifestSet.
func (l *Lineage) Manifest(hash [32]byte) *Manifest { return l.known[hash] }

// Pinned is the manifest of the program's configuration.
func (l *Lineage) Pinned() *Manifest { return l.pinned }

// Chain are the manifests, oldest first.
func (l *Lineage) Chain() []*Manifest { return l.chain }

// Newest is the last one.
func (l *Lineage) Newest() *Manifest { return l.chain[len(l.chain)-1] }

// Wanted is the hash of the manifest before the oldest that is known; false if there is
// none.
func (l *Lineage) Wanted() ([32]byte, bool) { return l.chain[0].ParentHash() }

// Fork is why the fleet stands still; nil if it does not.
func (l *Lineage) Fork() *ForkError { return l.fork }

// Proofs are the successions that are known, oldest first: what leads from the pinned
// manifest, or one before it, to the newest.
func (l *Lineage) Proofs() (all [][]byte) {
	for _, m := range l.chain {
		if proof := l.proofs[m.hash]; proof != nil {
			all = append(all, proof)
		}
	}
	return all
}

// Proof is the succession to the manifest of that hash; nil: it is not known.
func (l *Lineage) Proof(hash [32]byte) []byte { return l.proofs[hash] }

// Before are the manifests of the chain before one, oldest first.
func (l *Lineage) Before(m *Manifest) []*Manifest {
	return l.chain[:max(0, slices.IndexFunc(l.chain, func(c *Manifest) bool { return c.hash == m.hash }))]
}

// maxLineage bounds the manifests of a fleet.
const maxLineage = 4096

var (
	errNoParent = errors.New("its manifest follows one that this program does not go by")
	errNotOurs  = errors.New("its manifest is another one than that which the configured manifest is, or follows")
)

// WithParent adds the manifest before the oldest known one, which names it by its hash.
func (l *Lineage) WithParent(m *Manifest) (*Lineage, error) {
	if l.known[m.hash] != nil {
		return l, nil
	}
	want, ok := l.Wanted()
	if !ok || m.hash != want || m.FleetID() != l.pinned.FleetID() || len(l.chain) >= maxLineage {
		return l, fmt.Errorf("manifest %x is not the one before %x", m.hash[:8], l.chain[0].hash[:8])
	}
	if err := m.CheckSuccessor(l.chain[0]); err != nil {
		return l, err
	}
	next := l.clone()
	next.known[m.hash] = m
	next.chain = append([]*Manifest{m}, next.chain...)
	return next, nil
}

// WithSuccession adds the manifest of a succession that verifies. One that is known
// already keeps its proof. A second successor of one manifest makes a Fork, unless that is
// before the configured one.
func (l *Lineage) WithSuccession(data []byte) (*Lineage, error) {
	_, claimed, err := DecodeSuccession(data)
	if err != nil {
		return l, err
	}
	parent, _ := claimed.ParentHash()
	m := l.known[parent]
	if m == nil {
		return l, errNoParent
	}
	if l.known[claimed.hash] != nil && l.proofs[claimed.hash] != nil {
		return l, nil
	}
	successor, err := OpenSuccession(data, m)
	if err != nil {
		return l, err
	}
	next := l.clone()
	switch i := slices.Index(l.chain, m); {
	case i < slices.Index(l.chain, l.pinned) && l.chain[i+1].hash != successor.hash:
		return l, errNotOurs
	case i+1 < len(l.chain) && l.chain[i+1].hash != successor.hash:
		next.fork = &ForkError{m.hash, l.chain[i+1].hash, successor.hash}
		return next, nil
	case i+1 == len(l.chain) && len(l.chain) >= maxLineage:
		return l, fmt.Errorf("a fleet has at most %d manifests", maxLineage)
	case i+1 == len(l.chain):
		next.known[successor.hash] = successor
		next.chain = append(next.chain, successor)
	}
	next.proofs[successor.hash] = data
	return next, nil
}
