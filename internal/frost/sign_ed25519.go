package frost

import (
	"bytes"
	"cmp"

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

// edwardsForm is how the nonces of a session go over the wire.
func edwardsForm(form Form) rfc9591.Form {
	if form >= FormDivided {
		return rfc9591.Divided
	}
	return rfc9591.Encoded
}

// edwardsBatch is heldBatch for ed25519.
type edwardsBatch []edwardsHeld

type edwardsHeld struct {
	key     *rfc9591.Key
	message []byte
	share   []byte
	nonce   *rfc9591.SecNonce
}

func (b edwardsBatch) wipe() {
	for _, h := range b {
		clear(h.share)
		h.nonce.Wipe()
	}
}

func commitEd25519(rand io.Reader, session [32]byte, form Form, items []Item) (heldBatch, []byte, error) {
	keys, errs := openEd25519Keys(items)
	for i, err := range errs {
		if err != nil {
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	batch, nonces := make(edwardsBatch, len(items)), make([]rfc9591.SecNonce, len(items))
	for i, it := range items {
		batch[i] = edwardsHeld{keys[i], bytes.Clone(it.Message), bytes.Clone(it.Key.Share.Expose()), &nonces[i]}
		if err := drawEd25519(&nonces[i], rand, it, keys[i], session, i); err != nil {
			batch[:i+1].wipe()
			return nil, nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	points, err := rfc9591.Publish(edwardsForm(form), nonces)
	if err != nil {
		batch.wipe()
		return nil, nil, err
	}
	return batch, points, nil
}

// openEd25519Keys decodes each item's public key and adds the offsets, or returns an
// error in that place. A key that comes again is decoded once.
func openEd25519Keys(items []Item) ([]*rfc9591.Key, []error) {
	offsets, at := make([][][ScalarSize]byte, len(items)), make([]int, len(items))
	var public, commitments [][]byte
	known := make(map[[32]byte]int, len(items)) // the last of those that differ in their commitments
	for i := range items {
		k := items[i].Key
		offsets[i] = items[i].Offsets
		first, ok := known[[32]byte(k.PublicKey)]
		if !ok || !bytes.Equal(commitments[first], k.VSSCommitment) {
			first = len(public)
			known[[32]byte(k.PublicKey)] = first
			public, commitments = append(public, k.PublicKey), append(commitments, k.VSSCommitment)
		}
		at[i] = first
	}
	decoded, wrong := rfc9591.NewKeys(items[0].Key.N, items[0].Key.T, public, commitments)
	keys := make([]*rfc9591.Key, len(items))
	for i := range keys {
		keys[i] = decoded[at[i]]
	}
	keys, errs := rfc9591.Children(keys, offsets)
	for i := range errs {
		if errs[i] = cmp.Or(wrong[at[i]], errs[i]); errors.Is(errs[i], rfc9591.ErrChild) {
			errs[i] = ErrChild
		}
	}
	return keys, errs
}

// drawEd25519 draws an item's nonces. RFC 9591 hashes nothing but randomness and the
// share into them, so session, place and message go into the randomness, and so does
// the key that signs where it is a child.
func drawEd25519(
	nonce *rfc9591.SecNonce, rand io.Reader, it Item, key *rfc9591.Key, session [32]byte, position int,
) error {
	var random [2 * freshSize]byte // of the hiding and of the binding nonce
	defer clear(random[:])
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return fmt.Errorf("drawing a nonce: %w", err)
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
	return nonce.Draw(bytes.NewReader(random[:]), it.Key.Share.Expose())
}

func (b edwardsBatch) sign(h *heldNonces, set []NonceCommitment) ([]byte, error) {
	out, claims, err := b.respond(h, set)
	if err == nil && !rfc9591.VerifyBatch(claims) {
		err = ErrSelfCheck
	}
	if err != nil {
		discardEd25519(out, claims)
		return nil, err
	}
	return out, nil
}

// discardEd25519 is discardSecp.
func discardEd25519(out []byte, claims []rfc9591.Claim) {
	clear(out)
	for _, c := range claims {
		clear(c.Share)
	}
}

// respond is as with secp256k1.
func (b edwardsBatch) respond(h *heldNonces, set []NonceCommitment) ([]byte, []rfc9591.Claim, error) {
	signers, err := edwardsSet(h.n, h.t, set)
	if err != nil {
		return nil, nil, err
	}
	inputs, err := b.inputs(h, set)
	if err != nil {
		return nil, nil, err
	}
	sessions, err := rfc9591.NewSessions(signers, inputs)
	if err != nil {
		return nil, nil, err
	}
	id := edwardsID(h.index)
	claims := make([]rfc9591.Claim, len(sessions))
	out := make([]byte, 0, len(sessions)*ScalarSize)
	for i := range sessions {
		share, err := sessions[i].Sign(b[i].nonce, b[i].share, id)
		if err != nil {
			return out, claims, fmt.Errorf("item %d: %w", i, err)
		}
		claims[i] = rfc9591.Claim{Session: &sessions[i], ID: id, Share: share}
		out = append(out, share...)
	}
	return out, claims, nil
}

// inputs are those of the batch's sessions. The order of the own nonces is known.
func (b edwardsBatch) inputs(h *heldNonces, set []NonceCommitment) ([]rfc9591.Input, error) {
	form := edwardsForm(h.form)
	inputs := newInputs(len(b), len(set))
	for j, c := range set {
		nonces := make([]rfc9591.PubNonce, len(b))
		if bad := rfc9591.ParseNonces(form, nonces, c.Points, c.Index == h.index); bad >= 0 {
			return nil, &Blame{c.Index, bad, reasonCommitmentPoint}
		}
		for i := range inputs {
			inputs[i].Nonces[j] = &nonces[i]
		}
	}
	for i, it := range b {
		inputs[i].Key, inputs[i].Message = it.key, it.message
	}
	return inputs, nil
}

func newInputs(count, t int) []rfc9591.Input {
	inputs, nonces := make([]rfc9591.Input, count), make([]*rfc9591.PubNonce, count*t)
	for i := range inputs {
		inputs[i].Nonces = nonces[i*t:][:t:t]
	}
	return inputs
}
