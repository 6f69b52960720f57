package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what a run does not draw from its seed.
type Config struct {
	Profile Profile   // empty: the seed decides
	Change  bool      // every fleet changes
	T, N    int       // zero: the seed decides
	Trace   io.Writer // every event as it happens, if not nil
}

// Report is what happened in a run.
type Report struct {
	Profile      Profile
	Faults       map[Fault]int
	Done, Failed int // jobs of honest clients
	Keys, Sigs   int
	Events       int
	Hash         uint64 // over the whole trace
	Virtual      time.Duration
	Shares       int // made by nodes
	Children     int // signatures under children
	Denials      int // by policies of nodes
	Saves        int // states of their ledgers
	Deals, Moved int // in resharings: deals of honest nodes, and generations that became usable at a node

	Plain, Compact int // entries of first generations, by their version
}

// sizes are the thresholds and fleet sizes. The last two have more nodes than
// t+1, so a set can be full before every node has committed.
var sizes = [][2]int{{1, 1}, {2, 2}, {2, 3}, {2, 3}, {3, 4}, {1, 3}, {2, 4}}

// Run runs the world of a seed. The error is a *Failure.
func Run(cfg Config, seed uint64) error {
	_, err := Simulate(cfg, seed)
	return err
}

// Simulate is Run with a report of what happened.
func Simulate(cfg Config, seed uint64) (Report, error) {
	w := newWorld(cfg, seed)
	w.run()
	r := Report{
		Profile: w.plan.profile, Faults: w.counts, Events: w.log.count, Hash: w.log.hash,
		Virtual: w.elapsed, Keys: len(w.check.announced), Sigs: w.check.signatures, Shares: w.check.shares,
		Children: w.check.children, Denials: w.check.denials, Saves: w.check.saves,
		Deals: w.check.book.deals, Moved: w.check.book.moved,
	}
	r.Plain, r.Compact = w.forms()
	for _, c := range w.clients {
		for _, j := range c.jobs {
			if j.done {
				r.Done++
			} else if j.honest {
				r.Failed++
			}
		}
	}
	if w.failure != nil {
		return r, w.failure
	}
	return r, nil
}

func newWorld(cfg Config, seed uint64) *world {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	w := &world{
		seed:   seed,
		rng:    rand.New(rand.NewChaCha8(key)),
		forced: cfg.Profile,
		always: cfg.Change,
		counts: map[Fault]int{},
		log:    traceLog{out: cfg.Trace},
	}
	size := sizes[w.rng.IntN(len(sizes))]
	if cfg.N > 0 {
		size = [2]int{cfg.T, cfg.N}
	}
	w.plan = draw(w.rng, cfg.Profile, size[0], size[1])
	w.bus = newBroker(w)
	w.check = newChecker(w)
	w.jobs = &jobQueue{w: w}
	w.populate(size[0], size[1])
	w.tracef("seed %d: %s, %d of %d, liar %d", seed, w.plan.profile, size[0], size[1], w.plan.liar)
	w.change.begin()
	for _, m := range w.crew(w.manifest) {
		w.startWorker(m, m.disk, "")
	}
	for _, g := range w.gateways {
		g.start()
	}
	for i, c := range w.clients {
		w.at(time.Duration(i)*w.between(0, 2*time.Second), c.begin)
	}
	w.at(0, w.misfortune)
	w.at(time.Second, w.supervise)
	return w
}

// populate draws the fleet: machines, gateways, clients, and the manifest and
// access list that name them.
func (w *world) populate(t, n int) {
	w.manifest = &wire.Manifest{
		Version:       1,
		Fleet:         "sim",
		Network:       "regtest",
		N:             n,
		T:             t,
		AttestSigning: w.rng.IntN(2) == 0,
	}
	for i := range n {
		m := newMachine(w, w.manifest, i)
		w.machines = append(w.machines, m)
		w.manifest.Nodes = append(w.manifest.Nodes, m.card())
	}
	if err := w.manifest.Seal(); err != nil {
		panic(err)
	}
	w.change = newChange(w)
	for i := range w.widest().N {
		w.bus.rounds = append(w.bus.rounds, newStream(w, fmt.Sprintf("ROUNDS_%d", i)))
	}
	keys := map[string][]byte{}
	for i := range 1 + w.rng.IntN(2) {
		g := newGateway(w, fmt.Sprintf("g%d", i))
		w.gateways = append(w.gateways, g)
		keys[g.name] = g.public()
	}
	var listed []wire.Client
	for i := range 2 {
		c := newClient(w, fmt.Sprintf("c%d", i))
		w.clients = append(w.clients, c)
		listed = append(listed, c.entry())
	}
	w.council = newCouncil(w)
	w.access = w.council.list(newAccess(listed, keys))
}

// misfortune brings what comes from outside: lost streams and twins.
func (w *world) misfortune() {
	if w.fault(WorkLost) {
		w.bus.work.lose()
	}
	if w.fault(SignLost) {
		w.bus.sign.lose()
	}
	if w.fault(Twin) {
		w.startTwin()
	}
	w.council.trouble()
	w.change.trouble()
	w.at(time.Second, w.misfortune)
}

// supervise heals the fleet when the workload has ended, and ends the run when
// the healed fleet has signed with every key.
func (w *world) supervise() {
	for _, c := range w.clients {
		if !c.idle() {
			w.at(500*time.Millisecond, w.supervise)
			return
		}
	}
	switch {
	case !w.healed:
		w.heal()
		w.at(3*time.Second, func() {
			if w.change == nil {
				w.check.disks()
			}
			w.signAll()
		})
		w.at(4*time.Second, w.supervise)
	case !w.change.settled():
		w.at(500*time.Millisecond, w.supervise)
	case w.change.signs():
		w.signAll()
		w.at(500*time.Millisecond, w.supervise)
	case !w.change.over():
		w.check.finish()
		if !w.change.takeOver() {
			w.over = true
		}
	default:
		w.over = true
	}
}

// heal ends all trouble: one honest process for each index, and a liar only
// where the others can do without it.
func (w *world) heal() {
	w.tracef("healed")
	lost, claims := w.drawn(EntriesLost), w.drawn(LiarClaims)
	w.healed = true
	if w.manifest.N-1 < w.manifest.T {
		w.plan.liar = -1
	}
	for _, life := range w.workers {
		life.alive = false
	}
	if w.falseClaims = claims && w.plan.liar >= 0; w.falseClaims {
		w.happened(LiarClaims)
	}
	if lost {
		w.happened(EntriesLost)
		w.loseEntries()
	}
	for _, m := range w.machines {
		m.life = nil
		if w.plan.lies {
			m.disk.cursor = 0 // a lying broker may have hidden what lies before it
			if m.amnesia {
				m.disk = newDisk() // it may hold deals that nobody else has: the operator removes them
			}
		}
		if w.change.runs(m) {
			w.startWorker(m, m.disk, "")
		}
	}
	for _, g := range w.gateways {
		g.alive = false
		g.start()
	}
	w.council.thaw()
	w.change.heal()
}

// signAll asks for a signature with every key that was announced.
func (w *world) signAll() {
	for _, c := range w.clients {
		for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
			var keys []announcedKey
			for _, k := range c.keys {
				if k.suite == suite {
					keys = append(keys, k)
				}
			}
			if len(keys) > 0 {
				c.sign(keys, true)
			}
		}
	}
}
