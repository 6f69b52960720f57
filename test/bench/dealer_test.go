package bench_test

import (
	"crypto/rand"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// dealt is a key that one dealer made, as its first t nodes have it: what signing costs is
// the same as with a key of the fleet's, and a thousand of 16-of-24 are there at once.
func dealt(suite frost.Suite, t, n int) ([]*frost.Key, error) {
	deal := dealSecp
	if suite == frost.Ed25519 {
		deal = dealEd25519
	}
	commitments, shares, err := deal(t)
	if err != nil {
		return nil, err
	}
	public := commitments[:suite.PointSize()]
	if suite == frost.Secp256k1TR {
		public = append([]byte{2 | public[63]&1}, public[:32]...)
	}
	keys := make([]*frost.Key, t)
	for i := range keys {
		keys[i] = &frost.Key{Suite: suite, N: n, T: t, Index: i, PublicKey: public, VSSCommitment: commitments,
			Share: secret.New(shares[i])}
	}
	return keys, nil
}

// dealSecp returns commitments to the coefficients of a polynomial, and its values at 1 to t.
func dealSecp(t int) (commitments []byte, shares [][]byte, err error) {
	coefficients := make([]*secp.Scalar, t)
	for i := range coefficients {
		var b [32]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, nil, err
		}
		coefficients[i] = secp.NewScalar()
		coefficients[i].SetBytes(&b)
		point := vartime.BaseMult(coefficients[i])
		commitments = vartime.Affine(point)[0].AppendWire(commitments)
	}
	for x := range t {
		at, value := secp.NewScalarFromUint64(uint64(x+1)), secp.NewScalar()
		for i := t - 1; i >= 0; i-- {
			value.Add(value.Multiply(value, at), coefficients[i])
		}
		shares = append(shares, value.Bytes())
	}
	return commitments, shares, nil
}

// dealEd25519 is dealSecp in the other suite.
func dealEd25519(t int) (commitments []byte, shares [][]byte, err error) {
	coefficients := make([]*scalar.Scalar, t)
	for i := range coefficients {
		if coefficients[i], err = scalar.New().SetRandom(rand.Reader); err != nil {
			return nil, nil, err
		}
		point := edwards25519.Encode(edwards25519.BaseMult(coefficients[i]))
		commitments = append(commitments, point[:]...)
	}
	for x := range t {
		at, value := scalar.NewFromUint64(uint64(x+1)), scalar.New()
		for i := t - 1; i >= 0; i-- {
			value.Add(value.Mul(value, at), coefficients[i])
		}
		share := edwards25519.EncodeScalar(value)
		shares = append(shares, share[:])
	}
	return commitments, shares, nil
}
