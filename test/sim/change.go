package sim

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
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
