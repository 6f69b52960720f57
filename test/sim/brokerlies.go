package sim

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// lie shows a follower something else than the stream holds. Each follower is
// lied to on its own, so two nodes see two logs.
func (f *follower) lie(msg wire.LogMessage) {
	w := f.s.w
	switch {
	case w.fault(BrokerDrops):
		return
	case w.fault(BrokerReorders):
		w.at(w.between(time.Millisecond, 3*time.Second), func() { f.hand(msg) })
		return
	case w.fault(BrokerReplaces):
		f.hand(w.bus.other(msg))
		return
	case w.fault(BrokerClock):
		msg.Time = msg.Time.Add(w.between(-20*time.Minute, 20*time.Minute))
	case w.fault(BrokerBackdates):
		if info, ok := w.check.seals[string(msg.Data)]; ok {
			msg.Time = info.expiry.Add(-w.between(0, wire.DelegationLife))
		}
	}
	if w.fault(BrokerJunk) {
		f.hand(w.bus.junk(msg))
	}
	f.hand(msg)
	if len(w.bus.everything) > 0 && w.fault(BrokerReplays) {
		old := w.bus.everything[w.rng.IntN(len(w.bus.everything))]
		if w.bus.of(old.Subject) == f.s {
			f.hand(old)
		}
	}
}

// other is some other message that was once sent to the same subject, or this
// message under the subject of another.
func (b *broker) other(msg wire.LogMessage) wire.LogMessage {
	if same := b.pool[msg.Subject]; len(same) > 1 {
		o := same[b.w.rng.IntN(len(same))]
		o.Seq, o.Time = msg.Seq, msg.Time
		return o
	}
	if len(b.everything) == 0 {
		return msg
	}
	o := b.everything[b.w.rng.IntN(len(b.everything))]
	msg.Data = o.Data
	return msg
}

// junk is what no node said, under a node's subject.
func (b *broker) junk(msg wire.LogMessage) wire.LogMessage {
	data := make([]byte, b.w.rng.IntN(len(msg.Data)+1))
	copy(data, msg.Data)
	if len(data) > 0 {
		data[b.w.rng.IntN(len(data))] ^= 1 << b.w.rng.IntN(8)
	}
	msg.Data = data
	return msg
}

// standing is what a publisher is shown of a slot.
func (b *broker) standing(subject string, after uint64) []wire.LogMessage {
	found := b.of(subject).slot(subject, after)
	if b.w.plan.lies && b.w.fault(BrokerFalseSlot) {
		for i := range found {
			found[i] = b.other(found[i])
		}
	}
	return found
}
