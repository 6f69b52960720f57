package frost

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/frost/rfc9591"
)

// edwardsID returns RFC 9591's identifier of a node.
func edwardsID(index int) uint16 { return uint16(index + 1) }

func edwardsSet(n, t int, set []NonceCommitment) (*rfc9591.SignerSet, error) {
	ids := make([]uint16, len(set))
	for i, c := range set {
		ids[i] = edwardsID(c.Index)
	}
	return rfc9591.NewSignerSet(n, t, ids)
}

// edwardsBatch is heldBatch for ed25519.
type edwardsBatch []edwardsHeld

type edwardsHeld struct {
	key     *rfc9591.Key
	message []byte
	share   []byte
	nonce   *rfc9591.SecNonce
	pub     *rfc9591.PubNonce
}

// decode decodes another node's nonce; the own one needs no check.
func (h *edwardsHeld) decode(nonce []byte) (*rfc9591.PubNonce, bool) {
	if bytes.Equal(nonce, h.pub.Bytes()) {
		return h.pub, true
	}
	return rfc9591.ParsePubNonce(nonce)
}

func (b edwardsBatch) wipe() {
	for _, h := range b {
		clear(h.share)
		h.nonce.Wipe()
	}
}

func commitEd25519(rand io.Reader, session [32]byte, items []Item) (heldBatch, []byte, error) {
	keys, errs := openEd25519Keys(items)
	for i, err := range errs {
		if err != nil {
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	batch := make(edwardsBatch, 0, len(items))
	points := make([]byte, 0, len(items)*Ed25519.NonceSize())
	for i, it := range items {
		nonce, pub, err := drawEd25519(rand, it, keys[i], session, i)
		if err != nil {
			batch.wipe()
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
		batch = append(batch, edwardsHeld{keys[i], bytes.Clone(it.Message), bytes.Clone(it.Key.Share.Expose()), nonce, pub})
		points = append(points, pub.Bytes()...)
	}
	return batch, points, nil
}

// openEd25519Keys decodes each item's public key and adds the offsets, or returns an
// error in that place.
func openEd25519Keys(items []Item) ([]*rfc9591.Key, []error) {
	keys, wrong := make([]*rfc9591.Key, len(items)), make([]error, len(items))
	offsets := make([][][ScalarSize]byte, len(items))
	for i := range items {
		k := items[i].Key
		keys[i], wrong[i] = rfc9591.NewKey(k.N, k.T, k.PublicKey, k.VSSCommitment)
		offsets[i] = items[i].Offsets
	}
	keys, errs := rfc9591.Children(keys, offsets)
	for i := range errs {
		if errs[i] = cmp.Or(wrong[i], errs[i]); errors.Is(errs[i], rfc9591.ErrChild) {
			errs[i] = ErrChild
		}
	}
	return keys, errs
}

// drawEd25519 draws an item's nonces. RFC 9591 hashes nothing but randomness and the
// share into them, so session, place and message go into the randomness, and so does
// the key that signs where it is a child.
func drawEd25519(rand io.Reader, it Item, key *rfc9591.Key, session [32]byte, position int) (
	*rfc9591.SecNonce, *rfc9591.PubNonce, error) {
	var random [2 * freshSize]byte // of the hiding and of the binding nonce
	defer clear(random[:])
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	place := binary.BigEndian.AppendUint32(nil, uint32(position))
	parts := [][]byte{nil, session[:], place, nil, it.Message}
	if len(it.Offsets) > 0 {
		parts = append(parts, key.Public())
	}
	for j := range 2 {
		half := random[freshSize*j:][:freshSize]
		parts[0], parts[3] = half, []byte{byte(j)}
		bound := Hash("frostfleet/nonce/v1", parts...)
		copy(half, bound[:])
		clear(bound[:])
	}
	return rfc9591.NonceGen(bytes.NewReader(random[:]), it.Key.Share.Expose())
}

func (b edwardsBatch) sign(h *heldNonces, set []NonceCommitment) ([]byte, error) {
	signers, err := edwardsSet(h.n, h.t, set)
	if err != nil {
		return nil, err
	}
	id := edwardsID(h.index)
	claims := make([]rfc9591.Claim, len(b))
	out := make([]byte, 0, len(b)*ScalarSize)
	for i := range b {
		nonces, blame := decodeNonces(Ed25519, set, i, b[i].decode)
		if blame != nil {
			return nil, blame[0]
		}
		session, err := rfc9591.NewSession(b[i].key, signers, nonces, b[i].message)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		share, err := session.Sign(b[i].nonce, b[i].share, id)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		claims[i] = rfc9591.Claim{Session: session, ID: id, Share: share}
		out = append(out, share...)
	}
	if !rfc9591.VerifyBatch(claims) {
		clear(out)
		return nil, ErrSelfCheck
	}
	return out, nil
}

// edwardsAggregator is aggregator for ed25519.
type edwardsAggregator struct {
	signers  *rfc9591.SignerSet
	sessions []*rfc9591.Session
	shares   [][][]byte
	set      []NonceCommitment
}

func newEd25519Aggregator(n, t int, set []NonceCommitment, count int) (aggregator, error) {
	signers, err := edwardsSet(n, t, set)
	return &edwardsAggregator{signers, make([]*rfc9591.Session, count), make([][][]byte, count), set}, err
}

func (a *edwardsAggregator) sum(items []Item, set []NonceCommitment, all []contribution) []summed {
	out := make([]summed, len(items))
	keys, errs := openEd25519Keys(items)
	for i := range items {
		if out[i].err = errs[i]; out[i].err != nil {
			continue
		}
		shares := make([][]byte, len(all))
		for j := range all {
			shares[j] = shareOf(all[j].shares, i)
		}
		out[i].sig, out[i].blame, out[i].err = a.sumOne(i, keys[i], items[i].Message, set, shares)
	}
	return out
}

func (a *edwardsAggregator) sumOne(i int, key *rfc9591.Key, message []byte, set []NonceCommitment, shares [][]byte) (
	[]byte, []*Blame, error) {
	// That the nonces are of prime order is looked at if the signature fails.
	nonces, blame := decodeNonces(Ed25519, set, i, rfc9591.ParseCheckedPubNonce)
	for j, s := range shares {
		if !rfc9591.IsShare(s) {
			blame = append(blame, &Blame{set[j].Index, i, reasonShare})
		}
	}
	if blame != nil {
		return nil, blame, nil
	}
	session, err := rfc9591.NewSession(key, a.signers, nonces, message)
	if err != nil {
		return nil, nil, err
	}
	a.sessions[i], a.shares[i] = session, shares
	sig, err := session.Aggregate(shares)
	return sig, nil, err
}

func (a *edwardsAggregator) invalid(items []Item, sigs [][]byte) []int {
	var bad []int
	for i, sig := range sigs {
		if sig != nil && !ed25519.Verify(a.sessions[i].PublicKey(), items[i].Message, sig) {
			bad = append(bad, i)
		}
	}
	return bad
}

func (a *edwardsAggregator) outputKey(i int) []byte { return bytes.Clone(a.sessions[i].PublicKey()) }

func (a *edwardsAggregator) fault(i, pos, index int) (string, error) {
	if _, ok := rfc9591.ParsePubNonce(nonceOf(Ed25519, a.set[pos].Points, i)); !ok {
		return reasonCommitmentPoint, nil
	}
	claim := rfc9591.Claim{Session: a.sessions[i], ID: edwardsID(index), Share: a.shares[i][pos]}
	if !rfc9591.VerifyBatch([]rfc9591.Claim{claim}) {
		return reasonShare, nil
	}
	return "", nil
}
