package sim

import (
	"bytes"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What must hold of keys that move.

// moveBook is what the checker knows of generations.
type moveBook struct {
	heads  map[wire.BatchRef]*wire.Entry
	shares map[wire.BatchRef]map[int][]byte // usable ones, by node
	moved  int                              // generations above 0 that became usable at a node
	deals  int                              // of honest dealers
}

// stored looks at what somebody put into KEYS.
func (c *checker) stored(subject string, data []byte) {
	if c.w.change == nil || c.w.change.tookOver || !strings.HasSuffix(subject, ".head") {
		return
	}
	e := c.w.head(data)
	if e == nil {
		return
	}
	ref := wire.BatchRef{ID: e.ID, Generation: e.Generation}
	if old := c.book.heads[ref]; old != nil && !old.Same(e) && !(c.w.plan.lies && !c.faithful()) {
		c.w.fail(RuleEntry, "two valid entries of batch %s, generation %d", e.ID, e.Generation)
	}
	c.book.heads[ref] = e
	if first := c.book.heads[wire.BatchRef{ID: e.ID}]; first == nil || !e.Continues(first) {
		c.w.fail(RuleContinues, "generation %d of batch %s is of other keys than generation 0", e.Generation, e.ID)
	}
}

// goesBy checks what a process goes by from now on.
func (c *checker) goesBy(who string, l *wire.Lineage) {
	for _, m := range l.Chain() {
		if m != c.w.manifest && m.Hash() != c.w.manifest.Hash() && m.Hash() != l.Pinned().Hash() && !c.w.change.counts(m.Hash()) {
			c.w.fail(RuleApproved, "%s goes by manifest %x, which too few devices approved", who, m.Hash())
		}
	}
}

// redeals checks a deal of an honest node, before it leaves.
func (c *checker) redeals(p *worker, slot wire.Slot, body []byte) {
	r, slice, _, err := wire.DecodeReshareDeal(body)
	if err != nil {
		c.w.fail(RuleApproved, "%s deals what can't be read: %v", p.name, err)
		return
	}
	mine := p.disk.records[wire.BatchRef{ID: r.BatchID(), Generation: r.From}]
	switch {
	case slice >= r.SliceCount() || r.Slices()[slice].ID() != slot.ID:
		c.w.fail(RuleApproved, "%s deals slice %d in the place of another one, or of no attempt", p.name, slice)
	case r.Source != p.m.manifest.Hash() || !slices.Contains(r.Dealers, byte(p.m.index)):
		c.w.fail(RuleApproved, "%s deals in an attempt that is not for it", p.name)
	case p.disk.approved.next != r.Manifest:
		c.w.fail(RuleApproved, "%s deals to manifest %x, which its operator did not approve", p.name, r.Manifest[:8])
	case !c.w.change.counts(r.Manifest) || p.lineage.Proof(r.Manifest) == nil:
		c.w.fail(RuleApproved, "%s deals to manifest %x, which too few devices approved, as far as it knows", p.name, r.Manifest[:8])
	case p.lineage.Fork() != nil:
		c.w.fail(RuleApproved, "%s deals in a fleet that it knows has forked", p.name)
	case mine == nil || !mine.complete || mine.Transcript != r.Base || mine.MadeBy != r.Made:
		c.w.fail(RuleApproved, "%s deals of a generation that it does not have", p.name)
	}
	c.book.deals++
}

// moves checks that what a node takes for moved is in KEYS, and of the same keys.
func (c *checker) moves(p *worker, batch string) {
	whole := c.w.wholeIn(batch)
	if len(whole) < 2 || !whole[len(whole)-1].Continues(whole[0]) {
		c.w.fail(RuleContinues, "%s takes batch %s for moved, and KEYS has no later generation of its keys", p.name, batch)
	}
}

// continues checks a generation that became usable at a node.
func (c *checker) continues(p *worker, r *record) {
	if r.Generation == 0 || c.w.failure != nil {
		return
	}
	ref, first := r.Ref(), c.book.heads[wire.BatchRef{ID: r.ID}]
	if first == nil && c.w.change.over() { // its keys were made after the checker had looked at KEYS last
		return
	}
	if first == nil || r.MadeBy != first.MadeBy || r.Root != first.Root || r.Header != first.Header ||
		!slices.EqualFunc(r.Batch.PublicKeys, first.PublicKeys(), bytes.Equal) {
		c.w.fail(RuleContinues, "%s has other keys in generation %d of batch %s than were made", p.name, r.Generation, r.ID)
		return
	}
	c.book.moved++
	if r.Reshare.SliceCount() > 1 {
		c.w.happened(Sliced)
	}
	if c.book.shares[ref] == nil {
		c.book.shares[ref] = map[int][]byte{}
	}
	c.book.shares[ref][p.m.index] = r.shares
	all, m := c.book.shares[ref], p.m.manifest
	if len(all) < m.T {
		return
	}
	nodes := slices.DeleteFunc(c.w.rng.Perm(m.N), func(i int) bool { return all[i] == nil })[:m.T]
	for k, key := range r.Batch.PublicKeys {
		if got := interpolate(frost.Suite(r.Header.Suite), nodes, keyShares(all, k)); !bytes.Equal(got, key) {
			c.w.fail(RuleInterpolate, "generation %d: the shares of nodes %v give %x for key %d of batch %s", r.Generation, nodes, got, k,
				r.ID)
		}
	}
}

// keyShares are the shares of one key of a batch.
func keyShares(all map[int][]byte, key int) map[int][]byte {
	of := map[int][]byte{}
	for i, shares := range all {
		of[i] = shares[key*frost.ScalarSize:][:frost.ScalarSize]
	}
	return of
}

// generations checks at the end what became of all keys.
func (c *checker) generations() {
	if c.w.change == nil {
		return
	}
	for _, client := range c.w.clients {
		for _, k := range client.keys {
			c.generationsOf(k)
		}
	}
}

func (c *checker) generationsOf(k announcedKey) {
	whole := c.w.wholeIn(k.id.Batch)
	for _, e := range whole {
		if one := e.Keys[k.id.Index]; one.Owner != k.owner || one.ChainCode != k.chain || !bytes.Equal(one.PublicKey, k.public) {
			c.w.fail(RuleContinues, "generation %d of key %s has another owner, chain code or public key", e.Generation, k.id)
		}
	}
	last := whole[len(whole)-1]
	if last.Generation == 0 {
		return
	}
	for _, m := range c.w.crew(c.w.all.Manifest(last.Source)) {
		if r := m.disk.latest(k.id.Batch); r != nil && !m.disk.moved[k.id.Batch] && !m.isLiar() {
			c.w.fail(RuleMoved, "node %d of the founding manifest does not know that batch %s has moved", m.index, k.id.Batch)
		}
	}
	c.mixed(k)
	c.known(k)
}

// point is somebody's share of a key in some generation.
type point struct {
	node       int
	generation uint32
	share      []byte
}

// pointsOf are the shares of a key that some machines have, of all generations.
func (c *checker) pointsOf(k announcedKey, which func(*machine) bool) (all []point) {
	for _, m := range c.w.machines {
		if !which(m) {
			continue
		}
		for _, ref := range m.disk.sorted() {
			if r := m.disk.records[ref]; ref.ID == k.id.Batch {
				all = append(all, point{m.index, ref.Generation, r.shares[k.id.Index*frost.ScalarSize:][:frost.ScalarSize]})
			}
		}
	}
	return all
}

// gives reports whether points, of different nodes, interpolate to a key.
func gives(k announcedKey, points []point) bool {
	var nodes []int
	shares := map[int][]byte{}
	for _, p := range points {
		if shares[p.node] != nil {
			return false
		}
		nodes, shares[p.node] = append(nodes, p.node), p.share
	}
	return bytes.Equal(interpolate(k.suite, nodes, shares), k.public)
}

// mixed checks that shares of two generations do not make the key.
func (c *checker) mixed(k announcedKey) {
	points := c.pointsOf(k, func(m *machine) bool { return m.manifest.T > 1 }) // of others each is the key
	for _, t := range []int{c.w.manifest.T, c.w.change.next.T} {
		for range 4 {
			var some []point
			for _, i := range c.w.rng.Perm(len(points)) {
				if some = append(some, points[i]); len(some) == t {
					break
				}
			}
			same := !slices.ContainsFunc(some, func(p point) bool { return p.generation != some[0].generation })
			if len(some) == t && !same && gives(k, some) {
				c.w.fail(RuleMixed, "shares of several generations make key %s: %v", k.id, some)
			}
		}
	}
}

// known checks that what fewer than t malicious nodes of each manifest know does not make the key.
func (c *checker) known(k announcedKey) {
	bad := map[*wire.Manifest]int{}
	for _, m := range c.w.machines {
		if !m.honest() {
			bad[m.manifest]++
		}
	}
	for m, n := range bad {
		if n >= m.T { // a liar of a fleet in which each node has the whole key
			return
		}
	}
	points := c.pointsOf(k, func(m *machine) bool { return !m.honest() })
	for set := 1; set < 1<<min(len(points), 10); set++ {
		var some []point
		for i, p := range points[:min(len(points), 10)] {
			if set>>i&1 == 1 {
				some = append(some, p)
			}
		}
		if gives(k, some) {
			c.w.fail(RuleMixed, "malicious nodes know key %s by their shares: %v", k.id, some)
		}
	}
}
