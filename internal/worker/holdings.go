package worker

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node says of the register: it answers gateways and administrators who ask what
// it holds, and gives them the entries that KEYS lacks. It does so before it has read
// any stream, also while there are none: that is when somebody needs to know.

// maxAsks bounds the questions that wait. Others are lost, and asked again.
const maxAsks = 64

// maxAnswerPause bounds the pause after an answer, which is as long as the answer took:
// whoever asks, signing keeps half of a core.
const maxAnswerPause = time.Second

// ServeHoldings begins to answer, until Close. Run does it where nobody did before.
func (w *Worker) ServeHoldings() error {
	if w.serving != nil {
		return nil
	}
	asks := make(chan []byte, maxAsks)
	l, err := w.cfg.Bus.Listen(wire.AskSubject(w.cfg.Index), func(_ string, data []byte) {
		if len(data) > wire.MaxAsk {
			return
		}
		select {
		case asks <- bytes.Clone(data):
		default:
		}
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			select {
			case data := <-asks:
				start := time.Now()
				w.answer(ctx, data)
				_ = backoff.Sleep(ctx, min(time.Since(start), maxAnswerPause))
			case <-ctx.Done():
				return
			}
		}
	})
	w.serving = func() { l.Stop(); cancel(); serving.Wait() }
	return nil
}

func (w *Worker) answer(ctx context.Context, data []byte) {
	ask, err := wire.DecodeAsk(data)
	if err != nil {
		w.log.Debug("question about holdings dropped", "err", err)
		return
	}
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
	held, err := register.AnswerEntry(w.store, w.cfg.Manifest, ask)
	if err != nil && !storing { // else it may be on its way to the keystore
		w.log.Error("keystore: a batch can't be given to the register", "batch", ask.Holding.ID(), "err", err)
		w.run.With(func(n *node) { n.Holdings().Remove(ask.Holding) })
	}
	return held
}
