package edwards25519

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"filippo.io/edwards25519/field"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

func someScalars(seed uint64, n int) []*Scalar {
	r := rand.New(rand.NewPCG(seed, 2))
	scalars := make([]*Scalar, n)
	for i := range scalars {
		var b [64]byte
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		scalars[i], _ = new(Scalar).SetBytesModOrderWide(b[:])
	}
	return scalars
}

func TestAppendDivided(t *testing.T) {
	t.Parallel()
	if !seesCoordinates() {
		t.Error("curve25519-voi holds points in another form now: encoding them has lost its speed")
	}
	scalars := someScalars(1, 2*baseBlock+5)
	for i := range uint64(9) { // 0, whose multiple is the identity, and 1, 8, -1, -8 among them
		scalars[i].SetUint64(i)
		scalars[20+i].Neg(scalar.NewFromUint64(i))
	}
	want, before := []byte("before"), make([][ScalarSize]byte, len(scalars))
	for i, s := range scalars {
		b := encodeOne(s)
		want, before[i] = append(want, b[:]...), EncodeScalar(s)
	}
	for _, n := range []int{0, 1, 2, 3, 30, baseBlock - 1, baseBlock, baseBlock + 1, len(scalars)} {
		for _, dst := range [][]byte{[]byte("before"), slices.Grow([]byte("before"), 1<<15)} {
			if got := AppendDivided(dst, scalars[:n]); !bytes.Equal(got, want[:6+n*PointSize]) {
				t.Fatalf("%d scalars are encoded wrongly", n)
			}
		}
	}
	for i, s := range scalars {
		if EncodeScalar(s) != before[i] {
			t.Fatalf("scalar %d was changed", i)
		}
	}
}

func TestAppendDividedWipes(t *testing.T) {
	s, scalars := make(secrets, 3), someScalars(2, 10)
	s[0].scalar.Set(scalars[0])
	if s.multiplyEach(); *coordinates(&s[0].point) == (extended{}) {
		t.Error("there was nothing to wipe")
	}
	s.appendDivided(nil, scalars)
	s.wiped(t)
	dst := make([]byte, 0, 10*PointSize)
	if got := testing.AllocsPerRun(3, func() { AppendDivided(dst, scalars) }); got > 3 {
		t.Errorf("%v allocations, want those that are wiped, two of them for lanes", got)
	}
}

// A Z, or a product of some, says more of a nonce than the point does.
func TestBaseMultsWipes(t *testing.T) {
	const n = 5
	scalars, out := make([]Scalar, n), make([]Affine, n)
	for i := range scalars {
		scalars[i] = anyScalar(t)
	}
	for _, size := range []int{2, n, n + 1} {
		s := make(secrets, size)
		s.baseMults(out, scalars)
		s.wiped(t)
		for i := range out {
			if got := out[i].Encode(); got != Encode(BaseMult(&scalars[i])) {
				t.Errorf("multiple %d is wrong", i)
			}
		}
		clear(out)
	}
	if got := testing.AllocsPerRun(3, func() { BaseMults(out, scalars) }); got > 3 {
		t.Errorf("%v allocations, want those that are wiped, two of them for lanes", got)
	}
}

func (s secrets) wiped(t *testing.T) {
	t.Helper()
	for i := range s {
		if EncodeScalar(&s[i].scalar) != [32]byte{} || *coordinates(&s[i].point) != (extended{}) ||
			s[i].before != (field.Element{}) || s[i].affine != (Affine{}) {
			t.Errorf("secret %d is still there", i)
		}
	}
}

func FuzzAppendDivided(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(5))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		var scalars []*Scalar
		var want []byte
		for i := range int(n) {
			var wide [64]byte
			copy(wide[i%8:], b)
			wide[40] ^= byte(i)
			s, err := new(Scalar).SetBytesModOrderWide(wide[:])
			if err != nil {
				t.Fatal(err)
			}
			one := encodeOne(s)
			scalars, want = append(scalars, s), append(want, one[:]...)
		}
		if !bytes.Equal(AppendDivided(nil, scalars), want) {
			t.Fatal("encoded wrongly")
		}
	})
}

func BenchmarkAppendDivided(b *testing.B) {
	for _, n := range []int{1, 2, 3, 16, 256, 1000} {
		scalars := someScalars(4, n)
		each := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*n), "µs/scalar")
			})
		}
		dst := make([]byte, 0, n*PointSize)
		each("together", func() { AppendDivided(dst, scalars) })
		each("alone", func() {
			for _, s := range scalars {
				encodeOne(s)
			}
		})
	}
}

// encodeOne is AppendDivided of one scalar, by curve25519-voi alone.
func encodeOne(s *Scalar) [PointSize]byte {
	var eighth Scalar
	return Encode(BaseMult(eighth.Mul(s, inverseOfEight)))
}
