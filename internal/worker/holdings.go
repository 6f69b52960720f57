package worker

import (
	"context"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node says of the register: it answers gateways and administrators who ask what
// it holds, and gives them the entries that KEYS lacks. It does so before it has read
// any stream, also while there are none: that is when somebody needs to know.

// maxAnswerPause bounds the pause after an answer, which is as long as the answer took:
// whoever asks, signing keeps half of a core.
const maxAnswerPause = time.Second

// ServeHoldings begins to answer, until Close. Run does it where nobody did before.
func (m *member) ServeHoldings() error {
	if m.serving != nil {
		return nil
	}
	var asks asks
	var listeners []*bus.Listener
	unlisten := func() {
		for _, l := range listeners {
			l.Stop()
		}
	}
	for subject, handle := range map[string]func(string, []byte){
		m.cfg.Manifest.AskSubject(m.cfg.Index):      func(subject string, data []byte) { m.hear(&asks, subject, data) },
		m.cfg.Manifest.AdminAskSubject(m.cfg.Index): func(_ string, data []byte) { m.hearAdministrator(&asks, data) },
	} {
		l, err := m.cfg.Bus.Listen(subject, handle)
		if err != nil {
			unlisten()
			return err
		}
		listeners = append(listeners, l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			ask := asks.next(ctx)
			if ask == nil {
				return
			}
			start := time.Now()
			m.answer(ctx, ask)
			_ = backoff.Sleep(ctx, min(time.Since(start), maxAnswerPause))
		}
	})
	m.serving = func() { unlisten(); cancel(); serving.Wait() }
	return nil
}

// hear takes a question of whoever may reach the node. What names a gateway and is not
// its own costs a pause, as an answer does; what nobody has room for costs no
// verification.
func (m *member) hear(asks *asks, subject string, data []byte) {
	if len(data) > wire.MaxAsk || asks.full(askLane{gateway: wire.SealedBy(data)}) {
		return
	}
	start := time.Now()
	gateway, ask, err := wire.OpenAsk(m.cfg.Manifest, m.host.access.Load(), subject, data)
	if err != nil {
		m.log.Debug("question about holdings dropped", "err", err)
		time.Sleep(min(time.Since(start), maxAnswerPause))
		return
	}
	asks.add(gateway, ask, clock.Now())
}

// hearAdministrator takes a question that came from the streams' own account.
func (m *member) hearAdministrator(asks *asks, data []byte) {
	ask, err := wire.DecodeAsk(data)
	if err != nil {
		m.log.Debug("question about holdings dropped", "err", err)
		return
	}
	asks.push(askLane{administrator: true}, ask)
}

func (m *member) answer(ctx context.Context, ask *wire.Ask) {
	ctx, cancel := context.WithTimeout(ctx, register.AskTime)
	defer cancel()
	if m.sessions.due(clock.Now()) { // not started yet: nobody else renews it
		m.renew(ctx)
	}
	subject := wire.HeldSubject(ask.ReplyTo, m.cfg.Index)
	// As with heartbeats, it does not matter whether another process runs as this node.
	sealed, err := m.sessions.sealHeartbeat(subject, wire.Encode(m.held(ask)))
	if err == nil {
		err = m.cfg.Bus.Tell(subject, sealed)
	}
	if err != nil {
		m.log.Debug("question about holdings not answered", "err", err)
	}
}

// held is the answer to a question. A batch that the keystore can't give whole is no
// longer claimed.
func (m *member) held(ask *wire.Ask) (held *wire.Held) {
	m.run.With(func(n *node) { held = n.Holdings().Answer(ask) })
	if held != nil {
		return held
	}
	var claimed, storing bool
	m.run.With(func(n *node) { claimed, storing = n.Holdings().Has(ask.Holding), n.unstored > 0 })
	if !claimed {
		return &wire.Held{Version: wire.HoldingsVersion, Kind: ask.Kind, Number: ask.Number}
	}
	held, err := register.AnswerEntry(m.store, m.cfg.Manifest, m.run.Lineage(), ask)
	if err != nil && !storing { // else it may be on its way to the keystore
		m.log.Error("keystore: a batch can't be given to the register", "batch", ask.Holding.ID(), "err", err)
		m.run.With(func(n *node) { n.Holdings().Remove(ask.Holding) })
	}
	return held
}
