package frost

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// part is what holders have of the keys from first to end-1.
func (h *holders) part(first, end int) *holders {
	p := &holders{suite: h.suite, n: h.n, t: h.t, public: h.public.Part(first, end)}
	for _, s := range h.shares {
		p.shares = append(p.shares, secret.New(slices.Clone(s.Expose()[first*ScalarSize:end*ScalarSize])))
	}
	return p
}

// sliced are the moves of all slices of so many keys.
func sliced(t testing.TB, from *holders, per int, dealers []int, threshold, n int) (moves []*move) {
	for first, k := 0, len(from.public.PublicKeys); first < k; first += per {
		moves = append(moves, newMove(t, from.part(first, min(first+per, k)), dealers, threshold, n))
	}
	return moves
}

// A batch that moves in slices comes to one of the very keys, of which any t' nodes sign each, and
// it can move on as a whole, or in other slices.
func TestReshareSlices(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 28))
	for _, suite := range suites {
		for _, shape := range [][4]int{{1, 1, 2, 3}, {2, 3, 1, 1}, {2, 3, 3, 5}, {3, 4, 2, 2}} {
			t.Run(fmt.Sprintf("%v/%dof%d to %dof%d", suite, shape[0], shape[1], shape[2], shape[3]), func(t *testing.T) {
				const k = 7
				old := founded(t, suite, shape[0], shape[1], k)
				for _, per := range []int{1, 2, 3, 4, 6, k} {
					dealers := r.Perm(shape[1])[:shape[0]]
					moves := sliced(t, old, per, dealers, shape[2], shape[3])
					to := &holders{suite: suite, n: shape[3], t: shape[2]}
					for i := range to.n {
						var parts []*Batch
						for _, m := range moves {
							b, err := m.finalize(i)
							if err != nil {
								t.Fatal(err)
							}
							parts = append(parts, b)
						}
						all := JoinBatches(parts)
						to.public, to.shares = &all.Public, append(to.shares, all.Shares)
						for _, p := range parts {
							if len(p.Shares.Expose()) != 0 {
								t.Error("a slice's shares are not wiped")
							}
						}
					}
					nodes := subsets(to.n, to.t)[r.IntN(len(subsets(to.n, to.t)))]
					for key := range k {
						if got := to.keyOf(t, nodes, key); !slices.Equal(got, old.public.PublicKeys[key]) {
							t.Fatalf("slices of %d: key %d is %x", per, key, got)
						}
					}
					to.sign(t, nodes)
					testReshare(t, newMove(t, to, r.Perm(to.n)[:to.t], 2, 2))
				}
			})
		}
	}
}

// The public part of all slices is that of the whole, and parts of it are cut where keys are.
func TestJoinPublic(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		whole := founded(t, s, 2, 2, 5).public
		for cut := range 6 {
			joined := JoinPublic([]*Public{whole.Part(0, cut), whole.Part(cut, 5)})
			if !slices.Equal(joined.Commitments, whole.Commitments) || !slices.EqualFunc(joined.PublicKeys, whole.PublicKeys, slices.Equal) {
				t.Errorf("cut at %d: not the whole", cut)
			}
		}
	})
}

// A dealer that lies in one slice is named there, and the others are good. What was dealt in one
// slice is worth nothing in another, of the same size too.
func TestReshareSliceLies(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		old := founded(t, s, 2, 3, 4)
		blamed := func(m *move) {
			t.Helper()
			var blame *BlameError
			if _, err := m.finalize(1); !errors.As(err, &blame) || blame.Dealer != 2 {
				t.Errorf("%v, and dealer 2 lied", err)
			}
		}
		moves := sliced(t, old, 2, []int{0, 2}, 2, 3)
		moves[1].deals[1].Shares[1][5] ^= 1
		blamed(moves[1])
		if _, err := moves[0].finalize(1); err != nil {
			t.Error(err)
		}
		moves = sliced(t, old, 2, []int{0, 2}, 2, 3)
		moves[0].deals[1] = moves[1].deals[1]
		blamed(moves[0])
		moves = sliced(t, old, 2, []int{0, 2}, 2, 3)
		moves[0].deals[1].Commitments = moves[1].deals[1].Commitments
		blamed(moves[0])
	})
}
