package frost

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/rfc9591"
)

// NonceCommitment is what one node published in round one: per item two wire
// points.
type NonceCommitment struct {
	Index  int    // of the node
	Points []byte // items * Form.NonceSize
}

// Blame names the node at fault and the item. As an error it ends the round.
type Blame struct {
	Index  int // of the node
	Item   int // or AllItems
	Reason string
}

// AllItems is the Blame.Item of a contribution that is bad as a whole.
const AllItems = -1

func (b *Blame) Error() string {
	if b.Item == AllItems {
		return fmt.Sprintf("node %d: %s", b.Index, b.Reason)
	}
	return fmt.Sprintf("node %d, item %d: %s", b.Index, b.Item, b.Reason)
}

// Reasons to blame a node for.
const (
	reasonCommitmentLength = "commitment has a wrong length"
	reasonCommitmentPoint  = "commitment is not two points of prime order in canonical encoding"
	reasonShareLength      = "signature shares have a wrong length"
	reasonShare            = "signature share does not verify"
)

// CheckCommitment checks what a node published for count items: its length,
// and that every point is canonical, on the curve, of prime order and not the
// identity. Public data: variable time.
func CheckCommitment(form Form, s Suite, count int, points []byte) error {
	if !s.Valid() {
		return fmt.Errorf("unknown suite %d", s)
	}
	if count < 1 || count > MaxBatch {
		return fmt.Errorf("commitment for %d items: want 1 to %d", count, MaxBatch)
	}
	if size := form.NonceSize(s); len(points) != count*size {
		return fmt.Errorf("%s: %d bytes for %d items, want %d", reasonCommitmentLength, len(points), count, count*size)
	}
	var bad int
	if s == Ed25519 {
		bad = rfc9591.CheckNonces(edwardsForm(form), count, points)
	} else {
		bad = slices.IndexFunc(slices.Collect(slices.Chunk(points, s.NonceSize())), func(b []byte) bool {
			_, ok := bip445.PubNonceFromWire(b)
			return !ok
		})
	}
	if bad >= 0 {
		return fmt.Errorf("item %d: %s", bad, reasonCommitmentPoint)
	}
	return nil
}

// nonceOf cuts one item's public nonce, of a size, out of a commitment.
func nonceOf(size int, points []byte, item int) []byte { return points[item*size:][:size] }

// decodeNonces decodes one item's public nonces, or blames.
func decodeNonces[N any](
	s Suite, set []NonceCommitment, item int, decode func([]byte) (*N, bool),
) (nonces []*N, blame []*Blame) {
	nonces = make([]*N, len(set))
	for i, c := range set {
		var ok bool
		if nonces[i], ok = decode(nonceOf(s.NonceSize(), c.Points, item)); !ok {
			blame = append(blame, &Blame{c.Index, item, reasonCommitmentPoint})
		}
	}
	return nonces, blame
}

// shareOf cuts one item's signature share out of a node's shares.
func shareOf(shares []byte, item int) []byte {
	return shares[item*ScalarSize:][:ScalarSize]
}

// sortedSet returns a valid set in ascending order: exactly t distinct nodes
// among n, each with a commitment of the right length for count items, size bytes each.
func sortedSet(size, n, t, count int, set []NonceCommitment) ([]NonceCommitment, error) {
	if len(set) != t {
		return nil, fmt.Errorf("set of %d nodes: want exactly %d", len(set), t)
	}
	byIndex := func(a, b NonceCommitment) int { return cmp.Compare(a.Index, b.Index) }
	sorted := slices.SortedFunc(slices.Values(set), byIndex)
	for i, c := range sorted {
		if c.Index < 0 || c.Index >= n {
			return nil, fmt.Errorf("set: node %d is not one of %d", c.Index, n)
		}
		if i > 0 && sorted[i-1].Index == c.Index {
			return nil, fmt.Errorf("set: node %d is in it twice", c.Index)
		}
	}
	for _, c := range sorted { // only now is the index known to be a node's
		if len(c.Points) != count*size {
			return nil, &Blame{c.Index, AllItems, reasonCommitmentLength}
		}
	}
	return sorted, nil
}

// errOwnCommitment refuses a set that would use the nonces for something other
// than what was committed to.
var errOwnCommitment = errors.New("own commitment in the set is not the one that was made: ask for a new attempt")

// checkOwn requires this node's commitment in the set, unchanged.
func checkOwn(set []NonceCommitment, index int, points []byte) error {
	for _, c := range set {
		if c.Index == index {
			if !bytes.Equal(c.Points, points) {
				return errOwnCommitment
			}
			return nil
		}
	}
	return fmt.Errorf("set: own index %d is not in it", index)
}

// indexes returns the nodes of a set.
func indexes(set []NonceCommitment) []int {
	out := make([]int, len(set))
	for i, c := range set {
		out[i] = c.Index
	}
	return out
}
