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
func floodedBatch(t *testing.T) (b *batchTest) {
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
	b.release(2, wire.SlotCert)
	return b
}

// ofBatch are the messages that a Refetch gives.
func (b *batchTest) ofBatch() (messages []wire.LogMessage) {
	for _, m := range b.dkg {
		if slot, err := wire.ParseSlot(m.Subject); err == nil && slot.ID == b.id {
			messages = append(messages, m)
		}
	}
	return messages
}

// No node can hide a finished batch from a gateway that reads the rounds later.
func TestFloodHidesNoKeys(t *testing.T) {
	b := floodedBatch(t)
	desk := b.newDesk()
	desk.registrar().rounds = board.New(b.m, desk.opener, smallBoard)
	for _, m := range b.dkg {
		desk.do(RoundsMessage{m})
	}
	equal(t, "asked", len(desk.fetch), 1)
	for _, m := range b.ofBatch() {
		desk.do(RoundsAgain{m})
	}
	desk.timeout(timerRegister)
	equal(t, "entries to write", len(desk.writes), 1)
	entry, err := wire.VerifyEntry(desk.writes[0].Head, b.m)
	b.check(err)
	equal(t, "transcript", entry.Transcript, b.nodes[0].store[b.id].Transcript)
}

// A node whose task comes after a flood that took deals of the batch has them read
// again.
func TestFloodBeforeTheTask(t *testing.T) {
	b := dealt(t, "solana")
	late := b.newActor(0)
	late.dealer.board = board.New(b.m, late.opener, smallBoard)
	b.release(2, wire.SlotDeal)
	for i := range 2 {
		b.say(wire.Slot{Kind: wire.SlotDeal, ID: someSession(i), Node: 2}, make([]byte, smallBoard/b.m.N-1000))
	}
	b.release(1, wire.SlotDeal)
	for _, m := range b.dkg {
		late.do(RoundsMessage{m})
	}
	late.do(TaskMessage{b.work[0], t0})
	equal(t, "asked", len(late.fetch), 1)
	for _, m := range b.ofBatch() {
		late.do(RoundsAgain{m})
	}
	b.nodes[0].out = nil
	late.fill(late.want(wire.SlotDeal))
	late.do(RoundsMessage{b.dkg[len(b.dkg)-1]})
	late.want(wire.SlotCert)
}

// A register that is older than what a board remembers is read as the clock ticks.
func TestOldRegisterIsReadWhole(t *testing.T) {
	b := finished(t, "solana")
	desk, fresh := b.newReader(), b.newActor(0)
	now := t0.Add(10 * boardLife)
	for _, m := range b.keys {
		desk.do(ReadKeys(b.m, m))
		desk.do(Tick{now})
		fresh.do(ReadKeys(b.m, m))
		fresh.do(Tick{now})
	}
	desk.do(KeysRead{})
	equal(t, "asked", len(desk.fetch), 0)
	equal(t, "complete", desk.Complete(), true)
	equal(t, "keys", desk.Keys(), 2)
	equal(t, "keys rebuilt", fresh.done[b.id], true)
}
