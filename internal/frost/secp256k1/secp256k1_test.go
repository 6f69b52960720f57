package secp256k1

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// randomScalar draws a scalar of at most bitLen bits. Tests want numbers that
// repeat, not secrets.
func randomScalar(r *rand.ChaCha8, bitLen int) *Scalar {
	var b [32]byte
	r.Read(b[32-bitLen/8:])
	s, _ := secp.NewScalarFromBytes(&b)
	return s
}

func randomTerms(n, bitLen int) ([]*Scalar, []*Point) {
	r := rand.NewChaCha8([32]byte{byte(n), byte(bitLen >> 8)})
	scalars, points := make([]*Scalar, n), make([]*Point, n)
	step := new(Point).ScalarBaseMult(randomScalar(r, 256))
	p := secp.NewIdentityPoint()
	for i := range n {
		p.Add(p, step)
		scalars[i], points[i] = randomScalar(r, bitLen), secp.NewPointFrom(p)
	}
	return scalars, points
}

// pippengerVartime is the bucket method whatever the number of points.
func pippengerVartime(scalars []*Scalar, points []*Point) *Point {
	limbs, bitLen := scalarLimbs(scalars)
	w, _ := windowBits(len(points), bitLen)
	return bucketMethod(limbs, points, w, bitLen/w+1)
}

// naive is the definition that the fast functions are compared with.
func naive(scalars []*Scalar, points []*Point) *Point {
	sum := secp.NewIdentityPoint()
	for i := range scalars {
		sum.Add(sum, new(Point).ScalarMult(scalars[i], points[i]))
	}
	return sum
}

func TestMultiScalarMult(t *testing.T) {
	for _, bitLen := range []int{8, 128, 136, 256} {
		for _, n := range []int{0, 1, 2, 3, 23, 24, 25, 100, 700} {
			t.Run(fmt.Sprintf("bits=%d/n=%d", bitLen, n), func(t *testing.T) {
				scalars, points := randomTerms(n, bitLen)
				want := naive(scalars, points)
				if MultiScalarMultVartime(scalars, points).Equal(want) != 1 {
					t.Error("MultiScalarMultVartime differs from the sum of products")
				}
				if n > 0 && pippengerVartime(scalars, points).Equal(want) != 1 {
					t.Error("pippengerVartime differs from the sum of products")
				}
			})
		}
	}
}

// Terms an adversary would choose: equal and opposite points, the identity,
// and the scalars at the ends of the range and of the digits.
func TestMultiScalarMultAdversarial(t *testing.T) {
	one := new(Scalar).One()
	minusOne := new(Scalar).Negate(one)
	g, minusG := secp.NewGeneratorPoint(), new(Point).Negate(secp.NewGeneratorPoint())
	special := []*Scalar{new(Scalar), one, minusOne}
	for _, b := range []byte{0x7f, 0x80, 0x88, 0xff} {
		s, _ := secp.NewScalarFromBytes((*[32]byte)(bytes.Repeat([]byte{b}, 32)))
		special = append(special, s)
	}
	var scalars []*Scalar
	var points []*Point
	for range 5 {
		for _, s := range special {
			for _, p := range []*Point{g, minusG, g, secp.NewIdentityPoint()} {
				scalars, points = append(scalars, s), append(points, p)
			}
		}
	}
	if MultiScalarMultVartime(scalars, points).Equal(naive(scalars, points)) != 1 {
		t.Error("wrong sum over equal, opposite and neutral terms")
	}
	for i := range scalars {
		scalars[i] = new(Scalar)
	}
	if MultiScalarMultVartime(scalars, points).IsIdentity() != 1 {
		t.Error("zero scalars do not give the identity")
	}
}

// All window widths recode to the same value, whatever number of points would
// choose them.
func TestSignedDigits(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	top := new(Scalar).Negate(new(Scalar).One())
	for w := 3; w <= 13; w++ {
		for _, s := range []*Scalar{randomScalar(r, 256), randomScalar(r, 128), top} {
			limbs, bitLen := scalarLimbs([]*Scalar{s})
			sum := new(Scalar)
			digits := signedDigits(limbs, w, bitLen/w+1)
			for pos := len(digits) - 1; pos >= 0; pos-- {
				sum.Multiply(sum, secp.NewScalarFromUint64(1<<w))
				d := digits[pos]
				if d < -(1<<(w-1)) || d > 1<<(w-1) {
					t.Fatalf("w=%d: digit %d is out of range", w, d)
				}
				if d < 0 {
					sum.Subtract(sum, secp.NewScalarFromUint64(uint64(-d)))
				} else {
					sum.Add(sum, secp.NewScalarFromUint64(uint64(d)))
				}
			}
			if sum.Equal(s) != 1 {
				t.Errorf("w=%d: digits of %x add up to something else", w, s.Bytes())
			}
		}
	}
}

func TestEvaluateAt(t *testing.T) {
	_, points := randomTerms(5, 256)
	for _, x := range []uint32{0, 1, 2, 3, 24, 255, 1 << 20} {
		for n := range len(points) + 1 {
			var powers []*Scalar
			power := new(Scalar).One()
			for range n {
				powers = append(powers, secp.NewScalarFrom(power))
				power.Multiply(power, secp.NewScalarFromUint64(uint64(x)))
			}
			if EvaluateAt(points[:n], x).Equal(naive(powers, points[:n])) != 1 {
				t.Errorf("x=%d, %d coefficients: wrong value", x, n)
			}
		}
	}
}

func TestDecodePointRefuses(t *testing.T) {
	g := EncodePoints(nil, []*Point{secp.NewGeneratorPoint()})
	field := bytes.Repeat([]byte{0xff}, 32)
	copy(field[28:], []byte{0xff, 0xff, 0xfc, 0x2f})
	field[27] = 0xfe // the field prime
	offCurve := bytes.Clone(g)
	offCurve[63] ^= 1
	tests := map[string][]byte{
		"empty":            {},
		"short":            g[:63],
		"long":             append(bytes.Clone(g), 0),
		"zeros":            make([]byte, 64),
		"off the curve":    offCurve,
		"x is the prime":   append(bytes.Clone(field), g[32:]...),
		"y is the prime":   append(bytes.Clone(g[:32]), field...),
		"SEC 1 compressed": append([]byte{2}, g[:32]...),
	}
	for name, b := range tests {
		if p, err := DecodePoint(b); err == nil || p != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := DecodePoints(append(bytes.Clone(g), offCurve...)); err == nil {
		t.Error("DecodePoints accepted a bad second point")
	}
	if _, err := DecodePoints(g[:63]); err == nil {
		t.Error("DecodePoints accepted a fraction of a point")
	}
}

func TestEncodeIdentityPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the identity was encoded")
		}
	}()
	EncodePoints(nil, []*Point{secp.NewIdentityPoint()})
}

func FuzzDecodePoint(f *testing.F) {
	f.Add(EncodePoints(nil, []*Point{secp.NewGeneratorPoint()}))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		points, err := DecodePoints(b)
		if err != nil {
			if points != nil {
				t.Fatal("an error came with a result")
			}
			return
		}
		if !bytes.Equal(EncodePoints(nil, points), b) {
			t.Fatal("another encoding of the same points was accepted")
		}
	})
}

func FuzzDecodeScalar(f *testing.F) {
	f.Add(new(Scalar).Negate(new(Scalar).One()).Bytes())
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeScalar(b)
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatal("another encoding of the same scalar was accepted")
		}
	})
}
