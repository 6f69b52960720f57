package worker

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A node keeps every batch that it certified, for ever: its certificate may be all that
// is missing somewhere. What never becomes an entry it says again, so that n nodes can
// bring back a batch whose rounds are gone. A malicious node can have any number of such
// batches made, so each time it is a part of them, and all come round.

const (
	// maxOffered bounds the deals, in bytes, that are said again each time. The rounds
	// hold three times of them at most, and have room for five times that.
	maxOffered = 64 << 20
	// maxOffers bounds the certificates: half of a tree that the device signs at once.
	maxOffers = 512
)

// recertify has the machine publish again what the keystore certifies and never
// saw in the register: the deal and the certificate of this node. When all nodes have
// done so a gateway can make the entry, however much else was lost.
func (m *member) recertify() error {
	refs, err := m.store.Pending()
	if err != nil {
		return err
	}
	var pending []string
	named := make(map[string]keystore.Ref, len(refs))
	for _, ref := range refs {
		pending = append(pending, ref.String())
		named[ref.String()] = ref
	}
	said := make(map[string]protocol.Said, len(pending))
	m.run.With(func(n *node) {
		for id, ref := range named {
			if ref.Generation == 0 {
				said[id] = n.Said(ref.Batch)
			}
		}
	})
	return newOffers(pending, said, clock.Now()).each(func(id string) (int, error) { return m.offer(named[id]) })
}

func (m *member) offer(ref keystore.Ref) (dealt int, err error) {
	r, err := m.store.Batch(ref)
	if err != nil {
		return 0, err
	}
	var deal []byte
	if ref.Generation == 0 { // else the dealers are other nodes
		if deal, err = m.store.Deal(ref, m.cfg.Index); err != nil {
			return 0, err
		}
	}
	m.run.Step(protocol.Recertify{
		Batch: batchRef(ref), Context: r.Context, Transcript: r.Transcript, MadeBy: r.MadeBy, Deal: deal,
		Root: wire.KeyRoot(wire.EntryKeys(r.PublicKeys, r.Owner, r.MadeBy)),
	})
	return len(deal), nil
}

// offers are the batches that a node might say again.
type offers struct {
	late   []string // whose deal the rounds have, and whose certificate they lack: it is waited for
	joined []string // of which the rounds have what other nodes said
	others []string
}

// newOffers sorts what never became an entry. What the rounds have is not said again:
// they keep it for longer than it takes until the next time.
func newOffers(pending []string, said map[string]protocol.Said, at time.Time) (o offers) {
	for _, id := range shuffled(pending, at) {
		switch s := said[id]; {
		case s.Deal && s.Cert:
		case s.Deal:
			o.late = append(o.late, id)
		case s.Any:
			o.joined = append(o.joined, id)
		default:
			o.others = append(o.others, id)
		}
	}
	return o
}

// shuffled are ids in an order that all nodes have at a time, so that what one says the
// others say too. It is another one each time: whoever makes batches can choose their ids,
// and so what stands before an id in one order, but not in all.
func shuffled(ids []string, at time.Time) []string {
	type placed struct {
		place [32]byte
		id    string
	}
	turn := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/offerEvery))
	all := make([]placed, len(ids))
	for i, id := range ids {
		all[i] = placed{frost.Hash("frostfleet/offer/v1", turn, []byte(id)), id}
	}
	slices.SortFunc(all, func(a, b placed) int { return bytes.Compare(a.place[:], b.place[:]) })
	sorted := make([]string, len(ids))
	for i, p := range all {
		sorted[i] = p.id
	}
	return sorted
}

// each offers what is due. What other nodes said takes half of the room, and any of them
// may say what it likes.
func (o offers) each(offer func(id string) (dealt int, err error)) error {
	for _, lot := range []struct {
		ids          []string
		bytes, count int
	}{
		{o.late, math.MaxInt, math.MaxInt}, // no room: their deals are there
		{o.joined, maxOffered / 2, maxOffers / 2},
		{o.others, maxOffered / 2, maxOffers / 2},
	} {
		for _, id := range lot.ids {
			if lot.bytes <= 0 || lot.count <= 0 {
				break
			}
			dealt, err := offer(id)
			if err != nil {
				return err
			}
			lot.bytes, lot.count = lot.bytes-dealt, lot.count-1
		}
	}
	return nil
}
