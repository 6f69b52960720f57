package protocol

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// crossing is a finished batch of old nodes, and the new nodes that it is to move
// to. What either publishes the others read.
type crossing struct {
	old, next *fleet
	t         testing.TB
	id        string
	entry     *wire.Entry // of generation 0
}

// continued is successor, with the log of the fleet before.
func continued(t testing.TB, f *fleet, threshold, n int) *fleet {
	next := successor(t, f, threshold, n)
	next.dkg, next.keys, next.work = slices.Clone(f.dkg), slices.Clone(f.keys), slices.Clone(f.work)
	next.now = f.now
	return next
}

// everyone are the indices of a fleet's nodes.
func (f *fleet) everyone() (nodes []int) {
	for i := range f.m.N {
		nodes = append(nodes, i)
	}
	return nodes
}

// newCrossing makes the batch under (t, n), and has all old nodes approve (t', n').
func newCrossing(t testing.TB, chain string, from, to [2]int) *crossing {
	t.Helper()
	return newCrossingWith(t, chain, from, to, 2)
}

// newCrossingWith is newCrossing of a batch of so many keys.
func newCrossingWith(t testing.TB, chain string, from, to [2]int, keys int) *crossing {
	t.Helper()
	old := newFleet(t, from[0], from[1]).start()
	old.desk.arrive(old.keygen(1, "alice", chain, keys), nil)
	old.drain()
	id := old.desk.finished[0].Result.Batches[0].ID
	old.desk = nil
	c := &crossing{old: old, next: continued(t, old, to[0], to[1]), t: t, id: id}
	c.entry = must(wire.VerifyEntry(old.keys[0].Data, old.m))
	lineage := must(wire.NewLineage(old.m).WithSuccession(old.succession(c.next.m, false, old.everyone()...)))
	c.join(lineage)
	return c
}

// join has both fleets' programs go by a lineage, and the old operators approve the new one.
func (c *crossing) join(l *wire.Lineage) {
	c.old.lineage, c.old.successor, c.next.lineage = l, c.next.m.Hash(), l
	for _, a := range c.old.nodes {
		a.do(LineageChanged{l})
		a.do(SuccessorChanged{c.next.m.Hash()})
	}
	c.next.start()
	c.next.desk = nil
	for _, a := range c.nodes() {
		a.do(Tick{c.old.now})
		a.reads, a.reports, a.fetch = true, nil, nil
	}
	for _, a := range c.next.nodes {
		c.next.show(a)
		a.reports = nil
	}
	c.old.abreast, c.next.abreast = c.next, c.old
}

func (c *crossing) nodes() []*actor { return append(slices.Clone(c.old.nodes), c.next.nodes...) }

// attempt is a task that moves the batch.
func (c *crossing) attempt(to uint32, dealers ...byte) *wire.Reshare {
	return &wire.Reshare{
		Version: wire.ReshareVersion, Origin: c.entry.Origin, Header: c.entry.Header, Made: c.entry.MadeBy,
		Source: c.old.m.Hash(), From: c.entry.Generation, Base: c.entry.Transcript, Manifest: c.next.m.Hash(), To: to,
		Dealers: dealers,
	}
}

// open posts a task as a gateway does.
func (c *crossing) open(r *wire.Reshare) *wire.Reshare {
	subject := wire.ReshareTaskSubject(r)
	c.old.post(subject, wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, wire.Encode(r)))
	return r
}

// publish fills the slots that nodes want filled, of some kinds or of all.
func (c *crossing) publish(kinds ...wire.SlotKind) {
	for busy := true; busy; {
		busy = false
		for _, a := range c.nodes() {
			out := a.out
			a.out = nil
			for _, w := range out {
				if len(kinds) > 0 && !slices.Contains(kinds, w.slot.Kind) {
					a.out = append(a.out, w)
					continue
				}
				busy = true
				a.fill(w)
			}
		}
	}
}

// register writes the entry of an attempt that all new nodes certified, as a gateway does; it
// reports whether they have.
func (c *crossing) register(r *wire.Reshare) bool {
	head, deals := c.assemble(r)
	if head == nil {
		return false
	}
	c.old.post(wire.EntryHeadSubject(c.id, r.To), wire.Encode(head))
	for i, deal := range deals {
		c.old.post(wire.EntryDealSubject(c.id, r.To, i), deal)
	}
	return true
}

func (c *crossing) assemble(r *wire.Reshare) (*wire.EntryHead, [][]byte) {
	b := board.NewReshares()
	a := b.Open(*r, c.old.m, c.next.m, wire.NewOpener(c.old.m, c.old.access), wire.NewOpener(c.next.m, c.old.access))
	for _, m := range c.old.dkg {
		b.Put(m)
	}
	if a.Certified() == nil {
		return nil, nil
	}
	return wire.NewLaterHead(r, c.entry.Keys, a.Certificates(), wire.DealDigests(a.Deals())), a.Deals()
}

// cross moves the batch by an attempt that nobody disturbs.
func (c *crossing) cross(to uint32, dealers ...byte) *wire.Reshare {
	c.t.Helper()
	r := c.open(c.attempt(to, dealers...))
	c.publish()
	if !c.register(r) {
		c.t.Fatalf("attempt %d is not certified; reports: %v", to, c.reports())
	}
	return r
}

func (c *crossing) reports() (all []Report) {
	for _, a := range c.nodes() {
		all = append(all, a.reports...)
	}
	return all
}

func (c *crossing) tick(after time.Duration) {
	c.old.now, c.next.now = c.old.now.Add(after), c.old.now.Add(after)
	for _, a := range c.nodes() {
		a.do(Tick{c.old.now})
	}
}

// signed has some nodes sign with each key of the batch, and holds the result against the
// keys of generation 0.
func (f *fleet) signed(t testing.TB, entry *wire.Entry, nodes ...int) {
	t.Helper()
	var set []frost.NonceCommitment
	var all []*frost.Nonces
	var public []frost.Item
	for _, i := range nodes {
		var ids []wire.KeyID
		for k := range entry.Keys {
			ids = append(ids, wire.KeyID{Batch: entry.ID, Index: k})
		}
		var items []frost.Item
		for k, key := range f.nodes[i].load(ids) {
			if key.Key == nil || !bytes.Equal(key.Key.PublicKey, entry.Keys[k].PublicKey) || key.MadeBy != entry.MadeBy {
				t.Fatalf("node %d has key %d not, or another one", i, k)
			}
			tweak := (&wire.JobItem{}).Tweak(key.Key.Suite)
			items = append(items, frost.Item{Key: key.Key, Message: bytes.Repeat([]byte{byte(k)}, 32), Tweak: tweak})
		}
		nonces, points, err := frost.Commit(rand.Reader, [32]byte{1}, frost.FormDivided, items)
		if err != nil {
			t.Fatal(err)
		}
		set, all, public = append(set, frost.NonceCommitment{Index: i, Points: points}), append(all, nonces), items
	}
	var shares [][]byte
	for _, n := range all {
		shares = append(shares, must(n.Sign(set)))
	}
	sigs, blame, err := frost.Aggregate(frost.FormDivided, public, set, shares)
	if err != nil || len(blame) > 0 || len(sigs) != len(entry.Keys) {
		t.Fatalf("signing: %v, %v", err, blame)
	}
	for k, sig := range sigs {
		if len(sig.Bytes) == 0 {
			t.Fatalf("key %d: no signature", k)
		}
	}
}
