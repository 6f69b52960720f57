package frost

import (
	"bytes"
	"errors"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// ErrShare means that a share is not the one that the commitments of its key give a node.
var ErrShare = errors.New("the share does not fit the key's commitments")

// CheckShare checks that a key's share is the value of its commitments at the node's index,
// and that the first of them is the public key. It is constant time in the share.
func CheckShare(k *Key) error {
	if err := k.validate(); err != nil {
		return err
	}
	switch {
	case k.Index < 0 || k.Index >= k.N:
		return errors.New("key: the node is not one of its nodes")
	case len(k.Share.Expose()) != ScalarSize:
		return ErrShare
	case k.Suite == Secp256k1TR:
		return checkShare(secpGroup{}, k, vartime.Decode)
	}
	return checkShare(edwardsGroup{}, k, func(b []byte) (p edwards25519.Point, ok bool) {
		decoded, err := edwards25519.DecodePoint(b)
		if err != nil {
			return p, false
		}
		return *decoded, true
	})
}

func checkShare[S, P any](g group[S, P], k *Key, decode func([]byte) (P, bool)) error {
	size := k.Suite.PointSize()
	x, power := g.small(uint32(k.Index+1)), g.small(1)
	scalars, points := make([]*S, k.T), make([]*P, k.T)
	for i := range points {
		p, ok := decode(k.VSSCommitment[i*size:][:size])
		if !ok {
			return errors.New("key: a commitment is no point")
		}
		scalars[i], points[i] = power, &p
		power = new(S)
		g.mul(power, scalars[i], x)
	}
	if !bytes.Equal(g.publicKey(k.VSSCommitment[:size]), k.PublicKey) {
		return errors.New("key: the public key is not the first commitment")
	}
	share := make([]S, 1)
	defer clear(share)
	if g.decodeScalar(&share[0], k.Share.Expose()) != nil || !g.isSumVartime(g.baseMult(&share[0]), scalars, points) {
		return ErrShare
	}
	return nil
}
