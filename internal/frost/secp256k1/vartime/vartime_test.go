package vartime

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Everything is compared with secp256k1-voi, which shares no code with this
// package.

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomScalar has bitLen bits at most.
func randomScalar(r *rand.Rand, bitLen int) *Scalar {
	var b [32]byte
	for i := range b {
		if bit := 8 * (31 - i); bit < bitLen {
			b[i] = byte(r.Uint32()) & (1<<min(8, bitLen-bit) - 1)
		}
	}
	s, _ := secp.NewScalarFromBytes(&b)
	return s
}

func randomTerms(r *rand.Rand, n, bitLen int) ([]*Scalar, []Point, []*secp.Point) {
	scalars, points, theirs := make([]*Scalar, n), make([]Point, n), make([]*secp.Point, n)
	for i := range n {
		scalars[i] = randomScalar(r, bitLen)
		theirs[i] = secp.NewIdentityPoint().ScalarBaseMult(randomScalar(r, 256))
		points[i] = FromPoint(theirs[i])
	}
	return scalars, points, theirs
}

// edgeScalars are those around which carries and splits go wrong.
func edgeScalars() []*Scalar {
	var out []*Scalar
	for _, shift := range []int{0, 1, 63, 64, 127, 128, 129, 191, 192, 254, 255} {
		var b [32]byte
		b[31-shift/8] = 1 << (shift % 8)
		s, _ := secp.NewScalarFromBytes(&b)
		one := secp.NewScalar().One()
		out = append(out, s, secp.NewScalar().Negate(s), secp.NewScalar().Add(s, one), secp.NewScalar().Subtract(s, one))
	}
	return append(out, secp.NewScalar())
}

func TestBaseMult(t *testing.T) {
	r := newRand(1)
	scalars := edgeScalars()
	for range 200 {
		scalars = append(scalars, randomScalar(r, 256))
	}
	for _, s := range scalars {
		want := FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
		for name, got := range map[string]Jacobian{
			"any": BaseMult(s), "narrow": narrowMult(s), "wide": wideMult(wideTable(), s),
		} {
			if Affine(got)[0] != want || !got.Equals(&want) {
				t.Fatalf("%s table: %x·G is wrong", name, s.Bytes())
			}
		}
	}
}

// Single multiples have the wide table made once there were many, and take it from then on.
func TestManySinglesWantTheWideTable(t *testing.T) {
	wideTable()
	table, made := wideTable, madeWide.Swap(nil)
	wanted := make(chan struct{})
	wideTable = func() [][]Point { close(wanted); return nil }
	defer func() { wideTable = table; madeWide.Store(made) }()
	s := secp.NewScalarFromUint64(12345)
	singles.Store(manySingles - 2)
	BaseMult(s)
	select {
	case <-wanted:
		t.Fatal("the table is made for fewer multiples than it pays for")
	default:
	}
	want := BaseMult(s)
	<-wanted
	madeWide.Store(made)
	if got := BaseMult(s); Affine(got)[0] != Affine(want)[0] || singles.Load() != manySingles {
		t.Error("the wide table is not used once it is there")
	}
}

func TestMultiScalarMult(t *testing.T) {
	r := newRand(2)
	for _, n := range []int{0, 1, 2, 3, 8, 20, 33, 150, 700} {
		for _, bitLen := range []int{5, 128, 129, 256} {
			scalars, points, theirs := randomTerms(r, n, bitLen)
			if n > 8 { // repeated and opposite points, identities, edges
				points[1], theirs[1] = points[0], theirs[0]
				points[2], theirs[2] = points[0].Negate(), secp.NewIdentityPoint().Negate(theirs[0])
				points[3], theirs[3] = Point{}, secp.NewIdentityPoint()
				scalars[1], scalars[2] = scalars[0], scalars[0]
				scalars[4] = secp.NewScalar()
			}
			want := FromPoint(secp.NewIdentityPoint().MultiScalarMultVartime(scalars, theirs))
			check(t, fmt.Sprintf("n=%d bits=%d", n, bitLen), scalars, points, want)
		}
	}
}

// check compares every method, chosen or not.
func check(t *testing.T, name string, scalars []*Scalar, points []Point, want Point) {
	t.Helper()
	got := MultiScalarMult(scalars, points)
	if Affine(got)[0] != want || !got.Equals(&want) {
		t.Fatalf("%s: wrong", name)
	}
	var terms []limbs
	var at []Point
	for i, s := range scalars {
		if l := limbsOf(s); l != (limbs{}) && !points[i].IsIdentity() {
			terms, at = append(terms, l), append(at, points[i])
		}
	}
	if len(terms) < 200 {
		if got := straus(terms, at); Affine(got)[0] != want {
			t.Fatalf("%s: interleaved tables are wrong", name)
		}
	}
	for _, w := range []int{3, 8} {
		if got := pippenger(terms, at, w); Affine(got)[0] != want {
			t.Fatalf("%s: buckets of %d bits are wrong", name, w)
		}
		if got := splitBuckets(terms, at, w); Affine(got)[0] != want {
			t.Fatalf("%s: buckets of %d bits are wrong after splitting", name, w)
		}
	}
}

func splitBuckets(terms []limbs, points []Point, w int) Jacobian {
	terms, points = splitAll(slices.Clone(terms), slices.Clone(points))
	return pippenger(terms, points, w)
}

func TestEdgeScalars(t *testing.T) {
	_, points, theirs := randomTerms(newRand(3), 1, 256)
	for _, s := range edgeScalars() {
		want := FromPoint(secp.NewIdentityPoint().ScalarMult(s, theirs[0]))
		check(t, fmt.Sprintf("%x", s.Bytes()), []*Scalar{s}, points, want)
		checkSplit(t, s)
	}
}

// lambda is what beta is to points.
func lambda(t *testing.T) *Scalar {
	t.Helper()
	minusLambda, err := hex.DecodeString("ac9c52b33fa3cf1f5ad9e3fd77ed9ba4a880b9fc8ec739c2e0cfc810b51283cf")
	if err != nil {
		t.Fatal(err)
	}
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(minusLambda))
	if err != nil {
		t.Fatal(err)
	}
	return s.Negate(s)
}

func checkSplit(t *testing.T, s *Scalar) {
	t.Helper()
	l := limbsOf(s)
	k1, k2 := l.split()
	if k1.abs.bitLen() > halfBits || k2.abs.bitLen() > halfBits {
		t.Fatalf("%x splits in %d and %d bits", s.Bytes(), k1.abs.bitLen(), k2.abs.bitLen())
	}
	sum := secp.NewScalar().Multiply(scalarOf(&k2), lambda(t))
	if sum.Add(sum, scalarOf(&k1)).Equal(s) != 1 {
		t.Fatalf("the parts of %x add up to %x", s.Bytes(), sum.Bytes())
	}
}

func scalarOf(k *term) *Scalar {
	var b [32]byte
	for i, l := range k.abs {
		binary.BigEndian.PutUint64(b[24-8*i:], l)
	}
	s, _ := secp.NewScalarFromBytes(&b)
	if k.negative {
		s.Negate(s)
	}
	return s
}

func FuzzSplit(f *testing.F) {
	for _, s := range edgeScalars() {
		f.Add(s.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 32 {
			s, _ := secp.NewScalarFromBytes((*[32]byte)(b))
			checkSplit(t, s)
		}
	})
}

// FuzzMultiScalarMult takes pairs of scalars: one for a point, one for its
// weight.
func FuzzMultiScalarMult(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 256))
	f.Fuzz(func(t *testing.T, b []byte) {
		var scalars []*Scalar
		var points []Point
		var theirs []*secp.Point
		for pair := range slices.Chunk(b[:min(len(b), 640)/64*64], 64) {
			a, _ := secp.NewScalarFromBytes((*[32]byte)(pair[:32]))
			s, _ := secp.NewScalarFromBytes((*[32]byte)(pair[32:]))
			p := secp.NewIdentityPoint().ScalarBaseMult(a)
			scalars, points, theirs = append(scalars, s), append(points, FromPoint(p)), append(theirs, p)
		}
		check(t, "fuzz", scalars, points, FromPoint(secp.NewIdentityPoint().MultiScalarMultVartime(scalars, theirs)))
	})
}
