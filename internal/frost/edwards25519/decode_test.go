package edwards25519

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519/field"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// edgeElements are elements of the field with limbs as large and as small as they get, and others.
func edgeElements(r *rand.Rand, n int) []field.Element {
	out := make([]field.Element, 0, n)
	for _, b := range [][32]byte{
		{}, {1}, {2}, {18}, {19}, {0xec, 30: 0xff, 31: 0x7f}, {6: 0xf8, 7: 0xff}, {31: 0x7f}, {31: 0x40},
		[32]byte(append([]byte{0xec}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...)), // p - 1
		[32]byte(append([]byte{0xeb}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...)),
		[32]byte(append(bytes.Repeat([]byte{0xff}, 31), 0x7f)), // 18
		[32]byte(append(bytes.Repeat([]byte{0xff}, 31), 0x3f)), [32]byte(bytes.Repeat([]byte{0x55}, 32)),
		[32]byte(bytes.Repeat([]byte{0x2a}, 32)), [32]byte(append(make([]byte, 16), bytes.Repeat([]byte{0x7f}, 16)...)),
	} {
		out = append(out, *elementOf(b))
	}
	for len(out) < n {
		var b [32]byte
		for i := range b {
			b[i] = []byte{byte(r.Uint32()), 0, 0xff}[r.IntN(8)%3]
		}
		out = append(out, *elementOf(b))
	}
	return out
}

func elementOf(b [32]byte) *field.Element {
	e, err := new(field.Element).SetBytes(b[:])
	if err != nil {
		panic(err)
	}
	return e
}

// Whatever is decoded many at once is what it is alone, in the other library, and what is refused
// is refused there.
func TestDecodeAll(t *testing.T) {
	t.Parallel()
	var good []byte
	for i, s := range someScalars(11, 50) {
		p := BaseMult(s)
		if i%5 == 0 {
			p.Add(p, curve.EIGHT_TORSION[i%8])
		}
		b := Encode(p)
		good = append(good, b[:]...)
	}
	notOnCurve := []byte{2, 31: 0}
	bad := map[string][]byte{
		"off the curve": notOnCurve, "y of p": append([]byte{0xed}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
		"-0": append([]byte{1}, append(make([]byte, 30), 0x80)...), "ones": bytes.Repeat([]byte{0xff}, 32),
		"y of p and one": append([]byte{0xee}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
	}
	for _, p := range curve.EIGHT_TORSION {
		b := Encode(p)
		bad["small order "+string(b[:])] = b[:]
	}
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 16, 50} {
		decodeBoth(t, good[:32*n])
		for name, b := range bad {
			for _, at := range []int{0, 1, 5, 7, 8, 20} {
				if at < n {
					wire := bytes.Clone(good[:32*n])
					copy(wire[32*at:], b)
					if at > 2 { // the first counts
						copy(wire[32*(n-1):], notOnCurve)
					}
					if !decodeBoth(t, wire) {
						t.Errorf("%d points, %q at %d", n, name, at)
					}
				}
			}
		}
	}
}

// Points in lanes are those that are decoded one after the other, and so are 8 times them.
func TestDecodeTogether(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 14))
	for _, n := range []int{1, 2, 3, 8, 9, 20} {
		for range 20 {
			wire := make([]byte, 0, n*PointSize)
			for range n {
				b := edgeElements(r, 40)[r.IntN(40)].Bytes()
				b[31] |= byte(r.Uint32()) & 0x80
				if r.IntN(4) > 0 {
					p := Encode(BaseMult(someScalars(r.Uint64(), 1)[0]))
					b = p[:]
				}
				wire = append(wire, b...)
			}
			together, each := make([]Affine, n), make([]Affine, n)
			good, want := decodeAffines(together, wire), decodeEach(each, wire)
			if good != want {
				t.Fatalf("%x: %d is refused, want %d", wire, good, want)
			}
			if good < 0 {
				good = n
			}
			multiples := make([]extended, good)
			multiplyByEightEach(multiples, each[:good])
			affine(each[:good], multiples)
			MulByCofactor(together[:good])
			for i := range good {
				if !together[i].Equal(&each[i]) {
					t.Fatalf("%x: point %d is another one", wire, i)
				}
			}
		}
	}
}

// decodeBoth compares many at once with one after the other.
func decodeBoth(t *testing.T, wire []byte) bool {
	t.Helper()
	n := len(wire) / PointSize
	divided, trusted := make([]Point, n), make([]Point, n)
	badDivided, err := DecodeDividedAll(divided, wire)
	badTrusted := DecodeTrustedAll(trusted, wire)
	wantDivided, wantTrusted, wantErr := -1, -1, error(nil)
	for i := range n {
		b := wire[i*PointSize:][:PointSize]
		if wantDivided < 0 {
			p, err := DecodeDivided(b)
			if err != nil {
				wantDivided, wantErr = i, err
			} else if badDivided < 0 || i < badDivided {
				if divided[i].Equal(p) != 1 {
					t.Errorf("%x: another point", b)
				}
			}
		}
		if wantTrusted < 0 {
			p, err := DecodeTrusted(b)
			if err != nil {
				wantTrusted = i
			} else if badTrusted < 0 || i < badTrusted {
				if trusted[i].Equal(p) != 1 {
					t.Errorf("%x: another point", b)
				}
			}
		}
	}
	return badDivided == wantDivided && badTrusted == wantTrusted && errors.Is(err, wantErr)
}

func FuzzDecodeAll(f *testing.F) {
	for _, s := range someScalars(12, 3) {
		b := Encode(BaseMult(s))
		f.Add(bytes.Repeat(b[:], 9), uint16(40))
	}
	f.Add(make([]byte, 320), uint16(0))
	f.Fuzz(func(t *testing.T, wire []byte, at uint16) {
		wire = wire[:min(len(wire), 1024)/PointSize*PointSize]
		if len(wire) > 0 {
			wire = bytes.Clone(wire)
			wire[int(at)%len(wire)] ^= byte(at >> 8)
		}
		if !decodeBoth(t, wire) {
			t.Fatalf("%x: refused in another way", wire)
		}
	})
}
