package sim

import (
	"hash/fnv"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Heartbeats of nodes and gateways. That of two processes with one index one has to
// end is not played here: they are what the rules about nonces are tried with.

// trouble draws what is wrong with a machine from the beginning: nobody hears it, or
// its clock is far off.
func (m *machine) trouble() {
	m.unheard = m.w.fault(NodeUnheard)
	switch {
	case !m.w.fault(ClockFar):
	case m.w.rng.IntN(2) == 0:
		m.skew = 30 * time.Second
	default:
		m.skew = -30 * time.Second
	}
}

// heartbeat is the next one on a subject.
func (w *world) heartbeat(who, subject string, m *wire.Manifest, approved *wire.SuccessorApproval) []byte {
	h := wire.Heartbeat{
		Version: wire.HeartbeatVersion, After: w.bus.presence.last[subject], Manifest: m.Hash(), Build: "sim", Approval: approved, Form: w.form(),
	}
	boot := fnv.New128a()
	_, _ = boot.Write([]byte(who))
	copy(h.Boot[:], boot.Sum(nil))
	return wire.Encode(&h)
}

// form is what programs say that they know. In a quarter of the worlds they are upgraded while
// jobs are in work.
func (w *world) form() uint32 {
	if w.seed%4 == 0 && w.elapsed < 10*time.Second {
		return 0
	}
	return wire.Form
}

// swap stores a heartbeat, if nobody was quicker.
func (w *world) swap(subject string, sealed []byte) {
	if w.fault(HeartbeatLost) {
		return
	}
	expect := int64(w.bus.presence.last[subject])
	w.at(w.lag(), func() {
		if w.bus.presence.put(subject, sealed, expect) {
			w.bus.pool[subject] = append(w.bus.pool[subject], wire.LogMessage{Subject: subject, Data: sealed})
		}
		if old := w.bus.presence.msgs; w.fault(HeartbeatCopied) {
			m := old[w.rng.IntN(len(old))]
			w.bus.presence.put(m.Subject, m.Data, -1)
		}
	})
}

func (p *worker) beat() {
	if p.m.unheard && !p.w.healed {
		return
	}
	subject := p.m.manifest.NodePresence(p.m.index)
	p.w.swap(subject, p.session.Seal(p.m.manifest, subject, p.w.heartbeat(p.name, subject, p.m.manifest, p.approval())))
}

func (l *gatewayLife) beat() {
	if !l.alive {
		return
	}
	subject := wire.GatewayPresence(l.g.name)
	l.w.swap(subject, wire.SealGateway(l.g.key, l.g.name, l.w.manifest, subject, l.w.heartbeat(l.g.name, subject, l.w.manifest, nil)))
	l.w.at(l.w.between(900*time.Millisecond, 1100*time.Millisecond), l.beat)
}

// measure tells a node how the clock of WORK differs from its own, as exactly as one
// can ask for it.
func (p *worker) measure() {
	wrong := p.w.between(-6*time.Millisecond, 6*time.Millisecond)
	p.step(protocol.ClockMeasured{At: p.m.clock(), Stream: p.w.now().Add(wrong)})
}

// run is a computation of a node, or what goes in its place when it is too late.
func (p *worker) run(e protocol.Compute) protocol.Event {
	if !e.Until.IsZero() && p.m.clock().After(e.Until) {
		return e.Late()
	}
	return e.Run()
}
