package board_test

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Without a task the board takes a batch's header from a deal, and only if the batch's
// id is made of it: else a node could say whose keys another node's deals make.
func TestHeaderIsProvenByTheID(t *testing.T) {
	r, h := newReader(t, 2, 1<<20), header(1)
	for node, claimed := range []wire.BatchHeader{header(2), h} {
		b, changed := r.Put(r.message(wire.SlotDeal, node, h, r.f.Deal(claimed, 10)))
		switch {
		case !changed:
			t.Fatalf("the deal of node %d does not count", node)
		case node == 0 && b.Header() != nil:
			t.Errorf("the batch has the header of another: %+v", *b.Header())
		case node == 1 && (b.Header() == nil || *b.Header() != h):
			t.Errorf("the batch does not have its header: %+v", b.Header())
		}
	}
}
