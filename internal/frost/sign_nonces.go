package frost

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// ErrNoncesUsed means that the nonces were used or wiped before. The node sits
// this attempt out and commits afresh in the next.
var ErrNoncesUsed = errors.New("nonces were used already: sit this attempt out and commit to fresh ones in the next")

// ErrSelfCheck means that the node's own signature shares did not verify. They do
// not leave the node.
var ErrSelfCheck = errors.New("own signature shares do not verify: the secret share does not fit " +
	"the key's commitments, or a computation went wrong")

// ErrRandom means that the random source produced the same nonce twice.
var ErrRandom = errors.New("the random source repeats itself: stop this node, no nonce of it is safe")

// repeats reports whether a public nonce occurs twice in a batch; then so does a
// secret one.
func repeats(points []byte, size int) bool {
	seen := make(map[string]struct{}, len(points)/size)
	for p := range slices.Chunk(points, size) {
		if _, twice := seen[string(p)]; twice {
			return true
		}
		seen[string(p)] = struct{}{}
	}
	return false
}

// freshSize is how many bytes of randomness a nonce takes.
const freshSize = 32

// fresh reads a batch's randomness. What repeats itself within the batch is no
// randomness: nonces are bound to session and place, so they would not show it.
type fresh struct {
	rand io.Reader
	seen map[[32]byte]struct{}
}

// Read reads all of p, in whole nonces.
func (f *fresh) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.rand, p)
	if err != nil {
		return n, err
	}
	for b := range slices.Chunk(p, freshSize) {
		h := Hash("frostfleet/nonce-repeats/v1", b)
		if _, twice := f.seen[h]; twice {
			return 0, ErrRandom
		}
		f.seen[h] = struct{}{}
	}
	return n, nil
}

// Nonces holds the secret nonces of one batch, together with what they may be
// used for: the items as they were when the node committed. It produces one
// round of signature shares, whatever it is asked. It must not be copied (go
// vet reports copies) and has no encoding; it prints as "[secret]".
type Nonces struct {
	held atomic.Pointer[heldNonces]
}

// heldNonces is what [Nonces.Sign] takes.
type heldNonces struct {
	suite       Suite
	form        Form
	n, t, index int
	count       int
	points      []byte // as committed
	batch       heldBatch
}

// heldBatch is the secret half of a batch in one suite.
type heldBatch interface {
	// sign returns count shares, checked; set is valid and ascending and holds
	// the node's own commitment unchanged.
	sign(h *heldNonces, set []NonceCommitment) ([]byte, error)
	wipe()
}

// Format implements fmt.Formatter for every verb.
func (*Nonces) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Commit draws fresh nonces for every item from rand, which must be a
// cryptographic source, mixed with the node's share as BIP 445 and RFC 9591
// specify, and with the session, the item's place in it and its message. So a random
// source in one state for two sessions, as after the memory of a machine was cloned,
// gives no nonce twice; within one session nothing helps. It returns the holder and the public nonces, form.NonceSize bytes per item.
// The keys must have shares, and one suite, number of nodes, threshold and
// index. Nothing of the items is shared with the caller afterwards.
func Commit(rand io.Reader, session [32]byte, form Form, items []Item) (*Nonces, []byte, error) {
	if err := validateItems(items); err != nil {
		return nil, nil, err
	}
	index := items[0].Key.Index
	for i, it := range items {
		k := it.Key
		if k.Index != index || index < 0 || index >= k.N {
			return nil, nil, fmt.Errorf("item %d: own index is %d, want one below %d for the whole batch", i, k.Index, k.N)
		}
		if len(k.Share.Expose()) != ScalarSize {
			return nil, nil, fmt.Errorf("item %d: the key has no secret share of %d bytes here", i, ScalarSize)
		}
	}
	k := items[0].Key
	h := &heldNonces{suite: k.Suite, form: form, n: k.N, t: k.T, index: index, count: len(items)}
	var batch heldBatch
	var points []byte
	var err error
	source := &fresh{rand: rand, seen: make(map[[32]byte]struct{}, len(items))}
	if k.Suite == Ed25519 {
		batch, points, err = commitEd25519(source, session, form, items)
	} else {
		batch, points, err = commitSecp(source, session, items)
	}
	if err != nil {
		return nil, nil, err
	}
	if repeats(points, form.NonceSize(k.Suite)/2) {
		batch.wipe()
		return nil, nil, ErrRandom
	}
	h.batch, h.points = batch, points
	n := new(Nonces)
	n.held.Store(h)
	return n, append([]byte(nil), points...), nil
}

// Sign returns the node's signature shares over the items it committed to, 32
// bytes each, for a set of exactly T nodes with its own commitment among them,
// unchanged. The shares were verified before they are returned.
//
// The nonces are taken first and wiped in the end, whatever the outcome: a
// second call, concurrent or later, returns ErrNoncesUsed. A *Blame error
// names a node whose commitment is not well formed.
func (n *Nonces) Sign(set []NonceCommitment) ([]byte, error) {
	h := n.held.Swap(nil)
	if h == nil {
		return nil, ErrNoncesUsed
	}
	defer h.batch.wipe()
	sorted, err := sortedSet(h.form.NonceSize(h.suite), h.n, h.t, h.count, set)
	if err != nil {
		return nil, err
	}
	if err := checkOwn(sorted, h.index, h.points); err != nil {
		return nil, err
	}
	return h.batch.sign(h, sorted)
}

// Wipe makes the nonces unusable. A nil holder is empty.
func (n *Nonces) Wipe() {
	if n == nil {
		return
	}
	if h := n.held.Swap(nil); h != nil {
		h.batch.wipe()
	}
}
