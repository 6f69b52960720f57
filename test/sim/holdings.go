package sim

import (
	"context"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The register loses entries, and what nodes hold brings them back.

// loseEntries takes messages out of KEYS, as a stream that was cut and made anew: only
// of batches that were announced and that an honest node holds whole. The rounds have
// forgotten these. Everybody reads the streams from their beginning then.
func (w *world) loseEntries() {
	lost := map[string]bool{}
	for _, batch := range w.check.announced {
		lost[batch] = w.heldByHonest(batch)
	}
	w.bus.keys = w.bus.keys.without(func(batch string) bool { return lost[batch] && w.rng.IntN(2) == 0 })
	for i, s := range w.bus.rounds {
		w.bus.rounds[i] = s.without(func(batch string) bool { return lost[batch] })
	}
	for _, m := range w.machines {
		m.disk.cursor = 0
	}
}

// without is a new stream with what is left of an old one.
func (s *stream) without(gone func(batch string) bool) *stream {
	left := newStream(s.w, s.name)
	for _, m := range s.msgs {
		if !gone(strings.Split(m.Subject, ".")[1]) {
			left.put(m.Subject, m.Data, -1)
			left.msgs[len(left.msgs)-1].Time = m.Time
		}
	}
	s.w.tracef("%s has %d of %d messages left", s.name, len(left.msgs), len(s.msgs))
	return left
}

// heldByHonest reports whether an honest node has each generation that KEYS has.
func (w *world) heldByHonest(batch string) bool {
	for _, e := range w.wholeIn(batch) {
		ref := wire.BatchRef{ID: batch, Generation: e.Generation}
		if !slices.ContainsFunc(w.crew(w.all.Manifest(e.Manifest)), func(m *machine) bool {
			r := m.disk.records[ref]
			return !m.isLiar() && r != nil && r.complete
		}) {
			return false
		}
	}
	return true
}

// ask has a node say what it holds, if it is there.
func (l *gatewayLife) ask(e protocol.AskNode) {
	w := l.w
	w.at(w.lag(), func() {
		p := w.crew(e.Manifest)[e.Node].life
		if p == nil || !p.alive || w.fault(PublishLost) {
			l.step(protocol.ReadHeld(l.lineage, e, nil, context.DeadlineExceeded))
			return
		}
		held := p.holds(e.Ask)
		w.at(w.lag(), func() { l.step(protocol.ReadHeld(l.lineage, e, held, nil)) })
	})
}

// holds is a node's answer. The liar claims batches that nobody made, and that it holds
// what others hold, and proves neither.
func (p *worker) holds(a wire.Ask) *wire.Held {
	set := p.node.Holdings()
	if p.liar && p.w.falseClaims {
		for _, m := range p.w.machines {
			for ref, r := range m.disk.records {
				set.Add(wire.NewHolding(ref.ID, r.Transcript))
			}
		}
		for i := range 5 {
			set.Add(wire.Holding{byte(50 * i), 1})
		}
	}
	if h := set.Answer(&a); h != nil {
		return h
	}
	held := &wire.Held{Version: wire.HoldingsVersion, Kind: a.Kind, Number: a.Number}
	r := p.disk.holding(a.Holding)
	switch {
	case p.liar && p.w.falseClaims:
		held.Data = []byte("no proof")
	case r == nil:
	case a.Kind == wire.AskDeal:
		held.Data, _ = wire.EntryDeal(r.Deals[a.Deal])
	case r.Reshare != nil:
		keys := wire.EntryKeys(r.Batch.PublicKeys, r.Header.Client, r.MadeBy)
		held.Data = wire.Encode(wire.NewLaterHead(r.Reshare, keys, r.certificates, wire.DealDigests(r.Deals)))
	default:
		deals, compact := wire.EntryDeals(r.Deals)
		held.Data = wire.Encode(wire.NewEntryHead(
			p.m.manifest, r.Header, r.Batch.PublicKeys, r.certificates, wire.DealDigests(deals), compact))
	}
	return held
}

// restore writes what a node held.
func (l *gatewayLife) restore(e protocol.RestoreEntry) {
	l.w.restored++
	var generation uint32
	if entry, err := wire.VerifyEntry(e.Head, l.lineage); err == nil {
		generation = entry.Generation
	}
	l.store(protocol.WriteEntry{ID: e.Holding.ID(), Generation: generation, Head: e.Head, Deals: e.Deals},
		protocol.EntryRestored{Holding: e.Holding})
}

// refilled checks that the register has every announced key again.
func (c *checker) refilled() {
	for _, batch := range c.announced {
		if !c.w.inKeys(batch) {
			c.w.fail(RuleRegistered, "batch %s was announced, and KEYS has not all of its entry at the end", batch)
		}
	}
}
