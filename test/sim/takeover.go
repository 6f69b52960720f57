package sim

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What no threshold covers: all nodes of the next manifest certify another secret under the
// name of a batch. Nobody can keep them from that. But who knows the batch takes no such entry.

// takeOver is the last thing that happens in some worlds whose fleets change.
func (c *change) takeOver() bool {
	if c == nil || c.forked || c.tookOver || c.w.failure != nil {
		return false
	}
	c.tookOver = true
	for _, batch := range slices.Sorted(values(c.w.check.announced)) {
		if c.lacks(batch) == "" { // who has nothing of a batch believes its own manifest's nodes
			c.usurp(c.w.wholeIn(batch))
		}
	}
	c.w.at(3*time.Second, c.w.supervise)
	return true
}

// usurp puts an entry into KEYS that is whole, and of other keys than the batch has.
func (c *change) usurp(whole []*wire.Entry) {
	w, first, last := c.w, whole[0], whole[len(whole)-1]
	source := w.all.Manifest(first.Manifest)
	if source != w.manifest {
		return
	}
	c.w.happened(KeysReplaced)
	r := &wire.Reshare{
		Version: wire.ReshareVersion, Origin: first.Origin, Header: first.Header, Source: first.Manifest, Manifest: c.next.Hash(),
		To: last.Generation + 1,
	}
	w.bytes(r.Made[:])
	r.Base = r.Made
	shares, nodes := map[int][]byte{}, []int{}
	for i := range source.T {
		r.Dealers, nodes = append(r.Dealers, byte(i)), append(nodes, i)
		for range r.Header.K {
			share := make([]byte, frost.ScalarSize)
			addSmall(frost.Suite(r.Header.Suite), share, 3+i*i)
			shares[i] = append(shares[i], share...)
		}
	}
	var public, deals [][]byte
	for k := range int(r.Header.K) {
		public = append(public, interpolate(frost.Suite(r.Header.Suite), nodes, keyShares(shares, k)))
	}
	for _, i := range nodes {
		var seed [32]byte
		w.bytes(seed[:])
		deal := must(frost.NewReshareDeal(r.Params(r.Slices()[0], source, c.next), i, secret.New(slices.Clone(shares[i])), &seed))
		deals = append(deals, wire.EncodeReshareDeal(r, 0, deal))
	}
	keys, digests := wire.EntryKeys(public, r.Header.Client, r.Made), wire.DealDigests(deals)
	var certificates [][]byte
	for i, m := range w.crew(c.next) {
		cert := wire.Certificate{
			Context: r.Context(), Generation: r.To, Transcript: wire.Transcript(digests), Root: wire.KeyRoot(keys), Node: uint32(i),
		}
		cert.Attestation = m.attest(cert.Leaf(c.next))
		certificates = append(certificates, wire.Encode(&cert))
	}
	head := wire.Encode(wire.NewLaterHead(r, keys, certificates, digests))
	w.bus.keys.put(wire.EntryHeadSubject(first.ID, r.To), head, -1)
	for i, d := range deals {
		w.bus.keys.put(wire.EntryDealSubject(first.ID, r.To, i), d, -1)
	}
}
