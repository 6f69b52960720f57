package consttime

import (
	"math/rand/v2"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func randomScalar(r *rand.Rand) *Scalar {
	var b [32]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	s, _ := secp.NewScalarFromBytes(&b)
	return s
}

// oracle is secp256k1-voi.
func oracle(s *Scalar) vartime.Point {
	return vartime.FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
}

func check(t *testing.T, scalars []*Scalar) {
	t.Helper()
	for i, p := range BaseMults(scalars) {
		if p != oracle(scalars[i]) {
			t.Fatalf("%d of %d: the multiple of %x is wrong", i, len(scalars), scalars[i].Bytes())
		}
	}
}

func TestRandom(t *testing.T) {
	r := newRand(1)
	var s []*Scalar
	for range 300 {
		s = append(s, randomScalar(r))
	}
	check(t, s)
}
