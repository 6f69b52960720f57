package frost

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// reduce agrees with math/big for every length, ends of the range included.
func TestReduce(t *testing.T) {
	testReduce(t, secpGroup{}, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", false)
	testReduce(t, edwardsGroup{}, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", true)
}

func testReduce[S, P any](t *testing.T, g group[S, P], orderHex string, littleEndian bool) {
	order, _ := new(big.Int).SetString(orderHex, 16)
	r := rand.NewChaCha8([32]byte{7})
	for n := range 65 {
		random := make([]byte, n)
		r.Read(random)
		for _, b := range [][]byte{random, make([]byte, n), bytes.Repeat([]byte{0xff}, n)} {
			number := bytes.Clone(b)
			if littleEndian {
				slices.Reverse(number)
			}
			want := new(big.Int).Mod(new(big.Int).SetBytes(number), order).FillBytes(make([]byte, 32))
			if littleEndian {
				slices.Reverse(want)
			}
			var s S
			g.reduce(&s, b)
			if got := g.appendScalar(nil, &s); !bytes.Equal(got, want) {
				t.Errorf("%T: %x reduces to %x, want %x", g, b, got, want)
			}
		}
	}
}
