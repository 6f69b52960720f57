package protocol

import "time"
import "github.com/frostfleet/frostfleet/internal/wire"

// mailbox keeps messages of signing sessions whose task has not arrived yet:
// two streams are read side by side, and the commitment of a fast node can
// overtake the task. It is bounded; what is dropped costs a retry.
type mailbox struct {
	limit, bytes int
	boxes        map[string]*box
	order        []string // ids, oldest first
}

// box holds what came for one session, unopened.
type box struct {
	messages []wire.LogMessage
	of       [wire.MaxNodes]uint8 // how many in slots of each node
}

// maxOfNode bounds what is kept of one node in one session: three kinds of
// messages, and room for junk. Only the node itself can write to its slots, so
// nobody crowds another one out.
const maxOfNode = 8

// add reports whether there was room.
func (b *box) add(node int, msg wire.LogMessage) bool {
	if b.of[node] >= maxOfNode {
		return false
	}
	b.of[node]++
	b.messages = append(b.messages, msg)
	return true
}

// mailOverhead is what a message costs besides its data, about, if it is the only
// one of its session: somebody who makes up sessions must not get more memory.
const mailOverhead = 768

func newMailbox(limit int) *mailbox { return &mailbox{limit: limit, boxes: map[string]*box{}} }

func (m *mailbox) put(slot wire.Slot, msg wire.LogMessage) {
	b := m.boxes[slot.ID]
	if b == nil {
		b = &box{}
		m.boxes[slot.ID] = b
		m.order = append(m.order, slot.ID)
	}
	if !b.add(slot.Node, msg) {
		return
	}
	m.bytes += len(msg.Data) + mailOverhead
	for m.bytes > m.limit && len(m.order) > 0 {
		m.dropOldest()
	}
}

// take gives a session's box, empty if there was none, and forgets it.
func (m *mailbox) take(id string) box {
	b := m.boxes[id]
	if b == nil {
		return box{}
	}
	m.remove(id)
	return *b
}

func (m *mailbox) remove(id string) {
	if b := m.boxes[id]; b != nil {
		for _, msg := range b.messages {
			m.bytes -= len(msg.Data) + mailOverhead
		}
	}
	delete(m.boxes, id)
}

func (m *mailbox) dropOldest() {
	m.remove(m.order[0])
	m.order = m.order[1:]
}

// expire drops the sessions whose first message was stored before a time.
func (m *mailbox) expire(before time.Time) {
	for len(m.order) > 0 {
		if b := m.boxes[m.order[0]]; b != nil && b.messages[0].Time.After(before) {
			return
		}
		m.dropOldest()
	}
}
