package protocol

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const smallBoard = 96 << 10 // bytes, of three nodes

// floodedBatch is a finished batch in a log in which node 2, after its first deal,
// floods every small board and then writes a second deal. Its certificate, the
// last one, follows.
func floodedBatch(t *testing.T) (b *batchTest, second wire.LogMessage) {
	b = dealt(t, "solana")
	twin := b.newActor(2)
	twin.do(TaskMessage{b.work[0], t0})
	other := twin.want(wire.SlotDeal)
	b.releaseAll(wire.SlotDeal)
	b.release(0, wire.SlotCert)
	b.release(1, wire.SlotCert)
	for i := range 2 {
		b.say(wire.Slot{Kind: wire.SlotDeal, ID: someSession(i), Node: 2}, make([]byte, smallBoard/b.m.N-1000))
	}
	b.say(other.slot, other.body)
	second = b.keys[len(b.keys)-1]
	b.release(2, wire.SlotCert)
	return b, second
}

// ofBatch are the messages that a Refetch gives.
func (b *batchTest) ofBatch() (messages []wire.LogMessage) {
	for _, m := range b.keys {
		if slot, err := wire.ParseSlot(m.Subject); err == nil && slot.ID == b.id {
			messages = append(messages, m)
		}
	}
	return messages
}

// No node can hide a finished batch from those who read the log later.
func TestFloodHidesNoKeys(t *testing.T) {
	b, _ := floodedBatch(t)
	desk := b.newDesk()
	desk.directory.board = board.New(b.m, desk.opener, smallBoard)
	fresh := b.newActor(0)
	fresh.dealer.board = board.New(b.m, fresh.opener, smallBoard)
	for _, m := range b.keys {
		desk.do(KeysMessage{m})
		fresh.do(KeysMessage{m})
	}
	for _, m := range b.ofBatch() {
		if len(desk.fetch) > 0 {
			desk.do(KeysMessage{m})
		}
		if len(fresh.fetch) > 0 {
			fresh.do(KeysMessage{m})
		}
	}
	equal(t, "gateway asked", len(desk.fetch), 1)
	equal(t, "keys in the directory", desk.Keys(), 2)
	equal(t, "node asked", len(fresh.fetch), 1)
	equal(t, "keys rebuilt", fresh.done[b.id], true)
}

// The first deal comes back while the keys are computed from the second one.
func TestFloodHidesNoKeysMeanwhile(t *testing.T) {
	b, second := floodedBatch(t)
	desk, fresh := b.newDesk(), b.newActor(0)
	desk.hold, fresh.hold = true, true
	for _, m := range append([]wire.LogMessage{second}, b.ofBatch()...) {
		if m.Seq == second.Seq || m.Subject != second.Subject {
			desk.do(KeysMessage{m})
			fresh.do(KeysMessage{m})
		}
	}
	equal(t, "computations", len(desk.held)+len(fresh.held), 2)
	for _, m := range b.ofBatch() {
		desk.do(KeysMessage{m})
		fresh.do(KeysMessage{m})
	}
	desk.do(KeysRead{})
	for range 2 {
		equal(t, "under way", desk.Summaries(), 1)
		for _, c := range desk.held[len(desk.held)-1:] {
			desk.do(c.Run())
		}
		fresh.compute()
	}
	equal(t, "keys in the directory", desk.Keys(), 2)
	equal(t, "keys rebuilt", fresh.done[b.id], true)
}

// A record that is older than what the board remembers is read as the clock ticks:
// it must not count as read while a part of it was dropped.
func TestOldRecordIsReadWhole(t *testing.T) {
	b := finished(t, "solana")
	desk := b.newReader()
	now := t0.Add(10 * boardLife)
	for _, m := range b.keys[:4] { // all deals, and a certificate
		desk.do(KeysMessage{m})
	}
	desk.do(Tick{now})
	for _, m := range b.keys[4:] {
		desk.do(KeysMessage{m})
	}
	desk.do(KeysRead{})
	equal(t, "asked", len(desk.fetch), 0)
	equal(t, "complete", desk.Complete(), true)
	equal(t, "keys", desk.Keys(), 2)

	fresh := b.newActor(0)
	for _, m := range b.keys {
		fresh.do(KeysMessage{m})
		fresh.do(Tick{now})
	}
	equal(t, "asked by a node", len(fresh.fetch), 0)
	equal(t, "keys rebuilt", fresh.done[b.id], true)
}
