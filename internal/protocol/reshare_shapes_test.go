package protocol

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

var longFlag = flag.Bool("long", false, "reshare between all shapes up to 5 nodes, and some of up to 24")

// shapesUpTo are all thresholds and sizes of fleets with at most n nodes.
func shapesUpTo(n int) (all [][2]int) {
	for size := 1; size <= n; size++ {
		for t := 1; t <= size; t++ {
			all = append(all, [2]int{t, size})
		}
	}
	return all
}

// A batch moves from every shape to every shape, whichever nodes deal, and any nodes sign. With
// -long there are more of them.
func TestReshareAllShapes(t *testing.T) {
	upTo, large := 3, 0
	if *longFlag {
		upTo, large = 5, 12
	}
	var pairs [][2][2]int
	for _, from := range shapesUpTo(upTo) {
		for _, to := range shapesUpTo(upTo) {
			pairs = append(pairs, [2][2]int{from, to})
		}
	}
	rng := rand.New(rand.NewPCG(1, 15))
	for range large {
		shape := func() [2]int {
			n := 6 + rng.IntN(19)
			return [2]int{1 + rng.IntN(n), n}
		}
		pairs = append(pairs, [2][2]int{shape(), shape()})
	}
	for i, pair := range pairs {
		from, to, chain := pair[0], pair[1], []string{"bitcoin", "solana"}[i%2]
		t.Run(fmt.Sprintf("%s/%d of %d to %d of %d", chain, from[0], from[1], to[0], to[1]), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(i), 15))
			c := newCrossing(t, chain, from, to)
			dealers := make([]byte, 0, from[0])
			chosen := rng.Perm(from[1])[:from[0]]
			for node := range from[1] {
				for _, d := range chosen {
					if d == node {
						dealers = append(dealers, byte(node))
					}
				}
			}
			c.arrived(t, c.cross(1, dealers...))
			c.next.signed(t, c.entry, rng.Perm(to[1])[:to[0]]...)
		})
	}
}
