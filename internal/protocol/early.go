package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// earlyMessages keeps messages of signing sessions whose task has not arrived yet:
// SIGN and WORK are read side by side, and the commitment of a fast node can
// overtake the task. It is bounded; what is dropped costs a retry.
type earlyMessages struct {
	limit, bytes int
	sessions     map[string]*sessionMessages
	order        []string // ids, oldest first
}

// sessionMessages is what came for one session, unopened.
type sessionMessages struct {
	messages []wire.LogMessage
	of       [wire.MaxNodes]uint8 // how many in slots of each node
}

// maxOfNode bounds what is kept of one node in one session: three kinds of
// messages, and room for junk. Only the node itself can write to its slots, so
// no node crowds another one out.
const maxOfNode = 8

// add reports whether there was room.
func (b *sessionMessages) add(node int, msg wire.LogMessage) bool {
	if b.of[node] >= maxOfNode {
		return false
	}
	b.of[node]++
	b.messages = append(b.messages, msg)
	return true
}

// earlyOverhead is what a message costs besides its data, about, if it is the only
// one of its session: made-up sessions must not get more memory.
const earlyOverhead = 768

func newEarlyMessages(limit int) *earlyMessages {
	return &earlyMessages{limit: limit, sessions: map[string]*sessionMessages{}}
}

func (m *earlyMessages) put(slot wire.Slot, msg wire.LogMessage) {
	b := m.sessions[slot.ID]
	if b == nil {
		b = &sessionMessages{}
		m.sessions[slot.ID] = b
		m.order = append(m.order, slot.ID)
	}
	if !b.add(slot.Node, msg) {
		return
	}
	m.bytes += msg.Size() + earlyOverhead
	for m.bytes > m.limit && len(m.order) > 0 {
		m.dropOldest()
	}
}

// take returns what came for a session and forgets it.
func (m *earlyMessages) take(id string) sessionMessages {
	b := m.sessions[id]
	if b == nil {
		return sessionMessages{}
	}
	m.remove(id)
	return *b
}

func (m *earlyMessages) remove(id string) {
	if b := m.sessions[id]; b != nil {
		for _, msg := range b.messages {
			m.bytes -= msg.Size() + earlyOverhead
		}
	}
	delete(m.sessions, id)
}

func (m *earlyMessages) dropOldest() {
	m.remove(m.order[0])
	m.order = m.order[1:]
}

// expire drops the sessions whose first message was stored before a time.
func (m *earlyMessages) expire(before time.Time) {
	for len(m.order) > 0 {
		if b := m.sessions[m.order[0]]; b != nil && b.messages[0].Time.After(before) {
			return
		}
		m.dropOldest()
	}
}
