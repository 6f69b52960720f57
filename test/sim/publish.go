package sim

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// slotWriter fills one slot, as bus.PublishSlot does: it expects nothing on
// the subject, judges what stands there instead, and steps over junk.
type slotWriter struct {
	p    *worker
	slot wire.Slot
	// message is asked whether it may leave.
	message protocol.Publish
	body    []byte
	judged  uint64 // all up to here is junk
	begun   time.Duration
}

// publishLife is when a writer gives up.
const publishLife = 2 * time.Minute

// publish has the HSM attest the body if it must, and fills the slot.
func (p *worker) publish(e protocol.Publish) {
	if !p.liar {
		p.w.check.leaves(p, e.Slot)
	}
	if e.Leaf == nil {
		p.write(e, e.Body)
		return
	}
	p.w.at(p.w.between(time.Millisecond, 20*time.Millisecond), func() {
		if p.alive {
			p.write(e, e.With(p.m.attest(*e.Leaf)))
		}
	})
}

func (p *worker) write(e protocol.Publish, body []byte) {
	slot := e.Slot
	if slot.Kind == wire.SlotDeal {
		p.deals[slot.ID] = body
	}
	if p.liar {
		p.lie(slot, body)
		return
	}
	if p.m.deceives && slot.Kind.Resharing() {
		p.deceive(slot, body)
		return
	}
	p.w.check.published(p, slot, body)
	p.memory.published(slot, body)
	if p.w.fault(Squat) {
		p.w.squat(slot)
	}
	x := &slotWriter{p: p, slot: slot, message: e, body: body, begun: p.w.elapsed}
	x.send()
}

// squat puts junk into a slot before its owner does.
func (w *world) squat(slot wire.Slot) {
	junk := make([]byte, w.rng.IntN(200))
	w.bytes(junk)
	if n := len(w.bus.everything); n > 0 && w.rng.IntN(2) == 0 {
		junk = w.bus.everything[w.rng.IntN(n)].Data // signed, but for elsewhere
	}
	w.bus.of(slot.String()).put(slot.String(), junk, -1)
}

func (x *slotWriter) send() {
	w, p := x.p.w, x.p
	if !p.alive || w.elapsed-x.begun > publishLife {
		return
	}
	if x.message.FrozenBy(p.node.Frozen()) != nil {
		w.tracef("%s drops %s: frozen", p.name, short(x.slot.String()))
		return
	}
	w.check.leaves(p, x.slot)
	subject, stale := x.slot.String(), w.fault(ExpiredKey)
	key := p.session
	if stale {
		key = p.sessionKey(p.m.clock().Add(-2 * wire.DelegationLife))
	}
	data := key.Seal(p.m.manifest, subject, x.body)
	p.step(protocol.Sealed{Slot: x.slot, Data: data})
	w.check.sealed(p, x.slot, x.body, data, key)
	w.bus.remember(subject, data)
	w.tracef("%s -> %s (%d bytes, after %d)", p.name, short(subject), len(data), x.judged)
	w.at(w.lag(), func() { x.arrive(subject, data, stale) })
}

// arrive is when the message reaches the broker, whether its sender lives or
// not.
func (x *slotWriter) arrive(subject string, data []byte, stale bool) {
	w := x.p.w
	if w.fault(PublishLost) {
		x.again()
		return
	}
	s := w.bus.of(subject)
	if s == w.bus.sign && w.plan.lies && w.fault(BrokerFalseAck) {
		return
	}
	stored := s.put(subject, data, int64(x.judged))
	switch {
	case w.fault(AckLost), stored && stale:
		x.again() // with a stale key: when the worker notices that nobody listens
	case !stored:
		w.at(w.lag(), x.conflict)
	}
}

// again tries once more after a while.
func (x *slotWriter) again() {
	x.p.w.at(x.p.w.between(50*time.Millisecond, 600*time.Millisecond), x.send)
}

// conflict judges what stands in the slot.
func (x *slotWriter) conflict() {
	w, p := x.p.w, x.p
	if !p.alive {
		return
	}
	subject, before := x.slot.String(), x.judged
	for _, standing := range w.bus.standing(subject, x.judged) {
		switch p.node.Judge(x.slot, standing, x.body) {
		case wire.Mine:
			return
		case wire.Other:
			w.tracef("%s lost %s", p.name, short(subject))
			p.step(protocol.SlotLost{Slot: x.slot})
			return
		}
		x.judged = max(x.judged, standing.Seq)
	}
	if x.judged == before {
		x.judged = 0 // the stream was created again
	}
	x.again()
}
