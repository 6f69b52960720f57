package policy

import (
	"fmt"
	"slices"
	"testing"
)

// TestSteering: whoever chooses which t of n nodes sign each job, and has f of them, gets
// (n-f)/(t-f) limits signed and no more. Where the others see what was signed, one limit.
func TestSteering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, t, f int }{{3, 2, 0}, {3, 2, 1}, {5, 3, 0}, {5, 3, 1}, {5, 3, 2}, {7, 5, 2}, {4, 4,
		1}} {
		for _, see := range []bool{false, true} {
			p := parse(t, plainRule("psbt", limitOf("160 sat", "day")))
			var honest []*Ledger
			for range c.n - c.f {
				honest = append(honest, fresh(p))
			}
			sum := uint64(0)
			for i := 0; ; i++ {
				ask := job(fmt.Sprint(i), 1, 0)
				// The least used first: no other choice gets further.
				order := slices.Clone(honest)
				d := p.Decide(ask, nil)
				slices.SortStableFunc(order, func(a, b *Ledger) int {
					x, _ := a.Used(d.Charges[0])
					y, _ := b.Used(d.Charges[0])
					return int(x) - int(y)
				})
				signs := 0
				for _, l := range order[:c.t-c.f] {
					if d := p.Decide(ask, l); d.Verdict == Allowed {
						store(l, l.Charge(ask, &d).Save)
						signs++
					}
				}
				if signs < c.t-c.f {
					break
				}
				sum++
				for _, l := range order[c.t-c.f:] {
					if see {
						store(l, l.Charge(ask, &d).Save)
					}
				}
			}
			want := uint64((c.n - c.f) * 160 / (c.t - c.f))
			if see {
				want = 160
			}
			if sum != want {
				t.Errorf("n %d, t %d, f %d, seen %v: %d are signed, the bound is %d", c.n, c.t, c.f, see, sum, want)
			}
		}
	}
}

// TestLaxNode: of t nodes the strictest decides, so one lax node lets nothing through by
// itself; t lax ones let everything through.
func TestLaxNode(t *testing.T) {
	t.Parallel()
	strict, lax := dayRule(t), (*Policy)(nil)
	ask := job("a", 100_000_000, 0)
	signs := func(nodes ...*Policy) (allowed int) {
		for _, p := range nodes {
			if p.Decide(ask, nil).Verdict == Allowed {
				allowed++
			}
		}
		return allowed
	}
	if n := signs(strict, strict, lax); n >= 2 {
		t.Errorf("%d sign beside two strict ones", n)
	}
	if n := signs(strict, lax, lax); n < 2 {
		t.Errorf("%d sign", n)
	}
	if lax.Hash() == strict.Hash() {
		t.Error("the difference does not show")
	}
}
