package edwards25519

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// torsion has a point of each order that divides 8.
var torsion = map[int][]byte{
	1: unhex("0100000000000000000000000000000000000000000000000000000000000000"),
	2: unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	4: unhex("0000000000000000000000000000000000000000000000000000000000000000"),
	8: unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
}

// notPoints decode nowhere.
var notPoints = map[string][]byte{
	"empty":                        {},
	"short":                        make([]byte, 31),
	"long":                         append(unhex("5866666666666666666666666666666666666666666666666666666666666666"), 0),
	"off the curve":                unhex("0200000000000000000000000000000000000000000000000000000000000000"),
	"y is the prime":               unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	"y is the prime and one":       unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	"identity with a sign":         unhex("0100000000000000000000000000000000000000000000000000000000000080"),
	"order 2 with a sign":          unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
	"y above the prime and a sign": unhex("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
}

func randomScalar(r *rand.ChaCha8) *Scalar {
	var wide [64]byte
	r.Read(wide[:])
	s, err := scalar.NewFromBytesModOrderWide(wide[:])
	if err != nil {
		panic(err)
	}
	return s
}

func base(s *Scalar) *Point { return new(Point).MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s) }

func encode(p *Point) []byte { b := Encode(p); return b[:] }

func encodeDivided(s *Scalar) []byte { b := encodeOne(s); return b[:] }

func mixed(t *testing.T, p *Point, order int) []byte {
	t.Helper()
	q, err := decompress(torsion[order])
	if err != nil {
		t.Fatal(err)
	}
	return encode(new(Point).Add(p, q))
}

func TestDecodePoint(t *testing.T) {
	p := base(randomScalar(rand.NewChaCha8([32]byte{1})))
	got, err := DecodePoint(encode(p))
	if err != nil || got.Equal(p) != 1 {
		t.Fatalf("a good point is refused or altered: %v", err)
	}
	if got, err := DecodeTrusted(encode(p)); err != nil || got.Equal(p) != 1 {
		t.Fatalf("DecodeTrusted refuses or alters a good point: %v", err)
	}
	if _, err := DecodeTrusted(torsion[1]); !errors.Is(err, ErrPoint) {
		t.Errorf("DecodeTrusted: identity: %v, want ErrPoint", err)
	}
	for name, b := range notPoints {
		if _, err := DecodePoint(b); !errors.Is(err, ErrPoint) {
			t.Errorf("%s: %v, want ErrPoint", name, err)
		}
		if _, err := DecodeTrusted(b); !errors.Is(err, ErrPoint) {
			t.Errorf("DecodeTrusted: %s: %v, want ErrPoint", name, err)
		}
	}
	for order, b := range torsion {
		if _, err := DecodePoint(b); !errors.Is(err, ErrPoint) {
			t.Errorf("order %d: %v, want ErrPoint", order, err)
		}
		if order == 1 {
			continue
		}
		bad := mixed(t, p, order)
		if _, err := DecodePoint(bad); !errors.Is(err, ErrPoint) {
			t.Errorf("prime order plus order %d: %v, want ErrPoint", order, err)
		}
	}
	if _, err := DecodePoint(encode(p)[:31]); !errors.Is(err, ErrPoint) {
		t.Error("a fraction of a point is accepted")
	}
}

func TestDecodeDivided(t *testing.T) {
	s := randomScalar(rand.NewChaCha8([32]byte{2}))
	p := base(s)
	got, err := DecodeDivided(encodeDivided(s))
	if err != nil || got.Equal(p) != 1 {
		t.Fatalf("s/8 times 8 is not s: %v", err)
	}
	for name, b := range notPoints {
		if _, err := DecodeDivided(b); !errors.Is(err, ErrPoint) {
			t.Errorf("%s: %v, want ErrPoint", name, err)
		}
	}
	eighth, err := decompress(encodeDivided(s))
	if err != nil {
		t.Fatal(err)
	}
	for order, b := range torsion {
		if _, err := DecodeDivided(b); !errors.Is(err, ErrIdentity) {
			t.Errorf("order %d: %v, want ErrIdentity", order, err)
		}
		if got, err := DecodeDivided(mixed(t, eighth, order)); err != nil || got.Equal(p) != 1 {
			t.Errorf("plus order %d: the torsion is not removed: %v", order, err)
		}
	}
}

func TestMultiScalarMult(t *testing.T) {
	r := rand.NewChaCha8([32]byte{3})
	for _, n := range []int{0, 1, 2, 50, 189, 190, 600, 900} {
		var scalars []*Scalar
		var points []*Point
		want := curve.NewEdwardsPoint()
		for range n {
			s, p := randomScalar(r), base(randomScalar(r))
			scalars, points = append(scalars, s), append(points, p)
			want.Add(want, new(Point).Mul(p, s))
		}
		if MultiScalarMultVartime(scalars, points).Equal(want) != 1 {
			t.Errorf("%d points: differs from the sum of products", n)
		}
	}
}

func TestEvaluateAt(t *testing.T) {
	r := rand.NewChaCha8([32]byte{4})
	coefficients := []*Scalar{randomScalar(r), randomScalar(r), randomScalar(r), randomScalar(r)}
	for _, x := range []uint32{0, 1, 2, 24, 255, 1 << 20} {
		for n := range len(coefficients) + 1 {
			var points []*Point
			value, power := scalar.New(), scalar.One()
			for _, a := range coefficients[:n] {
				points = append(points, base(a))
				value.Add(value, scalar.New().Mul(a, power))
				power.Mul(power, scalar.NewFromUint64(uint64(x)))
			}
			if EvaluateAt(points, x).Equal(base(value)) != 1 {
				t.Errorf("x=%d, %d coefficients: wrong value", x, n)
			}
		}
	}
}

func FuzzDecodePoint(f *testing.F) {
	f.Add(encode(curve.ED25519_BASEPOINT_POINT))
	for _, b := range torsion {
		f.Add(b)
	}
	for _, b := range notPoints {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePoint(b)
		if err == nil {
			if !bytes.Equal(encode(p), b) {
				t.Fatal("another encoding of the same point was accepted")
			}
			if p.IsIdentity() || !p.IsTorsionFree() {
				t.Fatal("a point outside the prime-order group was accepted")
			}
		}
		p, err = DecodeDivided(b)
		if err == nil && (p.IsIdentity() || !p.IsTorsionFree()) {
			t.Fatal("multiplied by 8 it is not of prime order")
		}
	})
}

func FuzzDecodeScalar(f *testing.F) {
	f.Add(unhex("ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
	f.Add(unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeScalar(b)
		if err != nil {
			return
		}
		var out [32]byte
		if s.ToBytes(out[:]) != nil || !bytes.Equal(out[:], b) {
			t.Fatal("another encoding of the same scalar was accepted")
		}
	})
}

// The group order is the smallest scalar to be refused.
func TestDecodeScalarBounds(t *testing.T) {
	order := unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	if _, err := DecodeScalar(order); !errors.Is(err, ErrScalar) {
		t.Errorf("the order: %v, want ErrScalar", err)
	}
	order[0]--
	if _, err := DecodeScalar(order); err != nil {
		t.Errorf("the order less one: %v", err)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := DecodeScalar(make([]byte, n)); !errors.Is(err, ErrScalar) {
			t.Errorf("%d bytes: %v, want ErrScalar", n, err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	wire := encode(base(scalar.NewFromUint64(12345)))
	for name, decode := range map[string]func([]byte) (*Point, error){"point": DecodePoint, "divided": DecodeDivided} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := decode(wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMultiScalarMultVartime(b *testing.B) {
	r := rand.NewChaCha8([32]byte{5})
	for _, n := range []int{8, 64, 1000, 4096} {
		var scalars []*Scalar
		var points []*Point
		for range n {
			scalars, points = append(scalars, randomScalar(r)), append(points, base(randomScalar(r)))
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				MultiScalarMultVartime(scalars, points)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
		})
	}
}
