package frost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1"
)

// secpKey is the public part of an item.
type secpKey struct {
	commitments []byte
	tweak       *bip445.TweakContext
}

// openSecpKey decodes an item's public key, which is the first commitment, and
// applies the tweak.
func openSecpKey(it *Item) (*secpKey, error) {
	internal, err := bip445.TweakContextFromWire(it.Key.Commitments[:secp256k1.PointSize])
	if err != nil {
		return nil, err
	}
	plain := internal.Plain()
	if !bytes.Equal(plain[:], it.Key.PublicKey) {
		return nil, errors.New("key: the public key is not the first commitment")
	}
	tweaked, err := taproot(internal, it.Tweak)
	if err != nil {
		return nil, err
	}
	return &secpKey{bytes.Clone(it.Key.Commitments), tweaked}, nil
}

// errIdentityShare says that a node's public share is the identity: its secret
// share is zero, which a node can only do to itself, as the last to deal.
var errIdentityShare = errors.New("key: the public share of the node is the identity")

// pubshare gives the public share of a node.
func (k *secpKey) pubshare(index int) (*bip445.Pubshare, error) {
	points, err := secp256k1.DecodePoints(k.commitments)
	if err != nil {
		return nil, fmt.Errorf("key: commitments: %w", err)
	}
	p, ok := bip445.NewPubshare(secp256k1.EvaluateAt(points, uint32(index+1)))
	if !ok {
		return nil, errIdentityShare
	}
	return p, nil
}

// secpBatch is heldBatch for secp256k1-tr.
type secpBatch []secpHeld

type secpHeld struct {
	key      *secpKey
	message  []byte
	pubshare *bip445.Pubshare
	share    *secp256k1.Scalar
	nonce    *bip445.SecNonce
}

func (b secpBatch) wipe() {
	for _, h := range b {
		h.share.Zero()
		h.nonce.Wipe()
	}
}

func commitSecp(rand io.Reader, items []Item) (heldBatch, []byte, error) {
	batch := make(secpBatch, 0, len(items))
	points := make([]byte, 0, len(items)*Secp256k1TR.NonceSize())
	for i := range items {
		h, pub, err := commitSecpItem(rand, &items[i], i)
		if err != nil {
			batch.wipe()
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
		batch = append(batch, *h)
		points = pub.AppendWire(points)
	}
	return batch, points, nil
}

// commitSecpItem draws one item's nonces. The item's place in the batch goes into
// them too, so that equal items differ even where the random source fails.
func commitSecpItem(rand io.Reader, it *Item, place int) (*secpHeld, *bip445.PubNonce, error) {
	key, err := openSecpKey(it)
	if err != nil {
		return nil, nil, err
	}
	pubshare, err := key.pubshare(it.Key.Index)
	if err != nil {
		return nil, nil, err
	}
	share, err := secp256k1.DecodeScalar(it.Key.Share.Expose())
	if err != nil {
		return nil, nil, errors.New("secret share is not a scalar in range")
	}
	output := key.tweak.XOnly()
	nonce, pub, err := bip445.NonceGen(rand, bip445.NonceInput{
		SecretShare:  it.Key.Share.Expose(),
		Pubshare:     pubshare.Bytes(),
		ThresholdKey: output[:],
		Message:      it.Message,
		Extra:        binary.BigEndian.AppendUint32(nil, uint32(place)),
	})
	if err != nil {
		share.Zero()
		return nil, nil, err
	}
	return &secpHeld{key, bytes.Clone(it.Message), pubshare, share, nonce}, pub, nil
}

func (b secpBatch) sign(h *heldNonces, set []Commitment) ([]byte, error) {
	signers, err := bip445.NewSignerSet(h.n, h.t, indexes(set))
	if err != nil {
		return nil, err
	}
	own, _ := signers.Position(h.index)
	claims := make([]bip445.Claim, len(b))
	out := make([]byte, 0, len(b)*ScalarSize)
	for i := range b {
		nonces, blame := secpNonces(set, i)
		if blame != nil {
			return nil, blame[0]
		}
		session := bip445.NewSession(signers, b[i].key.tweak, bip445.Aggregate(nonces), b[i].message)
		share, err := session.Respond(b[i].nonce, b[i].share, h.index)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		claims[i] = bip445.Claim{Session: session, ID: h.index, Sig: share, Nonce: nonces[own], Pubshare: b[i].pubshare}
		out = append(out, share.Bytes()...)
	}
	if !bip445.VerifyBatch(claims) {
		clear(out)
		return nil, ErrSelfCheck
	}
	return out, nil
}

// secpNonces decodes one item's public nonces, or blames.
func secpNonces(set []Commitment, item int) ([]*bip445.PubNonce, []*Blame) {
	nonces := make([]*bip445.PubNonce, len(set))
	var blame []*Blame
	for i, c := range set {
		var ok bool
		if nonces[i], ok = bip445.PubNonceFromWire(nonceOf(Secp256k1TR, c.Points, item)); !ok {
			blame = append(blame, &Blame{c.Index, item, reasonCommitmentPoint})
		}
	}
	return nonces, blame
}

// secpAggregator is aggregator for secp256k1-tr.
type secpAggregator struct {
	signers *bip445.SignerSet
	open    []secpOpen
}

// secpOpen is an item whose signature was summed up.
type secpOpen struct {
	key     *secpKey
	session *bip445.Session
	nonces  []*bip445.PubNonce
	shares  []*secp256k1.Scalar
}

func newSecpAggregator(n, t int, set []Commitment, count int) (aggregator, error) {
	signers, err := bip445.NewSignerSet(n, t, indexes(set))
	return &secpAggregator{signers, make([]secpOpen, count)}, err
}

func (a *secpAggregator) sum(i int, it *Item, set []Commitment, shares [][]byte) ([]byte, []*Blame, error) {
	key, err := openSecpKey(it)
	if err != nil {
		return nil, nil, err
	}
	nonces, blame := secpNonces(set, i)
	sum := new(secp256k1.Scalar)
	parsed := make([]*secp256k1.Scalar, len(shares))
	for j, b := range shares {
		s, ok := bip445.ParsePartialSig(b)
		if !ok {
			blame = append(blame, &Blame{set[j].Index, i, reasonShare})
			continue
		}
		parsed[j] = s
		sum.Add(sum, s)
	}
	if blame != nil {
		return nil, blame, nil
	}
	session := bip445.NewSession(a.signers, key.tweak, bip445.Aggregate(nonces), it.Message)
	a.open[i] = secpOpen{key, session, nonces, parsed}
	sig := session.Signature(sum)
	return sig[:], nil, nil
}

func (a *secpAggregator) invalid(items []Item, sigs [][]byte) []int {
	batch := make([]bip340.Signature, 0, len(items))
	var at []int
	for i, sig := range sigs {
		if sig == nil {
			continue
		}
		x := a.open[i].key.tweak.XOnly()
		batch = append(batch, bip340.Signature{PublicKey: x[:], Message: items[i].Message, Signature: sig})
		at = append(at, i)
	}
	bad := bip340.BatchVerify(batch)
	for j := range bad {
		bad[j] = at[bad[j]]
	}
	return bad
}

func (a *secpAggregator) shareHolds(i, pos, index int) (bool, error) {
	o := &a.open[i]
	pubshare, err := o.key.pubshare(index)
	if errors.Is(err, errIdentityShare) {
		return false, nil // of a signature that failed anyway
	}
	if err != nil {
		return false, err
	}
	return o.session.Verify(o.shares[pos], o.nonces[pos], pubshare, index), nil
}
