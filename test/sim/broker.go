package sim

import (
	"strings"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// broker holds the streams that are read in order, and the stored results.
// JOBS is a work queue of its own (jobs.go).
type broker struct {
	w                *world
	work, keys, sign *stream
	presence         *stream
	control          *stream
	rounds           []*stream         // by node
	results          map[string][]byte // by client and job; the first stays
	pool             map[string][]wire.LogMessage
	everything       []wire.LogMessage
}

func newBroker(w *world) *broker {
	b := &broker{w: w, results: map[string][]byte{}, pool: map[string][]wire.LogMessage{}}
	b.work, b.keys, b.sign = newStream(w, "WORK"), newStream(w, "KEYS"), newStream(w, "SIGN")
	b.presence, b.control = newStream(w, "PRESENCE"), newStream(w, "CONTROL")
	return b
}

// of is the stream of a subject.
func (b *broker) of(subject string) *stream {
	switch {
	case strings.HasPrefix(subject, "dkg."), strings.HasPrefix(subject, "reshare."):
		if slot, err := wire.ParseSlot(subject); err == nil && slot.Node < len(b.rounds) {
			return b.rounds[slot.Node]
		}
		return b.rounds[0]
	case strings.HasPrefix(subject, "entry."), wire.LineageMessage(subject) > 0:
		return b.keys
	case strings.HasPrefix(subject, "sign."):
		return b.sign
	}
	return b.work
}

// remember keeps every message that was ever sent, also those that lost their
// slot: a lying broker has them all to choose from.
func (b *broker) remember(subject string, data []byte) {
	msg := wire.LogMessage{Subject: subject, Data: data, Time: b.w.now(), Seq: 1}
	b.pool[subject] = append(b.pool[subject], msg)
	b.everything = append(b.everything, msg)
}

// stream is one stream of one incarnation.
type stream struct {
	w           *world
	name        string
	msgs        []wire.LogMessage // sequence i+1 at index i
	last        map[string]uint64 // last sequence by subject
	incarnation int
	followers   []*follower
}

func newStream(w *world, name string) *stream {
	return &stream{w: w, name: name, last: map[string]uint64{}}
}

// put stores a message if the last sequence of its subject is the expected
// one; a negative expectation is none.
func (s *stream) put(subject string, data []byte, expect int64) bool {
	if expect >= 0 && s.last[subject] != uint64(expect) {
		return false
	}
	seq := uint64(len(s.msgs) + 1)
	s.msgs = append(s.msgs, wire.LogMessage{Subject: subject, Data: data, Seq: seq, Time: s.w.now()})
	s.last[subject] = seq
	if s == s.w.bus.keys {
		s.w.check.stored(subject, data)
	}
	for _, f := range s.followers {
		f.wake()
	}
	return true
}

// slot lists a subject's messages after a sequence.
func (s *stream) slot(subject string, after uint64) (found []wire.LogMessage) {
	if s.last[subject] <= after {
		return nil
	}
	for _, m := range s.msgs[after:] {
		if m.Subject == subject {
			found = append(found, m)
		}
	}
	return found
}

// lose is a broker's restart: a memory stream is created again, empty.
func (s *stream) lose() {
	s.msgs, s.last = nil, map[string]uint64{}
	s.incarnation++
	for _, f := range s.followers {
		f.next = 0
		if f.lost != nil && f.alive() {
			f.lost()
		}
	}
}

// follower reads one stream in order, for one process.
type follower struct {
	s       *stream
	who     string
	alive   func() bool
	deliver func(wire.LogMessage)
	caught  func() // once, when all that was there has been read
	lost    func() // the stream was created again
	next    int
	due     bool
}

// follow starts to read after a sequence.
func (s *stream) follow(f *follower, after uint64) {
	f.s, f.next = s, min(int(after), len(s.msgs))
	living := s.followers[:0:0]
	for _, old := range s.followers {
		if old.alive() {
			living = append(living, old)
		}
	}
	s.followers = append(living, f)
	f.wake()
	if !f.due {
		s.w.at(0, f.upToDate)
	}
}

func (f *follower) wake() {
	if !f.due && f.next < len(f.s.msgs) && f.alive() {
		f.due = true
		f.s.w.at(f.s.w.lag(), f.pump)
	}
}

// pump shows the next few messages.
func (f *follower) pump() {
	w := f.s.w
	f.due = false
	for f.alive() && f.next < len(f.s.msgs) {
		msg := f.s.msgs[f.next]
		f.next++
		f.show(msg)
		if f.next > 1 && w.fault(Duplicate) {
			// A consumer that was created again reads some messages twice.
			f.next -= 1 + w.rng.IntN(min(f.next, 4))
		}
		if w.rng.IntN(3) == 0 {
			break
		}
	}
	f.wake()
	f.upToDate()
}

func (f *follower) upToDate() {
	if f.next >= len(f.s.msgs) && f.caught != nil && f.alive() {
		fn := f.caught
		f.caught = nil
		fn()
	}
}

// show hands a message over, as the broker wants it to be seen.
func (f *follower) show(msg wire.LogMessage) {
	if f.s.w.plan.lies {
		f.lie(msg)
		return
	}
	f.hand(msg)
}

func (f *follower) hand(msg wire.LogMessage) {
	if f.alive() {
		f.s.w.tracef("%s <- %s #%d %s", f.who, f.s.name, msg.Seq, short(msg.Subject))
		f.deliver(msg)
	}
}

// short keeps a subject readable.
func short(subject string) string {
	p := strings.Split(subject, ".")
	for i := range p {
		if len(p[i]) > 12 {
			p[i] = p[i][:8]
		}
	}
	return strings.Join(p, ".")
}
