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
func (w *Worker) ServeHoldings() error {
	if w.serving != nil {
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
		w.cfg.Manifest.AskSubject(w.cfg.Index):      func(subject string, data []byte) { w.hear(&asks, subject, data) },
		w.cfg.Manifest.AdminAskSubject(w.cfg.Index): func(_ string, data []byte) { w.hearAdministrator(&asks, data) },
	} {
		l, err := w.cfg.Bus.Listen(subject, handle)
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
			w.answer(ctx, ask)
			_ = backoff.Sleep(ctx, min(time.Since(start), maxAnswerPause))
		}
	})
	w.serving = func() { unlisten(); cancel(); serving.Wait() }
	return nil
}

// hear takes a question of whoever may reach the node. What names a gateway and is not
// its own costs a pause, as an answer does; what nobody has room for costs no
// verification.
func (w *Worker) hear(asks *asks, subject string, data []byte) {
	if len(data) > wire.MaxAsk || asks.full(askLane{gateway: wire.SealedBy(data)}) {
		return
	}
	start := time.Now()
	gateway, ask, err := wire.OpenAsk(w.cfg.Manifest, w.access.Load(), subject, data)
	if err != nil {
		w.log.Debug("question about holdings dropped", "err", err)
		time.Sleep(min(time.Since(start), maxAnswerPause))
		return
	}
	asks.add(gateway, ask, clock.Now())
}

// hearAdministrator takes a question that came from the streams' own account.
func (w *Worker) hearAdministrator(asks *asks, data []byte) {
	ask, err := wire.DecodeAsk(data)
	if err != nil {
		w.log.Debug("question about holdings dropped", "err", err)
		return
	}
	asks.push(askLane{administrator: true}, ask)
}

func (w *Worker) answer(ctx context.Context, ask *wire.Ask) {
	ctx, cancel := context.WithTimeout(ctx, register.AskTime)
	defer cancel()
	if w.sessions.due(clock.Now()) { // not started yet: nobody else renews it
		w.renew(ctx)
	}
	subject := wire.HeldSubject(ask.ReplyTo, w.cfg.Index)
	// As with heartbeats, it does not matter whether another process runs as this node.
	sealed, err := w.sessions.sealHeartbeat(subject, wire.Encode(w.held(ask)))
	if err == nil {
		err = w.cfg.Bus.Tell(subject, sealed)
	}
	if err != nil {
		w.log.Debug("question about holdings not answered", "err", err)
	}
}

// held is the answer to a question. A batch that the keystore can't give whole is no
// longer claimed.
func (w *Worker) held(ask *wire.Ask) (held *wire.Held) {
	w.run.With(func(n *node) { held = n.Holdings().Answer(ask) })
	if held != nil {
		return held
	}
	var claimed, storing bool
	w.run.With(func(n *node) { claimed, storing = n.Holdings().Has(ask.Holding), n.unstored > 0 })
	if !claimed {
		return &wire.Held{Version: wire.HoldingsVersion, Kind: ask.Kind, Number: ask.Number}
	}
	held, err := register.AnswerEntry(w.store, w.cfg.Manifest, w.cfg.Manifest, ask)
	if err != nil && !storing { // else it may be on its way to the keystore
		w.log.Error("keystore: a batch can't be given to the register", "batch", ask.Holding.ID(), "err", err)
		w.run.With(func(n *node) { n.Holdings().Remove(ask.Holding) })
	}
	return held
}
