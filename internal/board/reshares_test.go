package board_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// movingBoard reads an attempt at moving three keys, by two dealers, to two nodes.
type movingBoard struct {
	*board.Reshares
	*board.Attempt
	from, to *wiretest.Fleet
	seq      uint64
}

func newMovingBoard(t *testing.T, perSlice uint32) *movingBoard {
	b := &movingBoard{Reshares: board.NewReshares(), from: wiretest.New(t, 2, 3, nil)}
	b.to = b.from.Next(t, 2, 2)
	b.Attempt = b.open(b.task(1, perSlice))
	return b
}

func (b *movingBoard) task(to, perSlice uint32) *wire.Reshare {
	m := b.from.Manifest.Hash()
	return &wire.Reshare{
		Version: wire.ReshareVersion, Origin: m, Header: wire.BatchHeader{Client: "alice", Suite: 1, K: 3}, Source: m,
		Manifest: b.to.Manifest.Hash(), To: to, Dealers: []byte{0, 2}, PerSlice: perSlice,
	}
}

func (b *movingBoard) open(r *wire.Reshare) *board.Attempt {
	from, to := b.from.Manifest, b.to.Manifest
	return b.Open(*r, from, to, wire.NewOpener(from, b.from.Access), wire.NewOpener(to, b.from.Access))
}

// say puts what a node says into a slot, and reports whether the slot has a new value.
func (b *movingBoard) say(f *wiretest.Fleet, slot wire.Slot, body []byte) bool {
	b.seq++
	a, at, changed := b.Put(wire.LogMessage{Subject: slot.String(), Seq: b.seq, Time: wiretest.Start, Data: f.Seal(slot, body)})
	return changed && a == b.Attempt && at == slot
}

func dealSlot(id string, node int) wire.Slot {
	return wire.Slot{Kind: wire.SlotReshareDeal, ID: id, Node: node}
}

// Each slice has slots of its own. A dealer has dealt once all are filled, and the deals are in the
// order of the entry whatever the order in which they came.
func TestSlicedAttempt(t *testing.T) {
	b := newMovingBoard(t, 2)
	all := b.Attempt.Slices()
	if ids := b.IDs(); !slices.Equal(ids, []string{b.ID, all[0].ID(), all[1].ID()}) {
		t.Errorf("ids %v", ids)
	}
	want := []string{"00", "01", "20", "21"}
	for i, at := range []int{3, 0, 2, 1} {
		if _, ok := b.Digests(); ok {
			t.Fatalf("all deals are there with %d", i)
		}
		node := int(want[at][0] - '0')
		if !b.say(b.from, dealSlot(all[at%2].ID(), node), []byte(want[at])) {
			t.Fatalf("deal %s is not taken", want[at])
		}
		absent := [][]int{{0, 2}, {0, 2}, {0}, nil}[i]
		if got := b.Absent(); !slices.Equal(got, absent) {
			t.Errorf("after %d deals dealers %v are absent, want %v", i+1, got, absent)
		}
	}
	digests, ok := b.Digests()
	for i, body := range b.Deals() {
		if !ok || string(body) != want[i] || digests[i] != wire.DealDigest(body) {
			t.Errorf("deal %d is %q", i, body)
		}
		if slot := b.DealSlots()[i]; b.Seq(slot) == 0 || slot.Node != int(want[i][0]-'0') {
			t.Errorf("slot %d is %v", i, slot)
		}
	}
	b.Forget(b.ID)
	if b.say(b.from, dealSlot(all[0].ID(), 0), []byte("x")) || b.Len() != 0 {
		t.Error("the attempt is not forgotten")
	}
}

// What stands in no slot of the attempt is held nowhere.
func TestSlicesThatAreNone(t *testing.T) {
	b := newMovingBoard(t, 2)
	all, one := b.Attempt.Slices(), b.task(2, 2)
	whole := b.task(1, 0)
	beyond := wire.Slice{Context: [32]byte{1}}
	for name, id := range map[string]string{
		"the attempt's own id":      b.ID,
		"a slice of another number": one.Slices()[0].ID(),
		"the whole batch":           whole.ID(),
		"a slice beyond the last":   beyond.ID(),
	} {
		if b.say(b.from, dealSlot(id, 0), []byte("deal")) {
			t.Errorf("%s: a deal is taken", name)
		}
	}
	if b.say(b.from, dealSlot(all[0].ID(), 1), []byte("deal")) {
		t.Error("a deal of who is no dealer is taken")
	}
	c := wire.Encode(&wire.Complaint{Session: b.Context(), Code: wire.CodeInternal, Reason: "so"})
	abort := wire.Slot{Kind: wire.SlotReshareAbort, ID: all[0].ID(), Node: 1}
	if b.say(b.to, abort, c) {
		t.Error("an abort under a slice's id is taken")
	}
	if abort.ID = b.ID; !b.say(b.to, abort, c) || len(b.Aborts()) != 1 {
		t.Error("an abort is not taken")
	}
	if got := b.Deals(); slices.ContainsFunc(got, func(d []byte) bool { return d != nil }) {
		t.Errorf("deals %q", got)
	}
	other := b.open(one)
	if !b.say(b.from, dealSlot(all[1].ID(), 0), []byte("deal")) || other.Deals()[1] != nil || b.Deals()[1] == nil {
		t.Error("a deal of one attempt counts in another")
	}
	b.Forget(other.ID)
	if b.Get(b.ID) != b.Attempt || b.Get(other.ID) != nil {
		t.Error("another attempt is forgotten")
	}
}

// Of a slice's slot the first message counts, and a second says nothing of the other slices.
func TestSliceDealtTwice(t *testing.T) {
	b := newMovingBoard(t, 1)
	all := b.Attempt.Slices()
	for i := range all {
		b.say(b.from, dealSlot(all[i].ID(), 0), []byte{byte(i)})
	}
	if b.say(b.from, dealSlot(all[1].ID(), 0), []byte("again")) {
		t.Error("a second deal takes the first one's place")
	}
	copied := b.from.Seal(dealSlot(all[1].ID(), 2), []byte("once more"))
	if _, _, changed := b.Put(wire.LogMessage{
		Subject: dealSlot(all[0].ID(), 2).String(), Seq: 99, Time: wiretest.Start, Data: copied,
	}); changed {
		t.Error("a slice's deal counts in another one's slot")
	}
	if got := b.Deals()[:3]; !bytes.Equal(slices.Concat(got...), []byte{0, 1, 2}) {
		t.Errorf("deals %v", got)
	}
}

// A batch in one slice is dealt under the attempt's id.
func TestWholeAttempt(t *testing.T) {
	b := newMovingBoard(t, 0)
	if ids := b.IDs(); !slices.Equal(ids, []string{b.ID}) {
		t.Errorf("ids %v", ids)
	}
	for _, node := range []int{0, 2} {
		if !b.say(b.from, dealSlot(b.ID, node), []byte{byte(node)}) {
			t.Errorf("the deal of node %d is not taken", node)
		}
	}
	if got := slices.Concat(b.Deals()...); !bytes.Equal(got, []byte{0, 2}) {
		t.Errorf("deals %v", got)
	}
}
