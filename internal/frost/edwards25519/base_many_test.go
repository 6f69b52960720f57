package edwards25519

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// order is that of the group, less what is given: an edge of scalars.
func orderLess(n uint64) *Scalar { return scalar.New().Neg(scalar.NewFromUint64(n)) }

// edges are scalars whose digits are extreme: the lowest and highest, runs of ones, and
// what is next to half a digit at every place.
func edges(t testing.TB) (scalars []*Scalar) {
	t.Helper()
	for n := range uint64(3) {
		scalars = append(scalars, scalar.NewFromUint64(n), orderLess(n+1))
	}
	for bit := range 252 {
		var b [32]byte
		b[bit/8] = 1 << (bit % 8)
		power, err := scalar.NewFromBytesModOrder(b[:])
		if err != nil {
			t.Fatal(err)
		}
		scalars = append(scalars, power, scalar.New().Add(power, orderLess(1)), scalar.New().Neg(power))
	}
	r := rand.NewChaCha8([32]byte{1})
	for range 50 {
		var b [64]byte
		_, _ = r.Read(b[:])
		s, err := scalar.NewFromBytesModOrderWide(b[:])
		if err != nil {
			t.Fatal(err)
		}
		scalars = append(scalars, s)
	}
	return scalars
}

// Sums are those of curve25519-voi, in any number, with points that a sum meets, doubles
// or cancels.
func TestAddBaseMultsVartime(t *testing.T) {
	var points []Affine
	var scalars [][32]byte
	var want [][32]byte
	for _, s := range edges(t) {
		multiple := BaseMult(s)
		for _, p := range []*Point{
			curve.NewEdwardsPoint(), BaseMult(orderLess(7)), multiple, curve.NewEdwardsPoint().Neg(multiple),
		} {
			encoded := Encode(p)
			affine, err := DecodeAffine(encoded[:])
			if err != nil {
				t.Fatal(err)
			}
			if affine.IsIdentity() != p.IsIdentity() || affine.Encode() != encoded {
				t.Fatalf("%x is decoded to %x", encoded, affine.Encode())
			}
			points, scalars = append(points, affine), append(scalars, EncodeScalar(s))
			want = append(want, Encode(curve.NewEdwardsPoint().Add(p, multiple)))
		}
	}
	for _, n := range []int{0, 1, manyBases - 1, manyBases, 1000, len(points)} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for from := 0; from+n <= len(points) && from < 3000; from += max(n, 1) {
				got := slices.Clone(points[from : from+n])
				AddBaseMultsVartime(got, scalars[from:from+n])
				apart := slices.Clone(points[from : from+n])
				addApart(apart, scalars[from:from+n])
				alone := make([]extended, n) // as without the table
				addEach(alone, points[from:from+n], scalars[from:from+n])
				each := make([]Affine, n)
				affine(each, alone)
				for i := range got {
					if each[i].Encode() != want[from+i] {
						t.Fatalf("point %d without the table: %x, want %x", from+i, each[i].Encode(), want[from+i])
					}
					if apart[i].Encode() != want[from+i] {
						t.Fatalf("point %d without lanes: %x, want %x", from+i, apart[i].Encode(), want[from+i])
					}
					if got[i].Encode() != want[from+i] {
						t.Fatalf("point %d: %x, want %x", from+i, got[i].Encode(), want[from+i])
					}
					if got[i].IsIdentity() != bytes.Equal(want[from+i][:], []byte{31: 0, 0: 1}) {
						t.Fatalf("point %d: identity", from+i)
					}
				}
			}
		})
	}
	for name, f := range map[string]func(){
		"different lengths": func() { AddBaseMultsVartime(points, scalars[1:]) },
		"a large scalar":    func() { AddBaseMultsVartime(points[:1], [][32]byte{{31: 0x20}}) },
		"a large one among many": func() {
			AddBaseMultsVartime(points[:99], append(slices.Clone(scalars[:98]), [32]byte{31: 0x11}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("taken")
				}
			}()
			f()
		})
	}
}

func TestDecodeAffineRefuses(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 31), {31: 0, 0: 2}} {
		if _, err := DecodeAffine(b); err == nil {
			t.Errorf("%x is taken", b)
		}
	}
}

func BenchmarkAddBaseMultsVartime(b *testing.B) {
	r := rand.NewChaCha8([32]byte{2})
	for _, n := range []int{1, 15, 16, 100, 1000} {
		points, scalars := make([]Affine, n), make([][32]byte, n)
		for i := range points {
			_, _ = r.Read(scalars[i][:])
			scalars[i][31] &= 0xf
			points[i].y.One()
		}
		for name, add := range map[string]func([]Affine, [][32]byte){"as here": AddBaseMultsVartime, "apart": addApart} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					add(points, scalars)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
			})
		}
	}
}

func BenchmarkBaseMult(b *testing.B) {
	s := orderLess(12345)
	for b.Loop() {
		Encode(BaseMult(s))
	}
}
