package frost

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// aggregator makes signatures of shares in one suite. Positions are those of
// the ascending set, items those of the batch.
type aggregator interface {
	// sum adds up the shares of each item.
	sum(items []Item, set []NonceCommitment, all []contribution) []summed
	// invalid returns the items whose signatures are not nil and do not verify
	// under the output key.
	invalid(items []Item, sigs [][]byte) []int
	// fault returns what the node index at pos did to make item i fail, "" if
	// nothing.
	fault(i, pos, index int) (string, error)
	// outputKey returns the key that verifies item i's signature, once it is summed up.
	outputKey(i int) []byte
}

// Signature is a signature and the key that verifies it: with offsets the child's, and
// with a tweak the output key, x-only for secp256k1-tr. Without a signature both are nil.
type Signature struct {
	PublicKey []byte // 32 bytes
	Bytes     []byte // 64 bytes
}

// summed is an item's signature, not verified; or who sent something that is no
// share or commitment; or why the item is invalid.
type summed struct {
	sig   []byte
	blame []*Blame
	err   error
}

// contribution is what one node sent in both rounds.
type contribution struct {
	NonceCommitment
	shares []byte
}

// Aggregate makes signatures of the shares that the nodes of a set sent:
// shares[j], 32 bytes per item, is the answer of set[j]. The set has exactly T
// entries, with nonces in the form of the session.
//
// It sums up, and verifies the final signatures under the output keys (as a
// batch, but Ed25519 one by one in form 0). Only where that fails are the shares checked
// one by one, and blame names each node that sent a bad one. sigs has an entry
// per item, without Bytes where the item failed; an entry that has some is
// a valid signature even if err is not nil. err reports invalid inputs: of the
// whole call, in which case there is neither signature nor blame, or of single
// items, which then have no signature.
func Aggregate(form Form, items []Item, set []NonceCommitment, shares [][]byte) (
	sigs []Signature, blame []Blame, err error) {
	if err := validateItems(items); err != nil {
		return nil, nil, err
	}
	if len(shares) != len(set) {
		return nil, nil, fmt.Errorf("aggregating %d nodes' shares for a set of %d", len(shares), len(set))
	}
	all := make([]contribution, len(set))
	for i := range set {
		all[i] = contribution{set[i], shares[i]}
	}
	slices.SortStableFunc(all, func(a, b contribution) int { return cmp.Compare(a.Index, b.Index) })
	k := items[0].Key
	size := form.NonceSize(k.Suite)
	sorted, err := sortedSet(size, k.N, k.T, len(items), set)
	var lengths *Blame
	if err != nil && !errors.As(err, &lengths) {
		return nil, nil, err
	}
	if blame = wrongLengths(size, len(items), all); blame != nil {
		return make([]Signature, len(items)), blame, nil
	}
	var a aggregator
	if k.Suite == Ed25519 {
		a, err = newEd25519Aggregator(form, k.N, k.T, sorted, len(items))
	} else {
		a, err = newSecpAggregator(k.N, k.T, sorted, len(items))
	}
	if err != nil {
		return nil, nil, err
	}
	return aggregate(a, items, sorted, all)
}

// wrongLengths blames the nodes whose contributions can't be cut into items.
func wrongLengths(size, count int, all []contribution) []Blame {
	var blame []Blame
	for _, c := range all {
		if len(c.Points) != count*size {
			blame = append(blame, Blame{c.Index, AllItems, reasonCommitmentLength})
		} else if len(c.shares) != count*ScalarSize {
			blame = append(blame, Blame{c.Index, AllItems, reasonShareLength})
		}
	}
	return blame
}

func aggregate(
	a aggregator, items []Item, set []NonceCommitment, all []contribution,
) (out []Signature, blame []Blame, err error) {
	sigs := make([][]byte, len(items))
	for i, item := range a.sum(items, set, all) {
		if item.err != nil {
			err = errors.Join(err, fmt.Errorf("item %d: %w", i, item.err))
			continue
		}
		sigs[i] = item.sig
		for _, b := range item.blame {
			blame = append(blame, *b)
		}
	}
	for _, i := range a.invalid(items, sigs) {
		sigs[i] = nil
		bad, failed := search(a, i, set)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("item %d: %w", i, failed))
			continue
		}
		blame = append(blame, bad...)
	}
	out = make([]Signature, len(items))
	for i, sig := range sigs {
		if sig != nil {
			out[i] = Signature{a.outputKey(i), sig}
		}
	}
	return out, blame, err
}

// search finds the nodes that made item i fail.
func search(a aggregator, i int, set []NonceCommitment) ([]Blame, error) {
	var blame []Blame
	for pos, c := range set {
		reason, err := a.fault(i, pos, c.Index)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			blame = append(blame, Blame{c.Index, i, reason})
		}
	}
	if blame == nil {
		return nil, errors.New("the signature does not verify but every share does: " +
			"a computation went wrong, or the key's commitments are not its own")
	}
	return blame, nil
}
