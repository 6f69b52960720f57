package frost

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// secpKey is the public part of an item.
type secpKey struct {
	commitments []byte
	tweak       *bip445.TweakContext
}

// openSecpKeys decodes each item's public key, which is the first commitment,
// and applies offsets and tweak, or returns an error in that place.
func openSecpKeys(items []Item) ([]*secpKey, []error) {
	internal, tweaks := make([]*bip445.TweakContext, len(items)), make([][]byte, len(items))
	wrong := make([]error, len(items))
	for i := range items {
		internal[i], wrong[i] = internalKey(items[i].Key)
	}
	descend(items, internal, wrong)
	for i := range items {
		if wrong[i] == nil {
			tweaks[i] = tapTweak(internal[i], items[i].Tweak)
		}
	}
	tweaked, errs := bip445.ApplyEach(internal, tweaks, true)
	keys := make([]*secpKey, len(items))
	for i := range items {
		if errs[i] = cmp.Or(wrong[i], errs[i]); errs[i] == nil {
			keys[i] = &secpKey{bytes.Clone(items[i].Key.VSSCommitment), tweaked[i]}
		}
	}
	return keys, errs
}

// descend replaces the keys of items that have offsets by the children, or puts an
// error in that place.
func descend(items []Item, keys []*bip445.TweakContext, wrong []error) {
	var at []int
	var parents []*bip445.TweakContext
	var offsets [][][ScalarSize]byte
	for i := range items {
		if len(items[i].Offsets) > 0 && wrong[i] == nil {
			at, parents, offsets = append(at, i), append(parents, keys[i]), append(offsets, items[i].Offsets)
		}
	}
	if len(at) == 0 {
		return
	}
	children, errs := bip445.ApplyPlain(parents, offsets)
	for j, i := range at {
		keys[i], wrong[i] = children[j], errs[j]
		if errors.Is(wrong[i], bip445.TweakToInfinity) {
			wrong[i] = ErrChild
		}
	}
}

// internalKey decodes a key without a tweak.
func internalKey(k *Key) (*bip445.TweakContext, error) {
	internal, err := bip445.TweakContextFromWire(k.VSSCommitment[:vartime.PointSize])
	if err != nil {
		return nil, err
	}
	if plain := internal.Plain(); !bytes.Equal(plain[:], k.PublicKey) {
		return nil, errors.New("key: the public key is not the first commitment")
	}
	return internal, nil
}

// errIdentityShare means that a node's public share is the identity: its secret
// share is zero, which only the node itself can bring about, by dealing last.
var errIdentityShare = errors.New("key: the public share of the node is the identity")

// evaluate returns the public share of a node.
func (k *secpKey) evaluate(index int) (vartime.Jacobian, error) {
	points, ok := vartime.DecodeAll(k.commitments)
	if !ok {
		return vartime.Jacobian{}, fmt.Errorf("key: commitments: %w", vartime.ErrPoint)
	}
	return vartime.EvaluateAt(points, uint32(index+1)), nil
}

// pubshares returns the public share of a node in each key, none the identity.
func pubshares(keys []*secpKey, index int) ([]*bip445.Pubshare, error) {
	sums := make([]vartime.Jacobian, len(keys))
	for i, k := range keys {
		var err error
		if sums[i], err = k.evaluate(index); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	shares := make([]*bip445.Pubshare, len(keys))
	for i, p := range vartime.Affine(sums...) {
		var ok bool
		if shares[i], ok = bip445.NewPubshare(p); !ok {
			return nil, fmt.Errorf("item %d: %w", i, errIdentityShare)
		}
	}
	return shares, nil
}

// secpBatch is heldBatch for secp256k1-tr.
type secpBatch []secpHeld

type secpHeld struct {
	key      *secpKey
	message  []byte
	pubshare *bip445.Pubshare
	share    *bip445.Scalar
	nonce    *bip445.SecNonce
}

func (b secpBatch) wipe() {
	for _, h := range b {
		h.share.Zero()
		if h.nonce != nil {
			h.nonce.Wipe()
		}
	}
}

func commitSecp(rand io.Reader, session [32]byte, items []Item) (heldBatch, []byte, error) {
	keys, errs := openSecpKeys(items)
	for i, err := range errs {
		if err != nil {
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	shares, err := pubshares(keys, items[0].Key.Index)
	if err != nil {
		return nil, nil, err
	}
	batch := make(secpBatch, len(items))
	for i := range items {
		share, ok := bip445.ParseScalar(items[i].Key.Share.Expose())
		if !ok {
			batch[:i].wipe()
			return nil, nil, fmt.Errorf("item %d: secret share is not a scalar in range", i)
		}
		batch[i] = secpHeld{key: keys[i], message: bytes.Clone(items[i].Message), pubshare: shares[i], share: share}
	}
	nonces, err := batch.draw(rand, session, items)
	if err != nil {
		batch.wipe()
		return nil, nil, err
	}
	points := make([]byte, 0, len(items)*Secp256k1TR.NonceSize())
	for _, n := range nonces {
		points = n.AppendWire(points)
	}
	return batch, points, nil
}

// draw draws all nonces, and returns the public ones. The session and an item's position in it
// are hashed too, so that other sessions and equal items get different nonces even if
// the random source fails.
func (b secpBatch) draw(rand io.Reader, session [32]byte, items []Item) ([]*bip445.PubNonce, error) {
	inputs := make([]bip445.NonceInput, len(b))
	for i := range b {
		output := b[i].key.tweak.XOnly()
		inputs[i] = bip445.NonceInput{
			SecretShare:  items[i].Key.Share.Expose(),
			Pubshare:     b[i].pubshare.Bytes(),
			ThresholdKey: output[:],
			Message:      b[i].message,
			Extra:        binary.BigEndian.AppendUint32(session[:], uint32(i)),
		}
	}
	secrets, public, err := bip445.NonceGenAll(rand, inputs)
	for i := range secrets {
		b[i].nonce = secrets[i]
	}
	return public, err
}

func (b secpBatch) sign(h *heldNonces, set []NonceCommitment) ([]byte, error) {
	out, claims, err := b.respond(h, set)
	if err == nil && !bip445.VerifyBatch(claims) {
		err = ErrSelfCheck
	}
	if err != nil {
		discardSecp(out, claims)
		return nil, err
	}
	return out, nil
}

// discardSecp wipes shares that stay here, in both forms: one that fails its check may tell of the
// secret share.
func discardSecp(out []byte, claims []bip445.Claim) {
	clear(out)
	for _, c := range claims {
		if c.Sig != nil {
			c.Sig.Zero()
		}
	}
}

// respond makes the shares, unchecked, also as what is to be checked of them. With an error they are
// those that were made before it.
func (b secpBatch) respond(h *heldNonces, set []NonceCommitment) ([]byte, []bip445.Claim, error) {
	signers, err := bip445.NewSignerSet(h.n, h.t, indexes(set))
	if err != nil {
		return nil, nil, err
	}
	own, _ := signers.Position(h.index)
	nonces := make([][]*bip445.PubNonce, len(b))
	for i := range b {
		var blame []*Blame
		if nonces[i], blame = decodeNonces(Secp256k1TR, set, i, bip445.PubNonceFromWire); blame != nil {
			return nil, nil, blame[0]
		}
	}
	openings := make([]bip445.Opening, len(b))
	for i, sum := range bip445.AggregateAll(nonces) {
		openings[i] = bip445.Opening{Tweak: b[i].key.tweak, Nonce: sum, Message: b[i].message}
	}
	claims := make([]bip445.Claim, len(b))
	out := make([]byte, 0, len(b)*ScalarSize)
	for i, session := range bip445.NewSessions(signers, openings) {
		share, err := session.Respond(b[i].nonce, b[i].share, h.index)
		if err != nil {
			return out, claims, fmt.Errorf("item %d: %w", i, err)
		}
		claims[i] = bip445.Claim{Session: session, ID: h.index, Sig: share, Nonce: nonces[i][own], Pubshare: b[i].pubshare}
		encoded := share.Bytes()
		out = append(out, encoded...)
		clear(encoded)
	}
	return out, claims, nil
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
	shares  []*bip445.Scalar
}

func newSecpAggregator(n, t int, set []NonceCommitment, count int) (aggregator, error) {
	signers, err := bip445.NewSignerSet(n, t, indexes(set))
	return &secpAggregator{signers, make([]secpOpen, count)}, err
}

func (a *secpAggregator) sum(items []Item, set []NonceCommitment, all []contribution) []summed {
	out := make([]summed, len(items))
	keys, errs := openSecpKeys(items)
	var at []int // items that may be summed up, with
	var nonces [][]*bip445.PubNonce
	for i := range items {
		if out[i].err = errs[i]; out[i].err != nil {
			continue
		}
		a.open[i].key = keys[i]
		a.open[i].nonces, out[i].blame = decodeNonces(Secp256k1TR, set, i, bip445.PubNonceFromWire)
		out[i].blame = append(out[i].blame, a.open[i].parse(all, i)...)
		if out[i].blame == nil {
			at, nonces = append(at, i), append(nonces, a.open[i].nonces)
		}
	}
	openings := make([]bip445.Opening, len(at))
	for j, sum := range bip445.AggregateAll(nonces) {
		openings[j] = bip445.Opening{Tweak: keys[at[j]].tweak, Nonce: sum, Message: items[at[j]].Message}
	}
	for j, session := range bip445.NewSessions(a.signers, openings) {
		o := &a.open[at[j]]
		o.session = session
		sum := new(bip445.Scalar)
		for _, s := range o.shares {
			sum.Add(sum, s)
		}
		sig := session.Signature(sum)
		out[at[j]].sig = sig[:]
	}
	return out
}

// parse reads the shares of item i, or blames.
func (o *secpOpen) parse(all []contribution, i int) (blame []*Blame) {
	o.shares = make([]*bip445.Scalar, len(all))
	for j := range all {
		var ok bool
		if o.shares[j], ok = bip445.ParseScalar(shareOf(all[j].shares, i)); !ok {
			blame = append(blame, &Blame{all[j].Index, i, reasonShare})
		}
	}
	return blame
}

func (a *secpAggregator) invalid(items []Item, sigs [][]byte) []int {
	batch := make([]bip340.Signature, 0, len(items))
	var at []int
	for i, sig := range sigs {
		if sig == nil {
			continue
		}
		o := &a.open[i]
		x, key, nonce := o.key.tweak.XOnly(), o.key.tweak.Key(), o.session.Nonce()
		batch = append(batch, bip340.Signature{
			PublicKey: x[:], Message: items[i].Message, Signature: sig, Key: &key, Nonce: &nonce,
		})
		at = append(at, i)
	}
	bad := bip340.BatchVerify(batch)
	for j := range bad {
		bad[j] = at[bad[j]]
	}
	return bad
}

func (a *secpAggregator) outputKey(i int) []byte {
	x := a.open[i].key.tweak.XOnly()
	return x[:]
}

func (a *secpAggregator) fault(i, pos, index int) (string, error) {
	o := &a.open[i]
	sum, err := o.key.evaluate(index)
	if err != nil {
		return "", err
	}
	pubshare, ok := bip445.NewPubshare(vartime.Affine(sum)[0])
	if !ok || // the identity belongs to a signature that failed anyway
		!o.session.Verify(o.shares[pos], o.nonces[pos], pubshare, index) {
		return reasonShare, nil
	}
	return "", nil
}
