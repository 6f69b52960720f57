package awskms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"math/big"

	"filippo.io/nistec"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A node whose role has only kms:DescribeKey and kms:Sign, as the guide gives
// it, may not ask for its public key. An ECDSA signature (r, s) of a digest e
// leaves a few keys that can have made it: for each of the points R with
// x-coordinate r modulo the order n,
//
//	Q = r⁻¹ (s·R − e·G).
//
// The key is the one of these that made another signature too.
//
// The points are those of filippo.io/nistec, which the build has anyway: the
// arithmetic of crypto/elliptic is deprecated, and that of crypto/internal out
// of reach. Scalars are math/big: all of it is public, so that variable time is
// no loss.

var order = elliptic.P256().Params().N

// recoverVarTime returns the at most four public keys under which a signature
// (ASN.1 DER) verifies for a digest. Only public data may go in.
func recoverVarTime(digest [32]byte, sig []byte) ([]*ecdsa.PublicKey, error) {
	r, s, err := parseSignature(sig)
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(digest[:])
	rInv := new(big.Int).ModInverse(r, order)
	u1 := scalar(new(big.Int).Mul(new(big.Int).Neg(e), rInv)) // −e/r
	u2 := scalar(new(big.Int).Mul(s, rInv))                   // s/r
	base, err := nistec.NewP256Point().ScalarBaseMult(u1)
	if err != nil {
		return nil, err
	}
	var found []*ecdsa.PublicKey
	// x is r, or r + n where that is below p: once in 2³² signatures.
	for x := r; x.Cmp(elliptic.P256().Params().P) < 0; x = new(big.Int).Add(x, order) {
		for _, sign := range []byte{2, 3} {
			point, err := nistec.NewP256Point().SetBytes(append([]byte{sign}, x.FillBytes(make([]byte, 32))...))
			if err != nil {
				break // no point has this x
			}
			if _, err := point.ScalarMult(point, u2); err != nil {
				return nil, err
			}
			q, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point.Add(point, base).Bytes())
			if err == nil { // not infinity
				found = append(found, q)
			}
		}
	}
	return found, nil
}

func scalar(x *big.Int) []byte {
	return x.Mod(x, order).FillBytes(make([]byte, 32))
}

// parseSignature takes what crypto/ecdsa takes: strict DER, both numbers from
// 1 to n−1.
func parseSignature(sig []byte) (r, s *big.Int, err error) {
	r, s = new(big.Int), new(big.Int)
	input := cryptobyte.String(sig)
	var inner cryptobyte.String
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() {
		return nil, nil, errors.New("signature is not two numbers in DER")
	}
	for _, x := range []*big.Int{r, s} {
		if x.Sign() <= 0 || x.Cmp(order) >= 0 {
			return nil, nil, errors.New("signature has a number out of range")
		}
	}
	return r, s, nil
}
