package protocol

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestOpens: what a machine would not open is not read before its step. A gateway opens what belongs to its own
// sessions; a node others' commitments, and has the large ones read; nobody what the rounds still have of a
// registered batch.
func TestOpens(t *testing.T) {
	s := newSignCase(t)
	own, other := s.attempt().id, wire.ShortID([32]byte{1})
	const small, large = inlineTask, inlineTask + 1
	for name, c := range map[string]struct {
		kind          wire.SlotKind
		id            string
		node, size    int
		gateway, asks bool
	}{
		"commitment":          {wire.SlotCommit, own, 1, small, true, false},
		"large commitment":    {wire.SlotCommit, own, 1, large, true, true},
		"the node's own":      {wire.SlotCommit, own, 0, large, true, false},
		"share":               {wire.SlotShare, own, 1, large, true, false},
		"refusal":             {wire.SlotRefuse, own, 1, small, true, false},
		"other gateway's":     {wire.SlotCommit, other, 1, large, false, true},
		"other share":         {wire.SlotShare, other, 1, large, false, false},
		"deal":                {wire.SlotDeal, other, 1, small, true, true},
		"deal of a done one":  {wire.SlotDeal, s.btc, 1, large, false, false},
		"certificate of one":  {wire.SlotCert, s.btc, 1, small, false, false},
		"deal of a resharing": {wire.SlotReshareDeal, other, 1, large, true, true},
	} {
		slot := wire.Slot{Kind: c.kind, ID: c.id, Node: c.node}
		if got := s.desk.Opens(slot, c.size); got != c.gateway {
			t.Errorf("%s: the gateway opens it: %v", name, got)
		}
		if got := s.nodes[0].Opens(slot, c.size); got != c.asks {
			t.Errorf("%s: the node opens it: %v", name, got)
		}
	}
}
