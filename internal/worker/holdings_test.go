package worker

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// Whoever may ask can't have a node withdraw what it holds: a question about a dealer
// that the fleet does not have, or about a batch that nobody has, changes nothing.
func TestQuestionsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	worker, _ := w.startNode()
	w.publish(machinetest.Keygen())
	w.result()
	count := func() (n int) {
		worker.run.With(func(m *node) { n = m.Holdings().Len() })
		return n
	}
	eventually(t, "the node holds the batch", func() bool { return count() == 1 })
	var one wire.Holding
	for b := range wire.HoldingBuckets {
		for _, of := range worker.held(&wire.Ask{Kind: wire.AskList, Holding: wire.Holding{byte(b)}}).List() {
			one = of
		}
	}
	for name, ask := range map[string]wire.Ask{
		"a dealer that is not there": {Kind: wire.AskDeal, Holding: one, Deal: uint32(w.Manifest.N)},
		"the last dealer there is":   {Kind: wire.AskDeal, Holding: one, Deal: wire.MaxNodes - 1},
		"another transcript":         {Kind: wire.AskHead, Holding: wire.Holding(append(one[:31:31], one[31]^1))},
	} {
		if held := worker.held(&ask); len(held.Data) != 0 {
			t.Errorf("%s: an answer of %d bytes", name, len(held.Data))
		}
		if count() != 1 {
			t.Fatalf("%s: the node no longer says what it holds", name)
		}
	}
	for _, kind := range []wire.AskKind{wire.AskHead, wire.AskDeal} {
		eventually(t, "the node gives the batch", func() bool {
			return len(worker.held(&wire.Ask{Kind: kind, Holding: one}).Data) > 0
		})
	}
}
