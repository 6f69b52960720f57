package sim

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// gateway is one gateway's name and key; gatewayLife is its process.
type gateway struct {
	w    *world
	name string
	key  ed25519.PrivateKey
	*gatewayLife
	lives int
}

type gatewayLife struct {
	g       *gateway
	w       *world
	alive   bool
	pending int  // streams not yet read to their ends
	ready   bool // it takes sign jobs

	complete bool // all of KEYS is in its directory: it takes key generations
	machine  *protocol.Coordinator
	tokens   map[uint64]*queued
	keys     *follower // of KEYS
	lineage  *wire.Lineage
}

func newGateway(w *world, name string) *gateway {
	var seed [32]byte
	w.bytes(seed[:])
	return &gateway{w: w, name: name, key: ed25519.NewKeyFromSeed(seed[:])}
}

// compact is its setting for entries. In a sixth of the worlds gateways differ in it, and it
// changes with each start.
func (g *gateway) compact() bool {
	switch g.w.seed % 6 {
	case 0:
		return false
	case 1:
		return (g.lives+int(g.name[len(g.name)-1]))%2 == 0
	}
	return true
}

func (g *gateway) public() []byte { return g.key.Public().(ed25519.PublicKey) }

func newAccess(clients []wire.Client, gateways map[string][]byte) *wire.Access {
	keys := map[string]ed25519.PublicKey{}
	for name, key := range gateways {
		keys[name] = key
	}
	a, err := wire.NewAccess(clients, keys)
	if err != nil {
		panic(err)
	}
	return a
}

// start begins a life: the machine reads WORK, then takes sign jobs, and
// key generations once it has read KEYS as well.
func (g *gateway) start() {
	w := g.w
	g.lives++
	life := &gatewayLife{g: g, w: w, alive: true, pending: 1, tokens: map[uint64]*queued{}}
	life.lineage = w.learn(w.founding(w.manifest))
	g.gatewayLife = life
	w.tracef("%s starts, life %d", g.name, g.lives)
	life.machine = protocol.NewCoordinator(protocol.CoordinatorConfig{
		Name: g.name, Manifest: w.manifest, Lineage: life.lineage, Access: w.access, MaxBatches: 1 + w.rng.IntN(3), MaxBulk: 1,
		PerSlice: w.perSlice(), CompactEntries: g.compact(),
		Address:    func(chain, network string, key []byte) (string, error) { return address(chain, key), nil },
		Descriptor: func(string, string, []byte, [32]byte) (string, error) { return "", nil }, // the client's to check
	})
	if !w.fault(GatewayDeaf) {
		life.followControl()
	}
	type reading struct {
		stream *stream
		caught func()
		event  func(wire.LogMessage) protocol.Event
	}
	var rounds []reading
	for _, s := range w.bus.rounds {
		rounds = append(rounds, reading{s, nil, func(l wire.LogMessage) protocol.Event {
			return protocol.RoundsMessage{LogMessage: l}
		}})
	}
	for _, s := range append(rounds, []reading{
		{
			w.bus.keys, func() { life.step(protocol.KeysRead{}) },
			life.readKeys,
		},
		{w.bus.work, func() { life.pending-- }, func(l wire.LogMessage) protocol.Event {
			return protocol.TaskMessage{LogMessage: l, Now: w.now()}
		}},
		{w.bus.sign, nil, func(l wire.LogMessage) protocol.Event {
			return protocol.SignMessage{LogMessage: l, Now: w.now()}
		}},
	}...) {
		f := &follower{who: g.name, alive: life.up, caught: s.caught, deliver: func(l wire.LogMessage) {
			if ev := s.event(l); ev != nil {
				life.step(ev)
			}
		}}
		if s.stream == w.bus.keys {
			life.keys = f
		}
		s.stream.follow(f, 0)
	}
	w.bus.presence.follow(&follower{who: g.name, alive: life.up, deliver: func(l wire.LogMessage) {
		life.step(protocol.PresenceMessage{LogMessage: l, Now: w.now()})
	}}, uint64(max(len(w.bus.presence.msgs)-len(w.machines), 0)))
	life.step(protocol.PaceChanged{Pace: w.change.paceNow()})
	w.at(0, life.tick)
	w.at(w.between(0, time.Second), life.beat)
}

// followControl has the machine know what is frozen.
func (l *gatewayLife) followControl() {
	control := l.w.bus.control
	for _, m := range control.msgs {
		l.step(protocol.ControlMessage{LogMessage: m})
	}
	control.follow(&follower{who: l.g.name, alive: l.up, deliver: func(m wire.LogMessage) {
		l.step(protocol.ControlMessage{LogMessage: m})
	}}, uint64(len(control.msgs)))
}

// address stands for internal/chain.
func address(chain string, key []byte) string { return chain + ":" + hex.EncodeToString(key) }

func (l *gatewayLife) up() bool { return l.alive }

func (l *gatewayLife) tick() {
	if !l.alive {
		return
	}
	l.ready = l.ready || l.pending == 0
	l.complete = l.machine.Complete()
	l.step(protocol.Tick{Now: l.w.now()})
	next := l.w.between(900*time.Millisecond, 1100*time.Millisecond)
	if !l.ready || !l.complete {
		next = 50 * time.Millisecond
	}
	l.w.at(next, l.tick)
}

// held lists the jobs that this process was given and has not ended.
func (l *gatewayLife) held() []*queued {
	var jobs []*queued
	for _, token := range slices.Sorted(maps.Keys(l.tokens)) {
		jobs = append(jobs, l.tokens[token])
	}
	return jobs
}

func (l *gatewayLife) deliver(e *queued) {
	if !l.alive || e.acked {
		return
	}
	token := l.w.jobs.token()
	l.tokens[token] = e
	id := wire.PeekJobID(e.job.Payload)
	l.w.tracef("%s <- JOBS %s/%s token %d", l.g.name, e.job.Client, id, token)
	arrived := protocol.JobArrived{
		Token: token, Job: protocol.CheckJob(l.w.manifest, l.w.access, e.job, e.stored), Stored: e.stored,
	}
	if stored := l.w.bus.results[e.job.Client+"/"+id]; stored != nil {
		arrived.Existing = protocol.ReadExisting(stored)
	}
	l.step(arrived)
}

func (l *gatewayLife) step(ev protocol.Event) {
	if !l.alive {
		return
	}
	for _, e := range l.w.calm(l.g.name, func() []protocol.Effect { return l.machine.Step(ev) }) {
		if l.w.fault(GatewayCrash) {
			l.crash()
		}
		if !l.alive || l.w.failure != nil {
			return
		}
		l.perform(e)
	}
}

func (l *gatewayLife) crash() {
	w := l.w
	l.alive = false
	w.tracef("%s crashes", l.g.name)
	w.at(w.between(100*time.Millisecond, 2*time.Second), func() {
		if l.g.gatewayLife == l && !w.healed {
			l.g.start()
		}
	})
}

// perform does what the gateway's machine wants done.
func (l *gatewayLife) perform(e protocol.Effect) {
	w := l.w
	switch e := e.(type) {
	case protocol.Compute:
		w.compute(l.g.name, e.Run, l.up, l.step)
	case protocol.After:
		w.timer(e, l.step)
	case protocol.Report:
		w.tracef("%s report %s %s %s %s", l.g.name, e.What, short(e.ID), e.Code, e.Reason)
	case protocol.Round:
		w.check.round(l.g.name, e)
	case protocol.Refetch:
		w.refetch(e, func() wire.ManifestSet { return l.lineage }, l.step)
	case protocol.AskNode:
		l.ask(e)
	case protocol.RestoreEntry:
		l.restore(e)
	case protocol.AskKeysEnd:
		w.at(w.lag(), func() { l.readKeysEnd(e, len(w.bus.keys.msgs)) })
	case protocol.PublishSuccession:
		w.publishSuccession(l, e)
	case protocol.WriteEntry:
		l.writeEntry(e)
	case protocol.PublishTask:
		l.publishTask(e, 0)
	case protocol.Finish:
		l.finish(e)
		if took := w.lag(); e.Flight != 0 {
			w.at(took, func() { l.step(protocol.Finished{Flight: e.Flight, Took: took}) })
		}
	case protocol.Reject:
		l.end(e.Token, "rejects", func() { w.rejected(e.Result) })
	case protocol.Replay:
		l.end(e.Token, "replays", func() {})
	case protocol.Supersede:
		l.supersede(e)
	default:
		w.fail(RuleNoPanic, "%s: unknown effect %T", l.g.name, e)
	}
}

// readKeysEnd waits until the process has read KEYS as far as its leader had it.
func (l *gatewayLife) readKeysEnd(e protocol.AskKeysEnd, last int) {
	switch {
	case !l.alive:
	case l.keys.next >= min(last, len(l.w.bus.keys.msgs)): // the test may have cut it
		l.w.at(l.w.lag(), func() { l.step(protocol.KeysEndRead(e)) })
	default:
		l.w.at(100*time.Millisecond, func() { l.readKeysEnd(e, last) })
	}
}

// publishTask tries until its subject holds a task; judged is up to where it
// holds junk.
func (l *gatewayLife) publishTask(e protocol.PublishTask, judged uint64) {
	w := l.w
	if !l.alive {
		return
	}
	w.check.task(e.Body)
	data := wire.SealGateway(l.g.key, l.g.name, w.manifest, e.Subject, e.Body)
	w.check.leaks(l.g.name, e.Subject, data)
	w.bus.remember(e.Subject, data)
	again := func() {
		w.at(w.between(50*time.Millisecond, 500*time.Millisecond), func() { l.publishTask(e, judged) })
	}
	w.at(w.lag(), func() {
		if w.fault(PublishLost) {
			again()
			return
		}
		if w.bus.work.put(e.Subject, data, int64(judged)) {
			w.tracef("%s -> WORK %s", l.g.name, short(e.Subject))
			if w.fault(AckLost) {
				again()
			}
			return
		}
		standing := w.bus.standing(e.Subject, judged)
		for _, msg := range standing {
			if l.machine.JudgeTask(msg, e.Body) != wire.Junk {
				return
			}
			judged = msg.Seq
		}
		if len(standing) == 0 {
			judged = 0 // the stream was created again
		}
		again()
	})
}

// finish stores the result, unless one is there, and then acknowledges. If the
// one that is there answers another job of the same id, this delivery comes
// again and is turned away.
func (l *gatewayLife) finish(e protocol.Finish) {
	key, payload := e.Job.Client+"/"+e.Result.Job, e.Result.Encode()
	if other := l.w.bus.results[key]; other != nil && !sameJob(other, e.Result) {
		if job := l.tokens[e.Token]; job != nil {
			delete(l.tokens, e.Token)
			l.w.jobs.dispatch(job)
			return
		}
	}
	l.tempt(e.Result)
	l.end(e.Token, fmt.Sprintf("finishes (%s %s)", e.Result.Status, e.Result.Code), func() {
		l.w.check.leaks(l.g.name, "result", payload)
		if l.w.bus.results[key] == nil {
			l.w.bus.results[key] = payload
			l.w.answered(key, payload)
		}
		if l.w.fault(FinishCrash) {
			l.crash()
		}
	})
}

func sameJob(stored []byte, r *wire.Result) bool {
	var s wire.Result
	return json.Unmarshal(stored, &s) == nil && bytes.Equal(s.Digest, r.Digest)
}

// end does something for a delivery and acknowledges it.
func (l *gatewayLife) end(token uint64, what string, do func()) {
	job := l.tokens[token]
	if job == nil {
		l.w.fail(RuleDelivery, "%s %s token %d, which it does not hold", l.g.name, what, token)
		return
	}
	l.w.tracef("%s %s %s token %d", l.g.name, what, wire.PeekJobID(job.job.Payload), token)
	do()
	if l.alive {
		delete(l.tokens, token)
		job.acked = true
	}
}

// supersede lets go of an older delivery. If that was another message of the
// same job, the message comes again and finds the result.
func (l *gatewayLife) supersede(e protocol.Supersede) {
	if l.tokens[e.Old] == nil || l.tokens[e.New] == nil {
		l.w.fail(RuleDelivery, "%s supersedes token %d by %d and does not hold both", l.g.name, e.Old, e.New)
		return
	}
	delete(l.tokens, e.Old)
}
