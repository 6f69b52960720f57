package frost

import (
	"bytes"
	"errors"
	"slices"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/rfc9591"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/consttime"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// group is what the key generation needs of a group of prime order with
// scalars S and points P. All of it is constant time in scalars except what
// has Vartime in its name. Once it is a point, it is public.
type group[S, P any] interface {
	// reduce sets dst to the number in b (at most 64 bytes, in the byte order
	// of the group's scalars) modulo the order. 64 random bytes become a uniform
	// scalar.
	reduce(dst *S, b []byte)
	small(x uint32) *S
	add(dst, a, b *S)
	mul(dst, a, b *S)
	appendScalar(dst []byte, s *S) []byte
	decodeScalar(dst *S, b []byte) error
	// interpolatingValue is the Lagrange coefficient at zero of one of indices.
	interpolatingValue(indices []int, index int) *S

	// appendDealt appends scalars[i]·G as deals carry it, for random scalars; many at
	// once cost less. decodeDealt reads as many as points, which are then in the prime-order
	// group and not the identity, or returns the first place where that can't be, and why; else -1.
	appendDealt(dst []byte, scalars []*S) []byte
	decodeDealt(points []P, b []byte) (refused int, err error)

	baseMult(s *S) *P
	// isSumVartime reports whether p is the sum of scalars[i]·points[i].
	isSumVartime(p *P, scalars []*S, points []*P) bool
	// evaluateVartime evaluates polynomials in the exponent at x, not 0: count commitments
	// each, constant term first.
	evaluateVartime(commitments []P, count int, x uint32) []P
	// addPoints adds points[i] to sums[i].
	addPoints(sums, points []P)
	isIdentity(p *P) bool

	// appendPoint appends the wire encoding of p, not the identity, and
	// publicKey makes a public key of one wire encoding. appendPoints does that for many, of
	// public data, which cost less.
	appendPoint(dst []byte, p *P) []byte
	appendPoints(dst []byte, points []P) []byte
	publicKey(wire []byte) []byte
	// decodePoint and decodeKey read a wire point and a public key that are known to
	// be of prime order.
	decodePoint(dst *P, wire []byte) error
	decodeKey(dst *P, publicKey []byte) error
}

// dealtChunk is how many points are held besides their encoding.
const dealtChunk = 1024

type secpGroup struct{}

// twoTo256 is 2^256 modulo the order.
var twoTo256 = func() *secp.Scalar {
	s, _ := secp.NewScalarFromBytes((*[32]byte)(bytes.Repeat([]byte{0xff}, 32)))
	return s.Add(s, secp.NewScalarFromUint64(1))
}()

func (secpGroup) reduce(dst *secp.Scalar, b []byte) {
	if len(b) <= 32 { // nothing is above: weights and challenges
		var low [32]byte
		copy(low[32-len(b):], b)
		dst.SetBytes(&low)
		clear(low[:])
		return
	}
	var wide [64]byte
	copy(wide[64-len(b):], b)
	var high secp.Scalar
	high.SetBytes((*[32]byte)(wide[:32]))
	dst.SetBytes((*[32]byte)(wide[32:]))
	dst.Add(dst, high.Multiply(&high, twoTo256))
	high.Zero()
	clear(wide[:])
}

func (secpGroup) small(x uint32) *secp.Scalar { return secp.NewScalarFromUint64(uint64(x)) }
func (secpGroup) add(dst, a, b *secp.Scalar)  { dst.Add(a, b) }
func (secpGroup) mul(dst, a, b *secp.Scalar)  { dst.Multiply(a, b) }

func (secpGroup) appendScalar(dst []byte, s *secp.Scalar) []byte {
	b := s.Bytes()
	defer clear(b)
	return append(dst, b...)
}

func (secpGroup) decodeScalar(dst *secp.Scalar, b []byte) error {
	_, err := dst.SetCanonicalBytes((*[32]byte)(b))
	return err
}

func (secpGroup) interpolatingValue(indices []int, index int) *secp.Scalar {
	return bip445.InterpolatingValue(indices, index)
}

func (secpGroup) appendDealt(dst []byte, scalars []*secp.Scalar) []byte {
	for chunk := range slices.Chunk(scalars, dealtChunk) {
		for _, p := range consttime.BaseMults(chunk) {
			dst = p.AppendWire(dst)
		}
	}
	return dst
}

func (secpGroup) decodeDealt(points []vartime.Point, b []byte) (refused int, err error) {
	if refused = vartime.DecodeInto(points, b); refused >= 0 {
		return refused, vartime.ErrPoint
	}
	return -1, nil
}

func (secpGroup) baseMult(s *secp.Scalar) *vartime.Point {
	p := vartime.FromPoint(new(secp.Point).ScalarBaseMult(s))
	return &p
}

func (secpGroup) isSumVartime(p *vartime.Point, scalars []*secp.Scalar, points []*vartime.Point) bool {
	values := make([]vartime.Point, len(points))
	for i := range points {
		values[i] = *points[i]
	}
	sum := vartime.MultiScalarMult(scalars, values)
	return sum.Equals(p)
}

func (secpGroup) evaluateVartime(commitments []vartime.Point, count int, x uint32) []vartime.Point {
	return vartime.EvaluateAllAt(commitments, count, x)
}

func (secpGroup) addPoints(sums, points []vartime.Point) { vartime.AddAll(sums, points) }
func (secpGroup) isIdentity(p *vartime.Point) bool       { return p.IsIdentity() }
func (secpGroup) publicKey(wire []byte) []byte           { return append([]byte{2 | wire[63]&1}, wire[:32]...) }
func (secpGroup) appendPoint(dst []byte, p *vartime.Point) []byte {
	return p.AppendWire(dst)
}

func (secpGroup) appendPoints(dst []byte, points []vartime.Point) []byte {
	for i := range points {
		dst = points[i].AppendWire(dst)
	}
	return dst
}

func (secpGroup) decodePoint(dst *vartime.Point, wire []byte) error {
	p, ok := vartime.Decode(wire)
	if !ok {
		return vartime.ErrPoint
	}
	*dst = p
	return nil
}

func (secpGroup) decodeKey(dst *vartime.Point, publicKey []byte) error {
	if len(publicKey) != 33 || publicKey[0]&^1 != 2 {
		return vartime.ErrPoint
	}
	p, ok := vartime.LiftX((*[32]byte)(publicKey[1:]), publicKey[0] == 3)
	if !ok {
		return vartime.ErrPoint
	}
	*dst = p
	return nil
}

type edwardsGroup struct{}

func (edwardsGroup) reduce(dst *edwards25519.Scalar, b []byte) {
	var wide [64]byte
	copy(wide[:], b)
	if _, err := dst.SetBytesModOrderWide(wide[:]); err != nil {
		panic("edwards25519: " + err.Error()) // of the length alone
	}
	clear(wide[:])
}

func (edwardsGroup) small(x uint32) *edwards25519.Scalar {
	return new(edwards25519.Scalar).SetUint64(uint64(x))
}
func (edwardsGroup) add(dst, a, b *edwards25519.Scalar) { dst.Add(a, b) }
func (edwardsGroup) mul(dst, a, b *edwards25519.Scalar) { dst.Mul(a, b) }

func (edwardsGroup) appendScalar(dst []byte, s *edwards25519.Scalar) []byte {
	b := edwards25519.EncodeScalar(s)
	defer clear(b[:])
	return append(dst, b[:]...)
}

func (edwardsGroup) decodeScalar(dst *edwards25519.Scalar, b []byte) error {
	_, err := dst.SetCanonicalBytes(b)
	return err
}

func (edwardsGroup) interpolatingValue(indices []int, index int) *edwards25519.Scalar {
	ids := make([]uint16, len(indices))
	for i := range indices {
		ids[i] = edwardsID(indices[i])
	}
	return rfc9591.InterpolatingValue(ids, edwardsID(index))
}

func (edwardsGroup) appendDealt(dst []byte, scalars []*edwards25519.Scalar) []byte {
	return edwards25519.AppendDivided(dst, scalars)
}

func (edwardsGroup) decodeDealt(points []edwards25519.Point, b []byte) (refused int, err error) {
	return edwards25519.DecodeDividedAll(points, b)
}

func (edwardsGroup) baseMult(s *edwards25519.Scalar) *edwards25519.Point {
	return edwards25519.BaseMult(s)
}

func (edwardsGroup) isSumVartime(p *edwards25519.Point, s []*edwards25519.Scalar, points []*edwards25519.Point) bool {
	return edwards25519.MultiScalarMultVartime(s, points).Equal(p) == 1
}

func (edwardsGroup) evaluateVartime(commitments []edwards25519.Point, count int, x uint32) []edwards25519.Point {
	if count == 0 {
		return nil
	}
	values, polynomial := make([]edwards25519.Point, len(commitments)/count), make([]*edwards25519.Point, count)
	for i := range values {
		for c := range polynomial {
			polynomial[c] = &commitments[i*count+c]
		}
		values[i] = *edwards25519.EvaluateAt(polynomial, x)
	}
	return values
}

func (edwardsGroup) addPoints(sums, points []edwards25519.Point) {
	for i := range sums {
		sums[i].Add(&sums[i], &points[i])
	}
}

func (edwardsGroup) isIdentity(p *edwards25519.Point) bool { return edwards25519.IsIdentity(p) }
func (edwardsGroup) publicKey(wire []byte) []byte          { return append([]byte(nil), wire...) }
func (edwardsGroup) appendPoint(dst []byte, p *edwards25519.Point) []byte {
	b := edwards25519.Encode(p)
	return append(dst, b[:]...)
}

func (edwardsGroup) appendPoints(dst []byte, points []edwards25519.Point) []byte {
	for _, p := range edwards25519.Affines(points) {
		b := p.Encode()
		dst = append(dst, b[:]...)
	}
	return dst
}

func (edwardsGroup) decodePoint(dst *edwards25519.Point, wire []byte) error {
	p, err := edwards25519.DecodeTrusted(wire)
	if err != nil {
		return err
	}
	*dst = *p
	return nil
}

func (g edwardsGroup) decodeKey(dst *edwards25519.Point, publicKey []byte) error {
	return g.decodePoint(dst, publicKey)
}

// pointCode is the code for an error of decodeDealt.
func pointCode(err error) string {
	if errors.Is(err, edwards25519.ErrIdentity) {
		return CodeIdentity
	}
	return CodePoint
}
