package protocol

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A batch moves: the old nodes deal, the new ones check, store, certify, and its keys sign
// with any of them.
func TestReshare(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		for _, shape := range [][2][2]int{{{2, 3}, {3, 5}}, {{3, 5}, {2, 3}}, {{2, 3}, {1, 2}}, {{1, 1}, {1, 1}}} {
			from, to := shape[0], shape[1]
			t.Run(fmt.Sprintf("%s/%dof%d to %dof%d", chain, from[0], from[1], to[0], to[1]), func(t *testing.T) {
				t.Parallel()
				c := newCrossing(t, chain, from, to)
				var dealers []byte
				for i := range from[0] {
					dealers = append(dealers, byte(from[1]-from[0]+i))
				}
				r := c.cross(1, dealers...)
				c.arrived(t, r)
				var first, last []int
				for i := range to[0] {
					first, last = append(first, i), append(last, to[1]-to[0]+i)
				}
				c.next.signed(t, c.entry, first...)
				c.next.signed(t, c.entry, last...)
			})
		}
	}
}

// arrived holds everything that both sides keep against what should be there.
func (c *crossing) arrived(t *testing.T, r *wire.Reshare) {
	t.Helper()
	ref := wire.BatchRef{ID: c.id, Generation: r.To}
	for i, a := range c.next.nodes {
		record := a.store[keptAs(ref)]
		if record == nil || !a.done[keptAs(ref)] {
			t.Fatalf("new node %d has no finished batch; reports: %v", i, a.reports)
		}
		if record.Context != r.Context() || record.MadeBy != c.entry.MadeBy || record.Root != c.entry.Root ||
			record.Header != c.entry.Header || record.Reshare.ID() != r.ID() || len(record.Deals) != len(r.Dealers)*r.SliceCount() ||
			record.Transcript != wire.Transcript(wire.DealDigests(record.Deals)) {
			t.Errorf("new node %d keeps %+v", i, record)
		}
		if !a.Holdings().Has(wire.NewHolding(c.id, record.Transcript)) || a.Holdings().Len() != 1 {
			t.Errorf("new node %d does not say that it has the batch, or says more", i)
		}
		a.expect(ReportReshareComplete)
	}
	for i, a := range c.old.nodes {
		equal(t, fmt.Sprintf("moved at old node %d", i), fmt.Sprint(a.moved), fmt.Sprint([]string{c.id}))
		a.expect(ReportMoved)
	}
	for i, a := range c.nodes() {
		d, s := a.dealer, a.resharer
		if d.register.Len()+d.register.Bytes()+s.intakes.board.Len()+len(s.intakes.work)+len(s.redeals.work)+
			len(s.intakes.waiting)+len(s.redeals.waiting) != 0 {
			t.Errorf("node %d still holds: %d entries of %d bytes, %d attempts, %d and %d in work", i, d.register.Len(),
				d.register.Bytes(), s.intakes.board.Len(), len(s.intakes.work), len(s.redeals.work))
		}
	}
}
