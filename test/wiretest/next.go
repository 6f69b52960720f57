package wiretest

import (
	"encoding/json"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Next draws the keys of a t-of-n fleet that follows f: other nodes, of the next epoch, with
// f's clients and gateway. The changes apply to the manifest before it is sealed. Succession
// makes it a successor.
func (f *Fleet) Next(t testing.TB, threshold, n int, change ...func(*wire.Manifest)) *Fleet {
	t.Helper()
	id, mh := f.Manifest.FleetID(), f.Manifest.Hash()
	next := New(t, threshold, n, nil, append([]func(*wire.Manifest){func(m *wire.Manifest) {
		m.Version, m.Fleet, m.Network, m.Epoch = wire.SuccessorVersion, f.Manifest.Fleet, f.Manifest.Network, f.Manifest.Epoch+1
		m.Genesis, m.Previous = id[:], mh[:]
	}}, change...)...)
	next.Access, next.Clients, next.Gateway = f.Access, f.Clients, f.Gateway
	return next
}

// Approve is the word of one of f's nodes for a manifest.
func (f *Fleet) Approve(node int, next *wire.Manifest, forced bool) *wire.SuccessorApproval {
	a := wire.SuccessorApproval{Node: uint32(node), Next: next.Hash(), Forced: forced}
	a.Attestation = f.Attest(node, [][32]byte{a.Leaf(f.Manifest)}, 0)
	return &a
}

// Succession makes a manifest follow f's, by the word of these nodes, ascending; of all
// where none are named.
func (f *Fleet) Succession(next *wire.Manifest, forced bool, nodes ...int) []byte {
	if len(nodes) == 0 {
		for i := range f.Manifest.N {
			nodes = append(nodes, i)
		}
	}
	s := wire.Succession{Version: wire.SuccessionVersion, Manifest: must(json.Marshal(next))}
	for _, node := range nodes {
		s.Approvals = append(s.Approvals, *f.Approve(node, next, forced))
	}
	return wire.Encode(&s)
}

// Reshare is an attempt at moving an entry of f's manifest to the next one's nodes, as that
// generation. The first nodes deal, as many as it takes.
func (f *Fleet) Reshare(base *wire.Entry, next *wire.Manifest, generation uint32) *wire.Reshare {
	r := &wire.Reshare{
		Version: wire.ReshareVersion, Origin: base.Origin, Header: base.Header, Made: base.MadeBy,
		Source: f.Manifest.Hash(), From: base.Generation, Base: base.Transcript, Manifest: next.Hash(), To: generation,
	}
	for i := range f.Manifest.T {
		r.Dealers = append(r.Dealers, byte(i))
	}
	return r
}

// ReshareDeals are the bodies of an attempt's deals, of each dealer one for each slice: well formed,
// of no use.
func ReshareDeals(r *wire.Reshare, size int) (deals [][]byte) {
	for _, dealer := range r.Dealers {
		for slice := range r.SliceCount() {
			share := make([]byte, size+1)
			share[size] = dealer
			deals = append(deals, wire.EncodeReshareDeal(r, slice, &frost.ReshareDeal{Shares: [][]byte{share}}))
		}
	}
	return deals
}

// Later returns the entry that comes of an attempt at moving keys to f's nodes, certified by
// all of them over the deals. The keys are those of the batch's entry before.
func (f *Fleet) Later(r *wire.Reshare, keys []wire.EntryKey, deals [][]byte) []byte {
	head := wire.NewLaterHead(r, keys, nil, wire.DealDigests(deals))
	for i := range f.Manifest.N {
		c := wire.Certificate{
			Context: r.Context(), Transcript: wire.Transcript(head.Deals), Root: wire.KeyRoot(keys), Generation: r.To, Node: uint32(i),
		}
		c.Attestation = f.Attest(i, [][32]byte{c.Leaf(f.Manifest)}, 0)
		head.Certificates = append(head.Certificates, wire.Encode(&c))
	}
	return wire.Encode(head)
}
