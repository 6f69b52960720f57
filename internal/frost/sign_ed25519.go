package frost

import (
	"bytes"
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
	batch := make(edwardsBatch, 0, len(items))
	points := make([]byte, 0, len(items)*Ed25519.NonceSize())
	for i, it := range items {
		key, err := openEd25519Key(&it)
		if err != nil {
			batch.wipe()
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
		nonce, pub, err := drawEd25519(rand, it, key, session, i)
		if err != nil {
			batch.wipe()
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
		batch = append(batch, edwardsHeld{key, bytes.Clone(it.Message), bytes.Clone(it.Key.Share.Expose()), nonce, pub})
		points = append(points, pub.Bytes()...)
	}
	return batch, points, nil
}

// openEd25519Key decodes an item's public key and adds the offsets.
func openEd25519Key(it *Item) (*rfc9591.Key, error) {
	key, err := rfc9591.NewKey(it.Key.N, it.Key.T, it.Key.PublicKey, it.Key.VSSCommitment)
	if err != nil || len(it.Offsets) == 0 {
		return key, err
	}
	child, err := key.Child(it.Offsets)
	if errors.Is(err, rfc9591.ErrChild) {
		err = ErrChild
	}
	return child, err
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
	for i := range items {
		shares := make([][]byte, len(all))
		for j := range all {
			shares[j] = shareOf(all[j].shares, i)
		}
		out[i].sig, out[i].blame, out[i].err = a.sumOne(i, &items[i], set, shares)
	}
	return out
}

func (a *edwardsAggregator) sumOne(i int, it *Item, set []NonceCommitment, shares [][]byte) ([]byte, []*Blame, error) {
	key, err := openEd25519Key(it)
	if err != nil {
		return nil, nil, err
	}
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
	session, err := rfc9591.NewSession(key, a.signers, nonces, it.Message)
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
