package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node says in the rounds counts if its session key was good at the time at which
// the bus stored it. A node whose clock is wrong can't know: its key is dated ahead or
// back, every reader passes over what it sealed, and goes on doing so when the clock is
// right again. All others would wait for it until the job expires. So a node reads its
// own slots as everybody does, and says again what does not count there: the same words,
// sealed by the key that it has by then. Certificates need none of this: they prove
// themselves.

// utterance is the deal or the abort that a node published last.
type utterance struct {
	publish Publish
	at      time.Time // when it was published last, by the node's clock
	pause   time.Duration
	ignored bool // the slot got something since then that does not count
}

// Pauses before something is said again. Junk stays in the rounds, so a clock that stays
// wrong must not fill them.
const (
	sayAgainAfter = 2 * time.Second
	sayAgainMost  = 30 * time.Second
)

// say publishes a message, and remembers it until the rounds show that it counts.
func (b *dkg) say(kind wire.SlotKind, body []byte) Publish {
	slot := wire.Slot{Kind: kind, ID: b.id, Node: b.node.cfg.Index}
	p := Publish{Slot: slot, Body: body, Trace: b.trace}
	b.said = &utterance{publish: p, at: b.node.now, pause: sayAgainAfter}
	return p
}

// hear takes notice of a message in one of the node's own slots.
func (b *dkg) hear(kind wire.SlotKind) {
	if b.said == nil || b.said.publish.Slot.Kind != kind {
		return
	}
	if log := b.node.board.Get(b.id); log != nil && log.Has(kind, b.node.cfg.Index) {
		b.said = nil
		return
	}
	b.said.ignored = true
}

// sayAgain publishes once more what was not heard. The slot may have a value by then,
// which the publisher finds.
func (b *dkg) sayAgain() []Effect {
	s := b.said
	if s == nil || !s.ignored || b.node.now.Sub(s.at).Abs() < s.pause {
		return nil
	}
	s.at, s.pause, s.ignored = b.node.now, min(2*s.pause, sayAgainMost), false
	return []Effect{s.publish}
}
