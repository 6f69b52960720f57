package worker

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// start reads the logs up to their present end, rounds, KEYS and SIGN before WORK, so
// that the machine knows what it published in an earlier life before it is asked
// to publish anything.
func (w *Worker) start(ctx context.Context) error {
	w.run.Go(func() { w.cfg.Provider.Watch(ctx) })
	w.renew(ctx) // the clock tries again if need be
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.ServeHoldings(); err != nil {
		return err
	}
	w.run.Intake(w.takeLease)
	from, err := w.cursor(ctx)
	if err != nil {
		return err
	}
	w.log.Info("reading the log", "keys_from", from)
	if err := w.run.FollowRounds(ctx); err != nil {
		return err
	}
	if err := w.run.Follow(ctx, bus.Keys, from, bus.FollowOptions{StreamID: w.keysID}); err != nil {
		return err
	}
	if err := w.recertify(); err != nil { // what KEYS did not complete
		return err
	}
	if err := w.run.Follow(ctx, bus.Sign, 1, bus.FollowOptions{}); err != nil {
		return err
	}
	w.measure()
	return w.run.Follow(ctx, bus.Work, 1, bus.FollowOptions{})
}

// cursorEvery is how many seconds lie between two notes of how far KEYS is read, and
// offerEvery between two times that the node says again what it certified.
const (
	cursorEvery = 10
	offerEvery  = 30 * 60
)

// measure tells the machine how the clock of WORK goes.
func (w *Worker) measure() {
	if w.cfg.Clock == nil {
		return
	}
	if at, stream, ok := w.cfg.Clock(); ok {
		w.run.Step(protocol.ClockMeasured{At: at, Stream: stream})
	}
}

// tick looks after the session key and the keystore, once a second.
func (w *Worker) tick() {
	w.measure()
	if w.sessions.due(clock.Now()) {
		w.run.Go(func() { w.renew(w.run.Life()) })
	}
	if w.ticks++; w.ticks%cursorEvery == 0 {
		w.saveCursor()
		w.probeStore()
		w.lookForKeys()
	}
	if w.ticks%offerEvery == 0 {
		w.run.Go(func() {
			if err := w.recertify(); err != nil {
				w.log.Error("keystore: certified batches not said again", "err", err)
			}
		})
	}
}

// renew asks for a session key, for as long as the device is not refused, and
// takes the time of the device by that.
func (w *Worker) renew(ctx context.Context) {
	if w.revoked() || w.twin.Load() != nil {
		return
	}
	switch renewed, err := w.sessions.renew(ctx); {
	case renewed:
		w.log.Info("new session key", "key", w.sessions.public(), "until", w.sessions.until())
		w.run.Step(protocol.StandbyDelayChanged{Delay: StandbyDelay + 2*min(w.attester.Took(), time.Second)})
	case err == nil, ctx.Err() != nil, errors.Is(err, errRefusedMeanwhile): // deviceChanged logged that
	default:
		w.log.Error("session key not renewed", "err", err)
	}
}

// cursor returns where reading KEYS starts: where the last run got to, if the
// stream is still the same.
func (w *Worker) cursor(ctx context.Context) (uint64, error) {
	id, err := w.cfg.Bus.StreamID(ctx, bus.Keys)
	if err != nil {
		return 0, err
	}
	w.keysID = id
	was, seq, err := w.store.Cursor()
	if err != nil {
		return 0, err
	}
	if was == "" {
		return 1, nil
	}
	if was != id {
		w.log.Warn("KEYS is another stream than at the last run; reading all of it", "was", was, "is", id)
		return 1, nil
	}
	return seq, nil
}

// saveCursor stores how far KEYS is read, unless something before that is
// still to be stored itself.
func (w *Worker) saveCursor() {
	var next uint64
	var unstored int
	w.run.With(func(n *node) { next, unstored = n.Cursor(), n.unstored })
	if unstored > 0 {
		return
	}
	next = w.beforeGaps(next)
	if _, seq, err := w.store.Cursor(); err == nil && seq == next {
		return
	}
	if err := w.store.SetCursor(w.keysID, next); err != nil {
		w.log.Error("cursor not stored; the next start reads more of the log", "err", err)
	}
}

// beforeGaps is next, or what no copy of KEYS had so far if that comes before: the next
// start reads it again.
func (w *Worker) beforeGaps(next uint64) uint64 {
	if f := w.run.Keys(); f != nil {
		if n, first := bus.Unread(f.Gaps()); n > 0 {
			next = min(next, first)
		}
	}
	return next
}

// deviceChanged is called when the key provider begins to fail, and when it works
// again. While it is refused the node is silent; the clock asks for a new session
// key every second, so the node speaks again as soon as it may.
func (w *Worker) deviceChanged(err error) {
	switch reason := keyprovider.ReasonOf(err); {
	case err == nil:
		w.log.Info("key provider works again")
	case reason.Refused():
		w.sessions.drop()
		w.log.Error("key provider is refused; this node is silent until it works again", "reason", reason, "err", err)
	default:
		w.log.Error("key provider fails", "reason", reason, "err", err)
	}
}
