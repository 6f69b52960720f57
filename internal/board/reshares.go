package board

import (
	"bytes"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Reshares holds what the rounds have of attempts at resharing that somebody works on: those
// that were opened, and nothing else. Who opens one has it read from the beginning. It is not
// safe for concurrent use.
type Reshares struct {
	attempts map[string]*Attempt // by the id of the resharing
	slots    map[string]*Attempt // by every id that its slots have
}

// Attempt is one of them.
type Attempt struct {
	wire.Reshare
	ID string

	source, next *wire.Manifest
	dealt        *wire.Opener // opens what the dealers sealed
	got          *wire.Opener // and the nodes that get the shares
	slices       []string     // ids of their deals
	values       map[place]*value
}

// place names a slot of an attempt.
type place struct {
	kind  wire.SlotKind
	node  int
	slice int // of a deal
}

// NewReshares returns a board with no attempt.
func NewReshares() *Reshares {
	return &Reshares{attempts: map[string]*Attempt{}, slots: map[string]*Attempt{}}
}

// Open begins to keep what is said of an attempt, which the caller has checked
// (Reshare.Check). It returns the one that is open already, if one is.
func (b *Reshares) Open(
	r wire.Reshare, source, next *wire.Manifest, dealt, got *wire.Opener,
) *Attempt {
	id := r.ID()
	if a := b.attempts[id]; a != nil {
		return a
	}
	a := &Attempt{
		Reshare: r, ID: id, source: source, next: next, dealt: dealt, got: got, values: map[place]*value{},
	}
	for _, s := range r.Slices() {
		a.slices = append(a.slices, s.ID())
	}
	b.attempts[id] = a
	for _, slot := range a.IDs() {
		b.slots[slot] = a
	}
	return a
}

// Get returns an attempt that is open, nil if it is not, and Forget closes it.
func (b *Reshares) Get(id string) *Attempt { return b.attempts[id] }

// Forget lets go of an attempt.
func (b *Reshares) Forget(id string) {
	a := b.attempts[id]
	if a == nil {
		return
	}
	delete(b.attempts, id)
	for _, slot := range a.IDs() {
		delete(b.slots, slot)
	}
}

// Len counts the attempts.
func (b *Reshares) Len() int { return len(b.attempts) }

// Put takes a message of the rounds. It returns the attempt, nil if it is of none that is
// open, and whether a slot of it has a new value. The first valid message of a slot counts,
// in the order of the log: an earlier one, which was read later, takes the place.
func (b *Reshares) Put(msg wire.LogMessage) (a *Attempt, slot wire.Slot, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || !slot.Kind.Resharing() {
		return nil, slot, false
	}
	if a = b.slots[slot.ID]; a == nil {
		return nil, slot, false
	}
	k, ok := a.place(slot)
	if !ok {
		return a, slot, false
	}
	if old := a.values[k]; old != nil && old.seq <= msg.Seq {
		return a, slot, false
	}
	v := a.read(slot, msg)
	if v == nil {
		return a, slot, false
	}
	a.values[k] = v
	return a, slot, true
}

// read opens a message and returns its value, nil if it is junk.
func (a *Attempt) read(slot wire.Slot, msg wire.LogMessage) *value {
	v := &value{seq: msg.Seq}
	switch slot.Kind {
	case wire.SlotReshareDeal:
		if a.dealer(slot.Node) < 0 {
			return nil
		}
		body, err := a.dealt.FromRound(slot.Node, msg)
		if err != nil || len(body) > a.MaxDeal(a.next) { // or a few small batches would take gigabytes
			return nil
		}
		v.body = bytes.Clone(body)
		v.digest = wire.DealDigest(v.body)
	case wire.SlotReshareCert:
		// It proves itself by the signature of the node's device, as those of key generation.
		body := wire.UnverifiedBody(msg.Data)
		if slot.Node >= a.next.N {
			return nil
		}
		c, err := wire.DecodeReshareCertificate(body, a.next, slot.Node)
		if err != nil || c.Context != a.Context() || c.Generation != a.To {
			return nil
		}
		v.body, v.certificate = bytes.Clone(body), c
	case wire.SlotReshareAbort:
		if slot.Node >= a.next.N {
			return nil
		}
		body, err := a.got.FromRound(slot.Node, msg)
		if err != nil {
			return nil
		}
		if v.abort, err = wire.DecodeComplaint(body); err != nil || v.abort.Session != a.Context() {
			return nil
		}
		v.body = bytes.Clone(body)
	}
	return v
}

// IDs are those under which the rounds have something of the attempt: its own, and those of its
// slices if there are several.
func (a *Attempt) IDs() []string {
	if len(a.slices) == 1 {
		return a.slices
	}
	return append([]string{a.ID}, a.slices...)
}

// place is that of a slot. It is not ok if the attempt has no such slot: a deal stands under the
// id of its slice, all else under the attempt's own.
func (a *Attempt) place(slot wire.Slot) (p place, ok bool) {
	p = place{kind: slot.Kind, node: slot.Node}
	if slot.Kind != wire.SlotReshareDeal {
		return p, slot.ID == a.ID
	}
	p.slice = slices.Index(a.slices, slot.ID)
	return p, p.slice >= 0
}

// DealSlots are the slots of the deals: dealer by dealer, and of each by slice.
func (a *Attempt) DealSlots() (all []wire.Slot) {
	for _, d := range a.Dealers {
		for _, id := range a.slices {
			all = append(all, wire.Slot{Kind: wire.SlotReshareDeal, ID: id, Node: int(d)})
		}
	}
	return all
}

// dealer is the place of a node among the dealers, -1 if it is none.
func (a *Attempt) dealer(node int) int {
	return slices.IndexFunc(a.Dealers, func(d byte) bool { return int(d) == node })
}

// at is what stands in a slot of the attempt, nil if nothing does.
func (a *Attempt) at(slot wire.Slot) *value {
	p, ok := a.place(slot)
	if !ok {
		return nil
	}
	return a.values[p]
}

// Seq is the sequence of the message that stands in a slot, 0 if none does.
func (a *Attempt) Seq(slot wire.Slot) uint64 {
	if v := a.at(slot); v != nil {
		return v.seq
	}
	return 0
}

// Deals are the raw deals in the order of DealSlots, nil where one is missing.
func (a *Attempt) Deals() [][]byte {
	slots := a.DealSlots()
	all := make([][]byte, len(slots))
	for i, slot := range slots {
		if v := a.at(slot); v != nil {
			all[i] = v.body
		}
	}
	return all
}

// Digests are those of the deals in the same order; false if some are missing.
func (a *Attempt) Digests() (all [][32]byte, ok bool) {
	for _, slot := range a.DealSlots() {
		v := a.at(slot)
		if v == nil {
			return nil, false
		}
		all = append(all, v.digest)
	}
	return all, true
}

// Absent lists the dealers that have not dealt all slices, ascending.
func (a *Attempt) Absent() (nodes []int) {
	for _, slot := range a.DealSlots() {
		if a.at(slot) == nil && !slices.Contains(nodes, slot.Node) {
			nodes = append(nodes, slot.Node)
		}
	}
	return nodes
}

// Certificates are the raw certificates by node, nil where one is missing.
func (a *Attempt) Certificates() [][]byte {
	all := make([][]byte, a.next.N)
	for node := range all {
		if v := a.values[place{kind: wire.SlotReshareCert, node: node}]; v != nil {
			all[node] = v.body
		}
	}
	return all
}

// Certificate is that of a node, nil if it has not certified.
func (a *Attempt) Certificate(node int) *wire.Certificate {
	if v := a.values[place{kind: wire.SlotReshareCert, node: node}]; v != nil {
		return v.certificate
	}
	return nil
}

// Certified returns a certificate if all nodes that get shares certified the same, else nil.
func (a *Attempt) Certified() *wire.Certificate {
	var first *wire.Certificate
	for node := range a.next.N {
		v := a.values[place{kind: wire.SlotReshareCert, node: node}]
		if v == nil || first != nil && !v.certificate.Agrees(first) {
			return nil
		}
		if first == nil {
			first = v.certificate
		}
	}
	return first
}

// Uncertified lists the nodes that have not certified, ascending.
func (a *Attempt) Uncertified() (nodes []int) {
	for node := range a.next.N {
		if a.values[place{kind: wire.SlotReshareCert, node: node}] == nil {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Aborts are what nodes said who gave the attempt up, by node.
func (a *Attempt) Aborts() map[int]*wire.Complaint {
	all := map[int]*wire.Complaint{}
	for node := range a.next.N {
		if v := a.values[place{kind: wire.SlotReshareAbort, node: node}]; v != nil {
			all[node] = v.abort
		}
	}
	return all
}
