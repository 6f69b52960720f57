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
}

// Attempt is one of them.
type Attempt struct {
	wire.Reshare
	ID string

	source, next *wire.Manifest
	dealt        *wire.Opener // opens what the dealers sealed
	got          *wire.Opener // and the nodes that get the shares
	values       map[key]*value
}

// NewReshares returns a board with no attempt.
func NewReshares() *Reshares { return &Reshares{attempts: map[string]*Attempt{}} }

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
		Reshare: r, ID: id, source: source, next: next, dealt: dealt, got: got, values: map[key]*value{},
	}
	b.attempts[id] = a
	return a
}

// Get returns an attempt that is open, nil if it is not, and Forget closes it.
func (b *Reshares) Get(id string) *Attempt { return b.attempts[id] }

// Forget lets go of an attempt.
func (b *Reshares) Forget(id string) { delete(b.attempts, id) }

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
	if a = b.attempts[slot.ID]; a == nil {
		return nil, slot, false
	}
	k := key{slot.Kind, slot.Node}
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
		body, err := a.dealt.FromRound(slot.Node, msg.Subject, msg.Time, msg.Data)
		if err != nil {
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
		body, err := a.got.FromRound(slot.Node, msg.Subject, msg.Time, msg.Data)
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

// dealer is the place of a node among the dealers, -1 if it is none.
func (a *Attempt) dealer(node int) int {
	return slices.IndexFunc(a.Dealers, func(d byte) bool { return int(d) == node })
}

// Seq is the sequence of the message that stands in a slot, 0 if none does.
func (a *Attempt) Seq(slot wire.Slot) uint64 {
	if v := a.values[key{slot.Kind, slot.Node}]; v != nil {
		return v.seq
	}
	return 0
}

// Deals are the raw deals in the order of the dealers, nil where one is missing.
func (a *Attempt) Deals() [][]byte {
	all := make([][]byte, len(a.Dealers))
	for i, d := range a.Dealers {
		if v := a.values[key{wire.SlotReshareDeal, int(d)}]; v != nil {
			all[i] = v.body
		}
	}
	return all
}

// Digests are those of the deals in the order of the dealers; false if some are missing.
func (a *Attempt) Digests() (all [][32]byte, ok bool) {
	for _, d := range a.Dealers {
		v := a.values[key{wire.SlotReshareDeal, int(d)}]
		if v == nil {
			return nil, false
		}
		all = append(all, v.digest)
	}
	return all, true
}

// Absent lists the dealers that have not dealt, ascending.
func (a *Attempt) Absent() (nodes []int) {
	for _, d := range a.Dealers {
		if a.values[key{wire.SlotReshareDeal, int(d)}] == nil {
			nodes = append(nodes, int(d))
		}
	}
	return nodes
}

// Certificates are the raw certificates by node, nil where one is missing.
func (a *Attempt) Certificates() [][]byte {
	all := make([][]byte, a.next.N)
	for node := range all {
		if v := a.values[key{wire.SlotReshareCert, node}]; v != nil {
			all[node] = v.body
		}
	}
	return all
}

// Certificate is that of a node, nil if it has not certified.
func (a *Attempt) Certificate(node int) *wire.Certificate {
	if v := a.values[key{wire.SlotReshareCert, node}]; v != nil {
		return v.certificate
	}
	return nil
}

// Certified returns a certificate if all nodes that get shares certified the same, else nil.
func (a *Attempt) Certified() *wire.Certificate {
	var first *wire.Certificate
	for node := range a.next.N {
		v := a.values[key{wire.SlotReshareCert, node}]
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
		if a.values[key{wire.SlotReshareCert, node}] == nil {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Aborts are what nodes said who gave the attempt up, by node.
func (a *Attempt) Aborts() map[int]*wire.Complaint {
	all := map[int]*wire.Complaint{}
	for node := range a.next.N {
		if v := a.values[key{wire.SlotReshareAbort, node}]; v != nil {
			all[node] = v.abort
		}
	}
	return all
}
