package protocol

import "time"

// mailbox keeps messages of signing sessions whose task has not arrived yet:
// two streams are read side by side, and the commitment of a fast node can
// overtake the task. It is bounded; what is dropped costs a retry.
type mailbox struct {
	limit, bytes int
	boxes        map[string][]LogMessage
	order        []string // ids, oldest first
}

// maxBox bounds the messages kept for one session: n nodes, three kinds, and
// room for junk.
const maxBox = 4 * MaxNodes

// mailOverhead is what a message costs besides its data, about.
const mailOverhead = 256

func newMailbox(limit int) *mailbox { return &mailbox{limit: limit, boxes: map[string][]LogMessage{}} }

func (m *mailbox) put(id string, msg LogMessage) {
	box, ok := m.boxes[id]
	if len(box) >= maxBox {
		return
	}
	if !ok {
		m.order = append(m.order, id)
	}
	m.boxes[id] = append(box, msg)
	m.bytes += len(msg.Data) + mailOverhead
	for m.bytes > m.limit && len(m.order) > 0 {
		m.dropOldest()
	}
}

// take gives a session's messages and forgets them.
func (m *mailbox) take(id string) []LogMessage {
	box := m.boxes[id]
	m.remove(id)
	return box
}

func (m *mailbox) remove(id string) {
	for _, msg := range m.boxes[id] {
		m.bytes -= len(msg.Data) + mailOverhead
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
		box, ok := m.boxes[m.order[0]]
		if ok && box[0].Time.After(before) {
			return
		}
		m.dropOldest()
	}
}
