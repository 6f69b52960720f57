package sim

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// In a quarter of the worlds the fleet changes: another manifest, of another shape, some of
// whose nodes run on the machines that there are, follows the founding one. What it is, and
// who does what when, is drawn from a source of its own, so that the other worlds are those
// that they were. All methods of a nil change are those of a fleet that stays what it is.

// change is how a fleet changes.
type change struct {
	w         *world
	rng       *rand.Rand
	next      *wire.Manifest // that follows
	other     *wire.Manifest // that nobody approved, unless the fleet forks
	forced    bool           // the first who approve are as few as may be
	forks     bool           // operators are forced to approve both
	published bool
	forked    bool
	signed    map[[32]byte]map[int]bool // what devices approved, and whether forced, by manifest and node
	pace      *wire.Pace
	tookOver  bool // all next nodes certified other keys
	resigned  bool // all keys signed once more after they moved
	since     time.Duration

	steps  map[lineageStep]*wire.Lineage
	parsed map[string]*wire.Manifest
}

// approval is what an operator accepted.
type approval struct {
	next   [32]byte
	signed *wire.SuccessorApproval
}

// shapes are thresholds and sizes of next manifests.
var shapes = [][2]int{{1, 1}, {1, 2}, {2, 2}, {2, 3}, {2, 3}, {2, 4}, {3, 3}, {3, 4}}

// changes reports whether a world's fleet changes.
func (w *world) changes() bool { return w.always || w.seed/2%4 == 3 }

// perSlice is for how many keys a deal is, at most: for all, in a third of the worlds. Their batches
// have up to three.
func (w *world) perSlice() int { return int(w.seed / 8 % 3) }

func newChange(w *world) *change {
	w.include(w.manifest)
	if !w.changes() {
		return nil
	}
	c := &change{w: w, rng: rand.New(rand.NewPCG(w.seed, 15)), signed: map[[32]byte]map[int]bool{},
		steps: map[lineageStep]*wire.Lineage{}, parsed: map[string]*wire.Manifest{}}
	for _, f := range moveFaults.sorted() {
		if c.rng.IntN(10) < 7 {
			w.plan.rate[f] = min(0.9, moveFaults[f]*[]float64{0.4, 1, 2}[c.rng.IntN(3)])
		}
	}
	if w.perSlice() > 0 {
		maps.Copy(w.plan.rate, sliceFaults)
	}
	c.forced, c.forks = c.rng.IntN(3) == 0, c.rng.IntN(8) == 0
	c.next, c.other = c.draw(), c.draw()
	c.deceivers(w.crew(w.manifest))
	c.deceivers(w.crew(c.next))
	return c
}

// draw makes a manifest that may follow the founding one.
func (c *change) draw() *wire.Manifest {
	w, shape := c.w, shapes[c.rng.IntN(len(shapes))]
	hash := w.manifest.Hash()
	m := &wire.Manifest{
		Version: wire.SuccessorVersion, Fleet: w.manifest.Fleet, Network: w.manifest.Network, T: shape[0], N: shape[1],
		Epoch: w.manifest.Epoch + 1, AttestSigning: c.rng.IntN(2) == 0, Genesis: hash[:], Previous: hash[:],
	}
	old := w.crew(w.manifest)
	stay := c.rng.Perm(len(old))[:c.rng.IntN(min(len(old), m.N)+1)]
	for i := range m.N {
		one := newMachine(w, m, i)
		if i < len(stay) {
			host := old[stay[i]]
			one.identity, one.skew, one.unheard = host.identity, host.skew, host.unheard
			one.beside = []*machine{host}
		}
		m.Nodes = append(m.Nodes, one.card())
		w.machines = append(w.machines, one)
	}
	if err := m.Seal(); err != nil {
		panic(err)
	}
	w.include(m)
	return m
}

// deceivers are fewer than the threshold of a crew, who lie in resharings.
func (c *change) deceivers(crew []*machine) {
	most := crew[0].manifest.T - 1
	for _, m := range crew {
		if m.isLiar() {
			most--
		}
	}
	if most < 1 || c.rng.IntN(5) == 0 {
		return
	}
	for _, i := range c.rng.Perm(len(crew))[:1+c.rng.IntN(most)] {
		crew[i].deceives = !crew[i].isLiar()
	}
}

// begin plans the course of things.
func (c *change) begin() {
	if c == nil {
		return
	}
	w := c.w
	for _, m := range w.crew(c.next) {
		for _, host := range m.beside {
			host.beside = append(host.beside, m)
		}
	}
	at := c.between(time.Second, 9*time.Second)
	w.at(at, c.publish)
	founders := w.crew(w.manifest)
	for k, i := range c.rng.Perm(len(founders)) {
		if forced := c.forced && k < w.manifest.T; forced || !c.forced && c.rng.IntN(8) > 0 {
			c.later(at+c.between(0, 6*time.Second), func() { c.approve(founders[i], c.next, forced) })
		}
	}
	at += c.between(time.Second, 6*time.Second)
	c.later(at, func() { c.setPace(true) })
	if c.rng.IntN(2) == 0 {
		at += c.between(100*time.Millisecond, 4*time.Second)
		c.later(at, func() { w.happened(Paused); c.setPace(false) })
		at += c.between(100*time.Millisecond, 4*time.Second)
		c.later(at, func() { c.setPace(true) })
	}
	if c.forks {
		c.later(at+c.between(0, 5*time.Second), c.fork)
	}
}

// later does something, unless the fleet was healed before.
func (c *change) later(after time.Duration, do func()) {
	c.w.at(after, func() {
		if !c.w.healed {
			do()
		}
	})
}

func (c *change) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.rng.Int64N(int64(high-low)+1))
}

// publish puts the next manifest beside the keys, and starts its nodes on hardware of their own.
func (c *change) publish() {
	if c.published {
		return
	}
	c.published = true
	c.w.tracef("manifest %x is to follow: %d of %d", c.next.Hash(), c.next.T, c.next.N)
	for _, m := range []*wire.Manifest{c.w.manifest, c.next} {
		c.store(m)
	}
	for _, m := range c.w.crew(c.next) {
		if len(m.beside) == 0 {
			c.invite(m)
		}
	}
}

func (c *change) store(m *wire.Manifest) {
	c.w.bus.keys.put(wire.ManifestSubject(m.Hash()), must(json.Marshal(m)), -1)
}

// invite has a node of the next manifest run from now on.
func (c *change) invite(m *machine) {
	m.invited = true
	if m.life == nil && (len(m.beside) == 0 || m.beside[0].life != nil) {
		c.w.startWorker(m, m.disk, "")
	}
}

// runs reports whether a node's process is to run.
func (c *change) runs(m *machine) bool { return m.manifest == m.w.manifest || m.invited }

// approve is what a node's operator does on its machine.
func (c *change) approve(m *machine, next *wire.Manifest, forced bool) {
	if m.disk.approved.next != [32]byte{} {
		return
	}
	c.w.tracef("the operator of %s%d approves %x, forced %t", m.letter(), m.index, next.Hash(), forced)
	c.decide(m, approval{next.Hash(), c.sign(m, next, forced)})
	c.inviteBeside(m, next.Hash())
}

// decide is what an operator's node goes by.
func (c *change) decide(m *machine, a approval) {
	m.disk.approved = a
	if m.life != nil {
		m.life.step(protocol.SuccessorChanged{Next: a.next})
	}
}

// takeBack takes an approval back, if nothing was dealt by it, and gives it again later.
func (c *change) takeBack(m *machine) {
	a := m.disk.approved
	if a.next == [32]byte{} || m.disk.dealt != [32]byte{} {
		return
	}
	c.w.happened(ApprovalTaken)
	c.decide(m, approval{})
	c.later(c.between(time.Second, 5*time.Second), func() {
		if m.disk.approved.next == [32]byte{} {
			c.decide(m, a)
		}
	})
}

// sign has a node's device approve a manifest.
func (c *change) sign(m *machine, next *wire.Manifest, forced bool) *wire.SuccessorApproval {
	a := &wire.SuccessorApproval{Node: uint32(m.index), Next: next.Hash(), Forced: forced}
	a.Attestation = m.attest(a.Leaf(m.manifest))
	if c.signed[a.Next] == nil {
		c.signed[a.Next] = map[int]bool{}
	}
	c.signed[a.Next][m.index] = c.signed[a.Next][m.index] || forced
	return a
}

// counts reports whether so many devices approved a manifest as it takes, by a count of
// what they signed.
func (c *change) counts(next [32]byte) bool {
	n, t, forced := c.w.manifest.N, c.w.manifest.T, 0
	for _, f := range c.signed[next] {
		if f {
			forced++
		}
	}
	return 2*len(c.signed[next]) > n+t-1 || forced >= t
}

func (c *change) inviteBeside(m *machine, hash [32]byte) {
	for _, other := range m.beside {
		if other.manifest.Hash() == hash && !other.invited {
			c.later(c.between(0, time.Second), func() { c.invite(other) })
		}
	}
}

func (c *change) setPace(run bool) {
	hash := c.next.Hash()
	c.pace = &wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: run}
	c.w.tracef("pace: run %t", run)
	for _, g := range c.w.gateways {
		if g.gatewayLife != nil {
			g.step(protocol.PaceChanged{Pace: c.pace})
		}
	}
}

func (c *change) paceNow() *wire.Pace {
	if c == nil {
		return nil
	}
	return c.pace
}

// fork has operators forced to approve two manifests.
func (c *change) fork() {
	c.w.happened(ForcedFork)
	c.forked = true
	c.store(c.other)
	for _, next := range []*wire.Manifest{c.next, c.other} {
		s := wire.Succession{Version: wire.SuccessionVersion, Manifest: must(json.Marshal(next))}
		for _, m := range c.w.crew(c.w.manifest)[:c.w.manifest.T] {
			s.Approvals = append(s.Approvals, *c.sign(m, next, true))
		}
		c.w.bus.keys.put(wire.SuccessionSubject(next.Hash()), wire.Encode(&s), -1)
	}
}

// proofs are the successions that KEYS has.
func (c *change) proofs() (all [][]byte) {
	if c == nil {
		return nil
	}
	return c.w.learn(c.w.founding(c.w.manifest)).Proofs()
}

// heal has every operator approve, and keys move.
func (c *change) heal() {
	if c == nil {
		return
	}
	c.since = c.w.elapsed
	c.publish()
	for _, m := range c.w.crew(c.w.manifest) {
		c.approve(m, c.next, false)
	}
	for _, m := range c.w.crew(c.next) {
		c.invite(m)
	}
	c.setPace(true)
}

// patience is how long keys may take to move in a fleet that is well, whatever a gateway had lied. Most
// worlds need a minute or two; where a gateway has lied and restarted in the middle of its lies, it may wait
// for as long as WORK has one of its tasks, ten minutes. A new node that lies makes attempts take that long:
// in such worlds nobody waits for longer than forLiars.
const (
	patience = 12 * time.Minute
	forLiars = 2 * time.Minute
)

// lied reports whether a node did what may keep a batch for long.
func (c *change) lied() bool {
	for _, f := range []Fault{NewRefuses, NewComplains, NewCertifies} {
		if c.w.counts[f] > 0 {
			return true
		}
	}
	return c.w.plan.liar >= 0 || c.w.plan.lies
}

// settled reports whether all keys have moved that are to.
func (c *change) settled() bool {
	if c == nil || c.forked || c.tookOver {
		return true
	}
	for _, batch := range slices.Sorted(values(c.w.check.announced)) {
		if why := c.lacks(batch); why != "" {
			if waited := c.w.elapsed - c.since; waited > forLiars && c.lied() {
				return true
			} else if waited > patience {
				c.w.fail(RuleMoves, "batch %s has not moved %s after the fleet was healed: %s", batch, patience, why)
			}
			return false
		}
	}
	return true
}

// lacks says why a batch is not where it is to be.
func (c *change) lacks(batch string) string {
	at := c.w.latestOf(batch)
	if at.manifest != c.next {
		return "KEYS has no later generation"
	}
	for _, m := range c.w.crew(c.next) {
		if r := m.disk.records[at.BatchRef]; r == nil || !r.complete {
			return "a new node has no usable share"
		}
	}
	return ""
}

// signs reports, once, that all keys are to sign where they are now.
func (c *change) signs() bool {
	if c == nil || c.resigned {
		return false
	}
	c.resigned = true
	return true
}

// over reports whether nothing more is to happen.
func (c *change) over() bool { return c != nil && c.tookOver }

// placed is a generation of a batch, and whose nodes have it.
type placed struct {
	wire.BatchRef
	manifest *wire.Manifest
}

// latestOf is the highest generation that KEYS has all of.
func (w *world) latestOf(batch string) placed {
	at := placed{wire.BatchRef{ID: batch}, w.manifest}
	if w.change == nil {
		return at
	}
	for _, e := range w.wholeIn(batch) {
		at.Generation, at.manifest = e.Generation, w.all.Manifest(e.Manifest)
	}
	return at
}

// manifestSet are all manifests of a world, whether anybody is to go by them or not.
type manifestSet map[[32]byte]*wire.Manifest

func (s manifestSet) Manifest(hash [32]byte) *wire.Manifest { return s[hash] }

func (w *world) include(m *wire.Manifest) {
	if w.all == nil {
		w.all = manifestSet{}
	}
	w.all[m.Hash()] = m
	w.manifests = append(w.manifests, m)
}

func (w *world) widest() *wire.Manifest {
	return slices.MaxFunc(w.manifests, func(a, b *wire.Manifest) int { return cmp.Compare(a.N, b.N) })
}

// crew are the nodes of a manifest, by index.
func (w *world) crew(m *wire.Manifest) (crew []*machine) {
	for _, one := range w.machines {
		if one.manifest.Hash() == m.Hash() {
			crew = append(crew, one)
		}
	}
	return crew
}

// letter tells the nodes of the founding manifest from others, in a trace.
func (m *machine) letter() string {
	if m.manifest == m.w.manifest {
		return "w"
	}
	return "x"
}
