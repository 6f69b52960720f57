package board

import (
	"bytes"
	"container/list"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Batch is what the board holds of one batch.
type Batch struct {
	ID       string
	Job      string // that it is pinned for, and the job's traceparent: mean nothing here
	Trace    string
	n        int
	header   *wire.BatchHeader
	values   map[key]*value
	lastTime time.Time     // of the newest value
	quiet    *list.Element // in Board.quiet; nil while pinned
	asked    bool          // Incomplete returned true
	dropped  bool          // a value was evicted, and a later message may have taken its slot
	unsure   map[int]bool  // dealers whose deal here may not be the first one: something of theirs was evicted
}

// key names a slot within its batch.
type key struct {
	kind wire.SlotKind
	node int
}

// value is what stands in a slot: a deal's body, a certificate with its body, or
// an abort.
type value struct {
	seq         uint64
	body        []byte
	digest      [32]byte          // of a deal, as an entry has it
	header      *wire.BatchHeader // of a deal that proves its batch's id
	certificate *wire.Certificate
	abort       *wire.Complaint
	author      int
	listed      *list.Element // in the author's list; nil while pinned
}

func (v *value) size() int { return len(v.body) + overhead }

// read opens a message and returns its value, nil if it is junk.
func (b *Board) read(slot wire.Slot, msg wire.LogMessage) *value {
	body, err := b.opener.FromRound(slot.Node, msg.Subject, msg.Time, msg.Data)
	if slot.Kind == wire.SlotCert && err != nil {
		// A certificate proves itself by the HSM's signature. One that was sealed
		// under a delegation that this reader judges stale still counts.
		body = wire.UnverifiedBody(msg.Data)
	} else if err != nil {
		return nil
	}
	v := &value{seq: msg.Seq, body: bytes.Clone(body)}
	switch slot.Kind {
	case wire.SlotDeal:
		kept, _ := wire.EntryDeal(v.body)
		v.digest = wire.DealDigest(kept)
		if batch := b.batches[slot.ID]; batch == nil || batch.header == nil {
			v.header = headerOf(b.manifest, slot.ID, v.body)
		}
	case wire.SlotCert:
		v.certificate, err = wire.DecodeCertificate(body, b.manifest, slot.Node, 0)
		if err != nil || wire.ShortID(v.certificate.Context) != slot.ID {
			return nil
		}
	case wire.SlotAbort:
		v.abort, err = wire.DecodeComplaint(body)
		if err != nil || wire.ShortID(v.abort.Session) != slot.ID {
			return nil
		}
	default:
		return nil
	}
	return v
}

// headerOf returns the header of a deal if it is the preimage of the batch's id.
func headerOf(m *wire.Manifest, id string, body []byte) *wire.BatchHeader {
	h, _, err := wire.DecodeDeal(body)
	if err != nil || h.K < 1 || h.K > frost.MaxBatch || wire.ShortID(h.Context(m)) != id {
		return nil
	}
	return &h
}

// precedes reports whether the slot's value stands at seq or before.
func (b *Batch) precedes(s wire.Slot, seq uint64) bool {
	v := b.values[key{s.Kind, s.Node}]
	return v != nil && v.seq <= seq
}

// Header is the batch's header: from its task, or from the first deal that proves
// it. It is nil until then.
func (b *Batch) Header() *wire.BatchHeader { return b.header }

// SetHeader takes the header from the batch's task. The caller has checked that
// it is the preimage of the id.
func (b *Batch) SetHeader(h wire.BatchHeader) { b.header = &h }

// LastTime is when the newest value was stored, or the batch pinned.
func (b *Batch) LastTime() time.Time { return b.lastTime }

// Has reports whether a node's slot has a value.
func (b *Batch) Has(kind wire.SlotKind, node int) bool { return b.values[key{kind, node}] != nil }

// Empty reports whether no slot has a value.
func (b *Batch) Empty() bool { return len(b.values) == 0 }

// Missing lists the nodes whose slots of this kind have no value, ascending.
func (b *Batch) Missing(kind wire.SlotKind) (nodes []int) {
	for node := range b.n {
		if !b.Has(kind, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Deals returns the n raw deals in index order, nil where one is missing.
func (b *Batch) Deals() [][]byte { return b.bodies(wire.SlotDeal) }

// Certificates returns the n raw certificates in index order, nil where one is
// missing.
func (b *Batch) Certificates() [][]byte { return b.bodies(wire.SlotCert) }

func (b *Batch) bodies(kind wire.SlotKind) [][]byte {
	all := make([][]byte, b.n)
	for node := range all {
		if v := b.values[key{kind, node}]; v != nil {
			all[node] = v.body
		}
	}
	return all
}

// AllDeals reports whether every node has dealt.
func (b *Batch) AllDeals() bool {
	for node := range b.n {
		if !b.Has(wire.SlotDeal, node) {
			return false
		}
	}
	return true
}

// Certified returns a certificate if all n nodes certified the same keys, else
// nil. The batch is finished then, whatever else is said of it.
func (b *Batch) Certified() *wire.Certificate {
	var first *wire.Certificate
	for node := range b.n {
		v := b.values[key{wire.SlotCert, node}]
		if v == nil || first != nil && !v.certificate.Agrees(first) {
			return nil
		}
		if first == nil {
			first = v.certificate
		}
	}
	return first
}

// Abort returns the first node, by index, that gave the batch up, and its reason;
// -1 and nil if none did.
func (b *Batch) Abort() (int, *wire.Complaint) {
	for node := range b.n {
		if v := b.values[key{wire.SlotAbort, node}]; v != nil {
			return node, v.abort
		}
	}
	return -1, nil
}

// Incomplete reports, once, that the batch does not stand here as it does in the
// log: deals are missing, which a certificate follows there, or a value was evicted,
// and what is in its slot now may not be the first. Whoever reads a certificate
// then has to fetch the batch again.
func (b *Batch) Incomplete() bool {
	if b.asked || b.AllDeals() && !b.dropped && len(b.unsure) == 0 {
		return false
	}
	b.asked, b.dropped = true, false
	return true
}

// Asked notes that the batch is being fetched again anyway.
func (b *Batch) Asked() { b.asked = true }

// Transcript is the hash of the batch's deals; false if some are missing.
func (b *Batch) Transcript() (transcript [32]byte, ok bool) {
	if !b.AllDeals() {
		return transcript, false
	}
	return wire.Transcript(b.Digests()), true
}

// Digests are those of the batch's n deals, zero where one is missing.
func (b *Batch) Digests() [][32]byte {
	all := make([][32]byte, b.n)
	for node := range all {
		if v := b.values[key{wire.SlotDeal, node}]; v != nil {
			all[node] = v.digest
		}
	}
	return all
}

// others are the nodes, ascending, whose certificates are over other deals than those
// here; none if deals are missing.
func (b *Batch) others() (nodes []int) {
	transcript, ok := b.Transcript()
	for node := range b.n {
		if v := b.values[key{wire.SlotCert, node}]; ok && v != nil && v.certificate.Transcript != transcript {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// OtherTranscript reports whether some node's certificate is over other deals than those
// here.
func (b *Batch) OtherTranscript() bool { return len(b.others()) > 0 }

// FalseCertificate returns the first node, by index, against whom OtherTranscript proves
// something, -1 if there is none: its device signed it, and nobody else could have made
// it say so, as far as all programs read one log. Where another node's deal here may not
// be its first one nothing is proven. The node's own may: who dealt twice is no better.
func (b *Batch) FalseCertificate() int {
	for _, node := range b.others() {
		if !b.Unsure(node) {
			return node
		}
	}
	return -1
}

// doubt notes that a deal of the node may have stood in the rounds before the one that
// is here, or comes.
func (b *Batch) doubt(node int) {
	if b.unsure == nil {
		b.unsure = map[int]bool{}
	}
	b.unsure[node] = true
}

// Unsure reports whether the deal of some other node here may not be the one that stands
// first in the rounds. PutAgain tells.
func (b *Batch) Unsure(except int) bool {
	return len(b.unsure) > 1 || len(b.unsure) == 1 && !b.unsure[except]
}

// Roots are the roots that nodes certified, by node.
func (b *Batch) Roots() map[int][32]byte {
	roots := map[int][32]byte{}
	for node := range b.n {
		if v := b.values[key{wire.SlotCert, node}]; v != nil {
			roots[node] = v.certificate.Root
		}
	}
	return roots
}

// Decode opens a batch's n deals in the rounds. If one is not a deal of this batch, it
// returns its node, else -1. It takes time in proportion to the deals.
func Decode(raw [][]byte, header wire.BatchHeader) (deals []*frost.Deal, culprit int) {
	return decode(wire.DecodeDeal, raw, header)
}

// DecodeEntry is Decode for deals of an entry, or for what all nodes certified of the rounds.
func DecodeEntry(raw [][]byte, header wire.BatchHeader) (deals []*frost.Deal, culprit int) {
	return decode(wire.DecodeEntryDeal, raw, header)
}

func decode(
	open func([]byte) (wire.BatchHeader, *frost.Deal, error), raw [][]byte, header wire.BatchHeader,
) (deals []*frost.Deal, culprit int) {
	for node, body := range raw {
		h, deal, err := open(body)
		if err != nil || h != header {
			return nil, node
		}
		deals = append(deals, deal)
	}
	return deals, -1
}
