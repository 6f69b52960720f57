package board_test

import (
	"math/rand/v2"
	"testing"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func holding(r *rand.Rand) (h wire.Holding) {
	for i := range h {
		h[i] = byte(r.Uint32())
	}
	return h
}

// Sets with the same batches have the same digests, in whichever order these came and
// whatever else was in between; and the buckets that differ lead to what differs.
func TestHoldings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var a, b board.Holdings
	var all []wire.Holding
	for range 3000 {
		all = append(all, holding(r))
	}
	for _, h := range all {
		a.Add(h)
	}
	for _, i := range r.Perm(len(all)) {
		b.Add(all[i])
		other := holding(r)
		b.Add(other)
		b.Digest(other.Bucket())
		b.Remove(other)
	}
	if a.Add(all[0]) || a.Len() != len(all) || b.Len() != len(all) || !b.Has(all[9]) || b.Has(holding(r)) {
		t.Fatalf("%d and %d batches", a.Len(), b.Len())
	}
	digests := func(h *board.Holdings) *wire.Held { return h.Answer(&wire.Ask{Kind: wire.AskDigests}) }
	if d := a.Differing(digests(&b)); d != nil {
		t.Fatalf("equal sets differ in buckets %v", d)
	}
	gone := all[7]
	b.Remove(gone)
	d := a.Differing(digests(&b))
	if len(d) != 1 || d[0] != gone.Bucket() {
		t.Fatalf("buckets %v differ, want %d", d, gone.Bucket())
	}
}

// A bucket larger than one answer is listed in several, each once and in order.
func TestHoldingsPages(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var h board.Holdings
	const many = 2*wire.MaxHoldings + 5
	for range many {
		one := holding(r)
		one[0] = 9
		h.Add(one)
	}
	ask := wire.Ask{Kind: wire.AskList, Holding: wire.Holding{9}}
	got := 0
	for pages := 1; ; pages++ {
		page := h.Answer(&ask)
		if !page.Answers(&ask) {
			t.Fatal("a page that does not answer")
		}
		list := page.List()
		got += len(list)
		if !page.More {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		ask.Holding = list[len(list)-1]
	}
	if got != many {
		t.Errorf("%d listed, want %d", got, many)
	}
}

func BenchmarkHoldingsMillion(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	var h board.Holdings
	for range 1_000_000 {
		h.Add(holding(r))
	}
	h.Digests()
	for b.Loop() {
		one := holding(r)
		h.Add(one)
		h.Digest(one.Bucket())
	}
}
