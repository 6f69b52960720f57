package frost

import (
	"bytes"
	"errors"
	"fmt"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Whoever leaves the fleet puts a secret key together again, on a machine without a
// network. It is the one place in which one is computed.

// ErrNoRoot means that shares which all fit their commitments do not give the secret of
// the public key: that is another key's.
var ErrNoRoot = errors.New("the shares fit their commitments, and give another key than the public one")

// WrongShareError names a node whose share is not the one that the commitments are of.
type WrongShareError struct{ Index int }

func (e *WrongShareError) Error() string {
	return fmt.Sprintf("the share of node %d is not the one that the commitments are of", e.Index)
}

// ReconstructRoot returns the secret of a key, 32 bytes in the suite's encoding, by
// interpolation at 0. shares holds shares of 32 bytes by node index, T of them or more, of
// which all are checked and T used. The caller wipes shares and result.
func ReconstructRoot(k *Key, shares map[int]*secret.Bytes) (*secret.Bytes, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	if len(shares) < k.T {
		return nil, fmt.Errorf("key: shares of %d nodes, and %d are needed", len(shares), k.T)
	}
	if k.Suite == Secp256k1TR {
		return reconstruct(secpGroup{}, secpField{}, k, shares)
	}
	return reconstruct(edwardsGroup{}, edwardsField{}, k, shares)
}

// field is what interpolation needs besides the group: an inverse, and points as
// commitments of a finished key have them.
type field[S, P any] interface {
	invert(dst, a *S)
	sub(dst, a, b *S)
	decodePoint(b []byte) (*P, bool)
}

type secpField struct{}

func (secpField) invert(dst, a *secp.Scalar) { dst.Invert(a) }
func (secpField) sub(dst, a, b *secp.Scalar) { dst.Subtract(a, b) }
func (secpField) decodePoint(b []byte) (*vartime.Point, bool) {
	p, ok := vartime.Decode(b)
	return &p, ok
}

type edwardsField struct{}

func (edwardsField) invert(dst, a *edwards25519.Scalar) { dst.Invert(a) }
func (edwardsField) sub(dst, a, b *edwards25519.Scalar) { dst.Sub(a, b) }
func (edwardsField) decodePoint(b []byte) (*edwards25519.Point, bool) {
	p, err := edwards25519.DecodePoint(b)
	return p, err == nil
}

func reconstruct[S, P any](g group[S, P], f field[S, P], k *Key, shares map[int]*secret.Bytes) (*secret.Bytes, error) {
	points := make([]*P, k.T)
	for i := range points {
		size := k.Suite.PointSize()
		var ok bool
		if points[i], ok = f.decodePoint(k.VSSCommitment[i*size:][:size]); !ok {
			return nil, fmt.Errorf("key: commitment %d is no point", i)
		}
	}
	values := make([]S, 0, len(shares))
	defer func() { clear(values) }()
	var nodes []int
	for index := range k.N {
		share := shares[index]
		if share == nil {
			continue
		}
		var value S
		if len(share.Expose()) != ScalarSize || g.decodeScalar(&value, share.Expose()) != nil ||
			!g.isSumVartime(g.baseMult(&value), powers(g, index, k.T), points) {
			return nil, &WrongShareError{index}
		}
		values, nodes = append(values, value), append(nodes, index)
	}
	if len(nodes) != len(shares) {
		return nil, fmt.Errorf("key: a share of a node that is not one of 0 to %d", k.N-1)
	}
	sum := make([]S, 1)
	defer clear(sum)
	for i := range k.T {
		lambda := interpolate(g, f, nodes[:k.T], i)
		g.mul(&values[i], &values[i], lambda)
		g.add(&sum[0], &sum[0], &values[i])
	}
	root := g.baseMult(&sum[0])
	if g.isIdentity(root) || !bytes.Equal(g.publicKey(g.appendPoint(nil, root)), k.PublicKey) {
		return nil, ErrNoRoot
	}
	return secret.New(g.appendScalar(make([]byte, 0, ScalarSize), &sum[0])), nil
}

// powers are those of a node's x coordinate, from 0 on.
func powers[S, P any](g group[S, P], index, count int) []*S {
	all := []*S{g.small(1)}
	for len(all) < count {
		next := new(S)
		g.mul(next, all[len(all)-1], g.small(uint32(index+1)))
		all = append(all, next)
	}
	return all
}

// interpolate is the weight at 0 of a node's value: the product of x_j/(x_j-x_i) over the
// other nodes j. It is public.
func interpolate[S, P any](g group[S, P], f field[S, P], nodes []int, i int) *S {
	num, den := g.small(1), g.small(1)
	for j := range nodes {
		if j == i {
			continue
		}
		x := g.small(uint32(nodes[j] + 1))
		g.mul(num, num, x)
		f.sub(x, x, g.small(uint32(nodes[i]+1)))
		g.mul(den, den, x)
	}
	f.invert(den, den)
	g.mul(num, num, den)
	return num
}
