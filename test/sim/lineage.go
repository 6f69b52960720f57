package sim

import (
	"iter"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Processes that go by more than one manifest.

// learn is what KEYS adds to a lineage, as a process reads it when it starts.
func (w *world) learn(l *wire.Lineage) *wire.Lineage {
	if w.change == nil {
		return l
	}
	for range 2 { // the manifests before come first
		for _, m := range w.bus.keys.msgs {
			l = w.follow(l, m)
		}
	}
	return l
}

// step is what somebody who goes by a lineage is told.
type lineageStep struct {
	from *wire.Lineage
	told string
}

// follow is a lineage with what a message of KEYS adds to it, if that is anything. As neither
// changes, it is worked out once for all.
func (w *world) follow(l *wire.Lineage, msg wire.LogMessage) *wire.Lineage {
	if wire.LineageMessage(msg.Subject) == 0 {
		return l
	}
	at := lineageStep{l, msg.Subject + "\n" + string(msg.Data)}
	if w.change.steps[at] == nil {
		w.change.steps[at] = w.extend(l, msg)
	}
	return w.change.steps[at]
}

// parse reads a manifest; nil: it is none.
func (w *world) parse(data []byte) *wire.Manifest {
	if m, ok := w.change.parsed[string(data)]; ok {
		return m
	}
	m, err := wire.ParseManifest(data)
	if err != nil {
		m = nil
	}
	w.change.parsed[string(data)] = m
	return m
}

// founding is what is known to a process that has one manifest.
func (w *world) founding(m *wire.Manifest) *wire.Lineage {
	if w.lineages[m] == nil {
		if w.lineages == nil {
			w.lineages = map[*wire.Manifest]*wire.Lineage{}
		}
		w.lineages[m] = wire.NewLineage(m)
	}
	return w.lineages[m]
}

func (w *world) extend(l *wire.Lineage, msg wire.LogMessage) *wire.Lineage {
	switch wire.LineageMessage(msg.Subject) {
	case wire.LineageManifest:
		if m := w.parse(msg.Data); m != nil {
			if want, ok := l.Wanted(); ok && want == m.Hash() {
				l, _ = l.WithParent(m)
			}
		}
	case wire.LineageSuccession:
		l, _ = l.WithSuccession(msg.Data)
	}
	return l
}

// lineageOf is what a node knows that starts on a disk.
func (m *machine) lineageOf(d *disk) *wire.Lineage {
	if d.lineage == nil {
		return m.w.founding(m.manifest)
	}
	return d.lineage
}

// readKeys takes what KEYS says of manifests, and returns the event that anything else is.
func (p *worker) readKeys(msg wire.LogMessage) protocol.Event {
	if wire.LineageMessage(msg.Subject) == 0 {
		return protocol.ReadKeys(p.lineage, msg)
	}
	if l := p.w.follow(p.lineage, msg); l != p.lineage {
		p.w.check.goesBy(p.name, l)
		p.lineage, p.disk.lineage = l, l
		p.step(protocol.LineageChanged{Lineage: l})
		for _, m := range l.Chain() {
			if l.Fork() == nil && p.m.manifest == p.w.manifest {
				p.w.change.inviteBeside(p.m, m.Hash())
			}
		}
	}
	return nil
}

func (l *gatewayLife) readKeys(msg wire.LogMessage) protocol.Event {
	switch wire.LineageMessage(msg.Subject) {
	case wire.LineageManifest:
		if m := l.w.parse(msg.Data); m != nil {
			return protocol.ManifestSeen{Manifest: m}
		}
		return nil
	case wire.LineageSuccession:
		next := l.w.follow(l.lineage, msg)
		if next == l.lineage {
			return nil
		}
		l.w.check.goesBy(l.g.name, next)
		l.lineage = next
		return protocol.LineageChanged{Lineage: next}
	}
	return protocol.ReadKeys(l.lineage, msg)
}

// publishSuccession stores a succession, unless one is there.
func (w *world) publishSuccession(l *gatewayLife, e protocol.PublishSuccession) {
	if !w.change.counts(e.Next) {
		w.fail(RuleApproved, "%s publishes a succession to %x, which too few devices approved", l.g.name, e.Next[:8])
	}
	w.at(w.lag(), func() {
		if w.fault(PublishLost) || w.learn(w.founding(w.manifest)).Proof(e.Next) != nil {
			return
		}
		w.tracef("%s -> KEYS succession %x", l.g.name, e.Next[:4])
		w.bus.keys.put(wire.SuccessionSubject(e.Next), e.Data, -1)
	})
}

// approval is what a heartbeat says of a successor.
func (p *worker) approval() *wire.SuccessorApproval { return p.disk.approved.signed }

// loadShares gives a node's shares of a generation, to be dealt.
func (p *worker) loadShares(e protocol.LoadShares) {
	p.w.at(p.w.between(0, 4*time.Millisecond), func() {
		if !p.alive {
			return
		}
		loaded := protocol.SharesLoaded{ID: e.ID}
		if r := p.disk.records[e.Batch]; r != nil {
			loaded.Shares = secret.New(append([]byte{}, r.shares[:int(r.Header.K)*frost.ScalarSize]...))
		}
		p.step(loaded)
	})
}

// certified is the record of what a certificate is of.
func (d *disk) certified(context [32]byte) *record {
	for _, r := range d.records {
		if r.Context == context {
			return r
		}
	}
	return nil
}

func values[K comparable, V any](m map[K]V) iter.Seq[V] { return maps.Values(m) }
