package sim

import (
	"errors"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// do performs one effect.
func (p *worker) do(e protocol.Effect) {
	w := p.w
	switch e := e.(type) {
	case protocol.Compute:
		w.compute(p.name, func() protocol.Event { return p.run(e) }, p.up, func(ev protocol.Event) {
			p.memory.computed(ev)
			p.step(ev)
		})
	case protocol.After:
		w.timer(e, p.step)
	case protocol.Report:
		w.tracef("%s report %s %s %d %s %s", p.name, e.What, short(e.ID), e.Count, e.Code, e.Reason)
	case protocol.Publish:
		p.publish(e)
	case protocol.Certify:
		p.certify(e)
	case protocol.Complete:
		if r := p.disk.records[e.Batch]; r == nil {
			w.fail(RuleCertificates, "%s completes batch %v, which it never stored", p.name, e.Batch)
		} else {
			p.completed(r, e.Certificates)
		}
	case protocol.StoreRecovered:
		w.check.opened(e.Record)
		r, err := p.disk.store(e.Record)
		if err != nil && w.plan.lies && p.m.amnesia {
			w.tracef("%s keeps what it has: %v", p.name, err) // another process of this node certified it
			return
		}
		if err != nil {
			w.fail(RuleAgreement, "%s recovers batch %s: %v", p.name, e.Record.ID, err)
			return
		}
		p.completed(r, e.Certificates)
	case protocol.RefuseBatch:
		p.disk.refused = append(p.disk.refused, e.ID)
	case protocol.LoadShares:
		p.loadShares(e)
	case protocol.Dealt:
		p.disk.dealt = e.Next
	case protocol.MarkMoved:
		p.disk.moved[e.ID] = true
		w.check.moves(p, e.ID)
	case protocol.SaveLedger:
		p.save(e)
	case protocol.Load:
		p.load(e)
	case protocol.FreezesChanged:
		p.keepFreezes()
	case protocol.Refetch:
		w.refetch(e, func() wire.ManifestSet { return p.lineage }, p.step)
	default:
		w.fail(RuleNoPanic, "%s: unknown effect %T", p.name, e)
	}
}

// compute runs now or later, and answers later: computations end in any order.
func (w *world) compute(who string, run func() protocol.Event, alive func() bool, answer func(protocol.Event)) {
	delay := w.between(100*time.Microsecond, 4*time.Millisecond)
	if w.fault(SlowCompute) {
		delay = w.between(10*time.Millisecond, 800*time.Millisecond)
	}
	guarded := func() (ev protocol.Event) {
		w.calm(who, func() []protocol.Effect { ev = run(); return nil })
		return ev
	}
	var early protocol.Event
	if w.rng.IntN(2) == 0 {
		early = guarded()
	}
	w.at(delay, func() {
		if !alive() || w.failure != nil {
			return
		}
		ev := early
		if ev == nil {
			ev = guarded()
		}
		if ev != nil {
			answer(ev)
		}
	})
}

func (w *world) timer(e protocol.After, step func(protocol.Event)) {
	delay := e.Delay
	if w.fault(LateTimer) {
		delay += w.between(0, 500*time.Millisecond)
	}
	w.at(delay, func() { step(e.Timer) })
}

// certify stores, lets the HSM sign, publishes: in this order, and a crash may
// come between.
func (p *worker) certify(e protocol.Certify) {
	w := p.w
	w.check.certifies(p, e.Record)
	w.check.opened(e.Record)
	if _, err := p.disk.store(e.Record); err != nil {
		p.step(protocol.CertifyFailed{Batch: e.Record.Ref(), Code: wire.CodeOtherTranscript, Err: err})
		return
	}
	if w.fault(CertifyCrash) {
		p.crash()
		return
	}
	if w.fault(HSMFailure) {
		w.at(w.between(0, time.Second), func() {
			p.step(protocol.CertifyFailed{Batch: e.Record.Ref(), Code: wire.CodeInternal, Err: errors.New("the HSM does not answer")})
		})
		return
	}
	p.publish(e.Publish)
}

func (p *worker) completed(r *record, certificates [][]byte) {
	r.complete, r.certificates = true, certificates
	p.w.check.completed(p, r)
}

func (p *worker) load(e protocol.Load) {
	p.w.at(p.w.between(0, 2*time.Millisecond), func() {
		if !p.alive {
			return
		}
		keys := make([]protocol.LoadedKey, len(e.Keys))
		for i, id := range e.Keys {
			if keys[i] = p.disk.load(p.m, id); e.Public {
				keys[i] = public(keys[i])
				continue
			}
			p.memory.loaded(e.ID, id.Batch)
		}
		p.step(protocol.Loaded{ID: e.ID, Keys: keys})
	})
}

// public is what protocol.Load.Public asks for of a key.
func public(k protocol.LoadedKey) protocol.LoadedKey {
	if k.Key != nil {
		k.Key, k.Public = &frost.Key{Suite: k.Key.Suite, PublicKey: k.Key.PublicKey}, true
	}
	return k
}

// refetch shows all that KEYS, or the rounds, hold of a batch again.
func (w *world) refetch(e protocol.Refetch, known func() wire.ManifestSet, step func(protocol.Event)) {
	if e.Control {
		return // nobody changes the access list here
	}
	streams := w.bus.rounds
	if e.Register {
		streams = []*stream{w.bus.keys}
	}
	w.at(w.lag(), func() {
		for _, s := range streams {
			for _, msg := range s.msgs {
				switch {
				case !strings.Contains(msg.Subject, e.ID):
				case e.Register:
					step(protocol.ReadKeysAgain(known(), msg))
				default:
					step(protocol.RoundsAgain{LogMessage: msg})
				}
			}
		}
	})
}
