package sim

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// worker is one life of a node's process: memory that a crash takes away.
type worker struct {
	w       *world
	m       *machine
	name    string
	alive   bool
	disk    *disk
	node    *protocol.Node
	random  *drawer
	session *wire.SessionKey
	liar    bool
	deals   map[string][]byte // what this process dealt, by batch
	memory  *nonceMemory
	heard   *ledger // of administrators
	lineage *wire.Lineage
}

// startWorker begins a life of a node on a disk. Twins run beside the other.
func (w *world) startWorker(m *machine, d *disk, suffix string) *worker {
	m.lives++
	p := &worker{w: w, m: m, disk: d, alive: true, liar: m.isLiar(), deals: map[string][]byte{},
		name: fmt.Sprintf("%s%d.%d%s", m.letter(), m.index, m.lives, suffix)}
	p.lineage = w.learn(m.lineageOf(d))
	p.memory = newNonceMemory(p)
	p.random = newDrawer(w, p.name)
	w.workers = append(w.workers, p)
	if suffix == "" {
		m.life = p
	}
	w.tracef("%s starts, cursor %d, %d batches", p.name, d.cursor, len(d.records))
	p.renew()
	cfg := protocol.NodeConfig{
		Manifest: m.manifest, Lineage: p.lineage, Successor: d.approved.next, Access: w.access, Index: m.index,
		Host: secret.New(append([]byte{}, m.host[:]...)), SeedSecret: secret.New(append([]byte{}, m.hedge[:]...)),
		Rand: p.random, StandbyDelay: 300 * time.Millisecond, Known: d.known(), Refused: d.refused,
		Freezes: d.book(m.manifest),
	}
	p.govern(&cfg)
	p.node = protocol.NewNode(cfg)
	p.obey()
	p.resume()
	type reading struct {
		stream *stream
		after  uint64
		lost   func()
		event  func(wire.LogMessage) protocol.Event
	}
	var rounds []reading
	for _, s := range w.bus.rounds {
		rounds = append(rounds, reading{s, 0, nil, func(l wire.LogMessage) protocol.Event {
			return protocol.RoundsMessage{LogMessage: l}
		}})
	}
	for _, s := range append(rounds, []reading{
		{
			w.bus.keys, max(d.cursor, 1) - 1, nil,
			p.readKeys,
		},
		{
			w.bus.sign, 0, func() { p.step(protocol.SignLost{}) },
			func(l wire.LogMessage) protocol.Event { return protocol.SignMessage{LogMessage: l} },
		},
		{w.bus.work, 0, nil, func(l wire.LogMessage) protocol.Event {
			return protocol.TaskMessage{LogMessage: l, Now: m.clock()}
		}},
	}...) {
		s.stream.follow(
			&follower{who: p.name, alive: p.up, lost: s.lost, deliver: func(l wire.LogMessage) { p.receive(l, s.event(l)) }},
			s.after,
		)
	}
	w.at(w.between(0, time.Second), p.tick)
	return p
}

func (p *worker) up() bool { return p.alive }

// resume says again what the disk certifies, before or after the log is read.
func (p *worker) resume() {
	for _, ref := range p.disk.sorted() {
		if r := p.disk.records[ref]; !r.complete {
			again := protocol.Recertify{
				Batch: r.Ref(), Context: r.Context, Transcript: r.Transcript, MadeBy: r.MadeBy, Root: r.Root,
			}
			if ref.Generation == 0 {
				again.Deal = r.Deals[p.m.index]
			}
			p.w.at(p.w.between(0, 30*time.Millisecond), func() {
				if p.alive && !p.disk.records[ref].complete {
					p.step(again)
				}
			})
		}
	}
}

// renew takes a fresh session key from the HSM.
func (p *worker) renew() { p.session = p.sessionKey(p.m.clock()) }

func (p *worker) sessionKey(at time.Time) *wire.SessionKey {
	key, err := wire.NewSessionKey(p.random, p.m.index, at)
	if err != nil {
		panic(err)
	}
	key.Delegate(p.m.attest(key.Leaf(p.m.manifest)))
	return key
}

func (p *worker) tick() {
	if !p.alive {
		return
	}
	if p.session.NotAfter().Sub(p.m.clock()) < time.Minute {
		p.renew()
	}
	p.step(protocol.Tick{Now: p.m.clock()})
	p.measure()
	p.beat()
	p.w.at(p.w.between(900*time.Millisecond, 1100*time.Millisecond), p.tick)
}

// receive takes a message of a stream. The cursor is kept when its effects
// have been performed.
func (p *worker) receive(l wire.LogMessage, ev protocol.Event) {
	p.memory.saw(l)
	if ev != nil {
		p.step(ev)
	}
	if p.alive && p.w.rng.IntN(4) == 0 {
		p.disk.cursor = p.node.Cursor()
	}
}

func (p *worker) step(ev protocol.Event) {
	if p.alive {
		p.perform(p.w.calm(p.name, func() []protocol.Effect { return p.node.Step(ev) }))
		p.w.check.counts(p)
	}
}

// perform does what a step wants done, unless the process crashes in between.
func (p *worker) perform(effects []protocol.Effect) {
	for _, e := range effects {
		if p.w.fault(NodeCrash) {
			p.crash()
		}
		if !p.alive || p.w.failure != nil {
			return
		}
		p.do(e)
	}
}

// calm turns a panic into a failure.
func (w *world) calm(who string, fn func() []protocol.Effect) (effects []protocol.Effect) {
	defer func() {
		if r := recover(); r != nil {
			w.fail(RuleNoPanic, "%s: %v\n%s", who, r, clipStack(string(debug.Stack())))
		}
	}()
	return fn()
}

// clipStack keeps the frames of the program under test.
func clipStack(stack string) string {
	var kept []string
	for line := range strings.Lines(stack) {
		if strings.Contains(line, "frostfleet/internal/") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept[:min(len(kept), 8)], "\n")
}

// crash ends this life. The node comes back, perhaps with an empty disk; a
// twin does not.
func (p *worker) crash() {
	w := p.w
	p.alive = false
	w.tracef("%s crashes", p.name)
	if p.m.life != p {
		return
	}
	p.m.life = nil
	for _, other := range p.m.beside {
		if other.life != nil {
			other.life.alive, other.life = false, nil
		}
	}
	w.at(w.between(50*time.Millisecond, 2*time.Second), func() {
		if p.m.life != nil || w.healed {
			return
		}
		wiped := w.fault(NodeWiped)
		for _, m := range append([]*machine{p.m}, p.m.beside...) {
			if wiped {
				m.disk, m.amnesia = newDisk(), true
			}
			if m.life == nil && w.change.runs(m) {
				w.startWorker(m, m.disk, "")
			}
		}
	})
}

// startTwin starts a second process of some index, on a copy of its disk, for
// a while.
func (w *world) startTwin() {
	m := w.machines[w.rng.IntN(len(w.machines))]
	m.amnesia = true
	twin := w.startWorker(m, m.disk.clone(), "t")
	w.at(w.between(time.Second, 10*time.Second), func() {
		if twin.alive {
			twin.crash()
		}
	})
}
