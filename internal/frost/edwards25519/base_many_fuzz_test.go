package edwards25519

import (
	"bytes"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// smallOrder are the encodings of small order of which there is but one each.
var smallOrder = [][]byte{
	{0: 1, 31: 0}, // the identity
	{0: 0xec, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff,
		12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff, 16: 0xff, 17: 0xff, 18: 0xff, 19: 0xff, 20: 0xff, 21: 0xff, 22: 0xff,
		23: 0xff, 24: 0xff, 25: 0xff, 26: 0xff, 27: 0xff, 28: 0xff, 29: 0xff, 30: 0xff, 31: 0x7f}, // of order 2
	{31: 0}, {31: 0x80}, // of order 4
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, // of order 8
}

// Sums of points of small and of mixed order, which decoders of this package refuse, are
// those of curve25519-voi as well: the addition is complete.
func TestAddBaseMultsVartimeSmallOrder(t *testing.T) {
	var points []Affine
	var scalars, want [][32]byte
	for _, s := range edges(t)[:30] {
		for _, encoded := range smallOrder {
			for _, k := range []*Scalar{scalar.New(), s, scalar.New().Neg(s)} {
				small, err := decompress(encoded)
				if err != nil {
					t.Fatalf("%x: %v", encoded, err)
				}
				mixed := Encode(small.Add(small, BaseMult(k)))
				affine, err := DecodeAffine(mixed[:])
				if err != nil {
					t.Fatalf("%x: %v", mixed, err)
				}
				points, scalars = append(points, affine), append(scalars, EncodeScalar(s))
				want = append(want, Encode(small.Add(small, BaseMult(s))))
			}
		}
	}
	for _, n := range []int{1, manyBases, len(points)} {
		for from := 0; from+n <= len(points); from += n {
			got := slices.Clone(points[from : from+n])
			AddBaseMultsVartime(got, scalars[from:from+n])
			for i := range got {
				if got[i].Encode() != want[from+i] {
					t.Fatalf("%d at once, point %d: %x, want %x", n, from+i, got[i].Encode(), want[from+i])
				}
			}
		}
	}
}

// What DecodeTrusted takes, DecodeAffine takes for the same point, whose encoding is the
// one that was read: nothing that a hash or a comparison of encodings sees is changed.
func FuzzDecodeAffine(f *testing.F) {
	for _, b := range smallOrder {
		f.Add(b)
	}
	b := Encode(BaseMult(orderLess(5)))
	f.Add(b[:])
	f.Add(append(bytes.Repeat([]byte{0xff}, 31), 0x7f))             // y = 18, not canonical
	f.Add(slices.Concat([]byte{1}, make([]byte, 30), []byte{0x80})) // -0
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > PointSize {
			b = b[:PointSize]
		}
		p, err := DecodeTrusted(b)
		affine, errAffine := DecodeAffine(b)
		if err != nil {
			return
		}
		if encoded := Encode(p); errAffine != nil || affine.Encode() != encoded || !bytes.Equal(b, encoded[:]) {
			t.Fatalf("%x: %x and %x, %v", b, encoded, affine.Encode(), errAffine)
		}
	})
}

// Any canonical scalars and any points, in any number, are added up as by curve25519-voi.
func FuzzAddBaseMultsVartime(f *testing.F) {
	f.Add([]byte{16, 0, 0})
	f.Add(append([]byte{17, 1}, bytes.Repeat([]byte{0xff}, 64)...))
	f.Add(bytes.Repeat([]byte{15, 2, 0x80, 0x00, 0x08}, 30))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1 {
			return
		}
		n := int(b[0]) % 70
		var points []Affine
		var scalars, want [][32]byte
		for b = b[1:]; len(b) > 1 && len(points) < n; {
			var s [32]byte
			kind, used := b[0], copy(s[:], b[1:])
			b = b[1+used:]
			k, err := scalar.NewFromBytesModOrder(s[:])
			if err != nil {
				t.Fatal(err)
			}
			p, err := decompress(smallOrder[int(kind>>2)%len(smallOrder)])
			if err != nil {
				t.Fatal(err)
			}
			multiple := BaseMult(k)
			switch kind & 3 {
			case 1:
				p.Add(p, multiple)
			case 2:
				p.Sub(p, multiple)
			case 3:
				p.Add(p, BaseMult(scalar.NewFromUint64(uint64(kind))))
			}
			encoded := Encode(p)
			affine, err := DecodeAffine(encoded[:])
			if err != nil {
				t.Fatalf("%x: %v", encoded, err)
			}
			points, scalars = append(points, affine), append(scalars, EncodeScalar(k))
			want = append(want, Encode(curve.NewEdwardsPoint().Add(p, multiple)))
		}
		if given := len(points); given > 0 {
			for i := given; i < n; i++ {
				points, scalars = append(points, points[i%given]), append(scalars, scalars[i%given])
				want = append(want, want[i%given])
			}
		}
		apart := slices.Clone(points)
		addApart(apart, scalars)
		AddBaseMultsVartime(points, scalars)
		for i := range points {
			if got := apart[i].Encode(); got != want[i] {
				t.Fatalf("point %d of %d without lanes: %x, want %x", i, len(points), got, want[i])
			}
			if got := points[i].Encode(); got != want[i] {
				t.Fatalf("point %d of %d: %x, want %x", i, len(points), got, want[i])
			}
		}
	})
}
