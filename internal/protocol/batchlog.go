package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// batchLog is what the log says of one batch: the values of its slots.
// Workers and gateways fill it from the same messages in the same order.
type batchLog struct {
	id       string
	firstSeq uint64
	lastTime time.Time

	header *wire.BatchHeader // from the task, or else from the first deal that fits the id
	deals  [][]byte          // raw bodies by node, nil where none stands yet
	bytes  int
	certs  []*wire.Certificate
	raw    [][]byte // the certificates' bodies
	aborts []*wire.Complaint
}

func newBatchLog(id string, n int) *batchLog {
	return &batchLog{id: id, deals: make([][]byte, n), certs: make([]*wire.Certificate, n), raw: make([][]byte, n), aborts: make([]*wire.Complaint, n)}
}

// put opens a message and gives its slot a value if it has none. It reports
// whether anything changed: junk, copies and late comers change nothing.
func (b *batchLog) put(o *wire.Opener, slot wire.Slot, msg wire.LogMessage) bool {
	if slot.Node >= len(b.deals) || b.filled(slot) {
		return false
	}
	body, err := o.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if slot.Kind == wire.SlotCert && err != nil {
		// A certificate vouches for itself by the HSM's signature. One that was
		// sealed under a delegation that this reader judges stale still counts.
		body = wire.UnverifiedBody(msg.Data)
	} else if err != nil {
		return false
	}
	if !b.set(o.Manifest, slot, body) {
		return false
	}
	if b.firstSeq == 0 {
		b.firstSeq = msg.Seq
	}
	b.lastTime = msg.Time
	return true
}

// slotBytes is what the entry costs for each node, without the deals.
const slotBytes = 128

// size is what the entry costs in memory, in bytes, about.
func (b *batchLog) size() int { return b.bytes + len(b.deals)*slotBytes }

func (b *batchLog) filled(s wire.Slot) bool {
	switch s.Kind {
	case wire.SlotDeal:
		return b.deals[s.Node] != nil
	case wire.SlotCert:
		return b.certs[s.Node] != nil
	}
	return b.aborts[s.Node] != nil
}

func (b *batchLog) set(m *wire.Manifest, s wire.Slot, body []byte) bool {
	switch s.Kind {
	case wire.SlotDeal:
		b.deals[s.Node] = append([]byte{}, body...)
		b.bytes += len(body)
		b.adoptHeader(m, body)
	case wire.SlotCert:
		cert, err := wire.DecodeCertificate(body, m, s.Node)
		if err != nil || wire.ShortID(cert.Context) != b.id {
			return false
		}
		b.certs[s.Node], b.raw[s.Node] = cert, append([]byte{}, body...)
	case wire.SlotAbort:
		c, err := wire.DecodeComplaint(body)
		if err != nil || wire.ShortID(c.Session) != b.id {
			return false
		}
		b.aborts[s.Node] = c
	default:
		return false
	}
	return true
}

// adoptHeader takes the header from a deal if it is the preimage of the id.
func (b *batchLog) adoptHeader(m *wire.Manifest, body []byte) {
	if b.header != nil {
		return
	}
	h, _, err := wire.DecodeDeal(body)
	if err == nil && h.K >= 1 && h.K <= frost.MaxBatch && wire.ShortID(h.Context(m)) == b.id {
		b.header = &h
	}
}

// allDeals reports whether every node has dealt.
func (b *batchLog) allDeals() bool {
	for _, d := range b.deals {
		if d == nil {
			return false
		}
	}
	return true
}

// certified reports whether all n nodes certified the same keys: the batch is
// done, whatever else is said of it.
func (b *batchLog) certified() bool {
	for _, c := range b.certs {
		if c == nil || !c.Agrees(b.certs[0]) {
			return false
		}
	}
	return true
}

// abort gives the first node, by index, that gave the batch up.
func (b *batchLog) abort() (int, *wire.Complaint) {
	for i, c := range b.aborts {
		if c != nil {
			return i, c
		}
	}
	return 0, nil
}

// missing lists the nodes without a value of the kind.
func (b *batchLog) missing(kind wire.SlotKind) (nodes []int) {
	for i := range b.deals {
		if !b.filled(wire.Slot{Kind: kind, Node: i}) {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// decoded opens all n deals. If one is not a deal of this batch, it returns
// its node.
func (b *batchLog) decoded(m *wire.Manifest) (deals []*frost.Deal, culprit int) {
	for i, raw := range b.deals {
		h, deal, err := wire.DecodeDeal(raw)
		if err != nil || b.header == nil || h != *b.header {
			return nil, i
		}
		deals = append(deals, deal)
	}
	return deals, -1
}
