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

// start reads the logs up to their present end, CONTROL first, and KEYS, rounds and SIGN before WORK, so
// that the machine knows what it published in an earlier life before it is asked
// to publish anything. KEYS comes before the rounds: these have more than an hour of batches, and
// those that are in KEYS need not be opened, nor kept until their entries come.
func (m *member) start(ctx context.Context) error {
	if !m.hosted() { // one for all members
		m.run.Go(func() { m.cfg.Provider.Watch(ctx) })
	}
	m.renew(ctx) // the clock tries again if need be
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.ServeHoldings(); err != nil {
		return err
	}
	m.run.Intake(m.takeLease)
	from, err := m.cursor(ctx)
	if err != nil {
		return err
	}
	if err := m.learn(ctx); err != nil {
		return err
	}
	m.log.Info("reading the log", "keys_from", from)
	if err := m.followControl(ctx); err != nil {
		return err
	}
	if err := m.run.Follow(ctx, bus.Keys, from, bus.FollowOptions{StreamID: m.keysID}); err != nil {
		return err
	}
	rounds := m.run.FollowFirstRounds
	if m.hosted() { // the bus was configured for another manifest: this one's own rounds may be among the rest
		rounds = m.run.FollowRounds
	}
	if err := rounds(ctx); err != nil {
		return err
	}
	if err := m.recertify(); err != nil { // what KEYS did not complete
		return err
	}
	if err := m.run.Follow(ctx, bus.Sign, 1, bus.FollowOptions{}); err != nil {
		return err
	}
	m.measure()
	return m.run.Follow(ctx, bus.Work, 1, bus.FollowOptions{})
}

// cursorEvery is how many seconds lie between two notes of how far KEYS is read, and
// offerEvery between two times that the node says again what it certified.
const (
	cursorEvery = 10
	offerEvery  = 30 * 60
)

// measure tells the machine how the clock of WORK goes.
func (m *member) measure() {
	if m.cfg.Clock == nil {
		return
	}
	if at, stream, ok := m.cfg.Clock(); ok {
		m.run.Step(protocol.ClockMeasured{At: at, Stream: stream})
	}
}

// tick looks after the session key and the keystore, once a second.
func (m *member) tick() {
	m.measure()
	if m.sessions.due(clock.Now()) {
		m.run.Go(func() { m.renew(m.run.Life()) })
	}
	if m.ticks++; m.ticks%cursorEvery == 0 {
		m.saveCursor()
		m.probeStore()
		if !m.hosted() {
			m.host.lookForKeys()
		}
	}
	m.keepLineage()
	if m.obedience.unkept.Load() {
		m.run.Go(m.keepFreezes)
	}
	if m.ticks%offerEvery == 0 {
		m.run.Go(func() {
			if err := m.recertify(); err != nil {
				m.log.Error("keystore: certified batches not said again", "err", err)
			}
		})
	}
}

// renew asks for a session key, for as long as the device is not refused, and
// takes the time of the device by that.
func (m *member) renew(ctx context.Context) {
	if m.revoked() || m.twin.Load() != nil {
		return
	}
	switch renewed, err := m.sessions.renew(ctx); {
	case renewed:
		m.log.Info("new session key", "key", m.sessions.public(), "until", m.sessions.until())
		m.run.Step(protocol.StandbyDelayChanged{Delay: StandbyDelay + 2*min(m.attester.Took(), time.Second)})
	case err == nil, ctx.Err() != nil, errors.Is(err, errRefusedMeanwhile): // deviceChanged logged that
	default:
		m.log.Error("session key not renewed", "err", err)
	}
}

// cursor returns where reading KEYS starts: where the last run got to, if the
// stream is still the same.
func (m *member) cursor(ctx context.Context) (uint64, error) {
	id, err := m.cfg.Bus.StreamID(ctx, bus.Keys)
	if err != nil {
		return 0, err
	}
	m.keysID = id
	was, seq, err := m.store.Cursor()
	if err != nil {
		return 0, err
	}
	if was == "" {
		return 1, nil
	}
	if was != id {
		m.log.Warn("KEYS is another stream than at the last run; reading all of it", "was", was, "is", id)
		return 1, nil
	}
	return seq, nil
}

// saveCursor stores how far KEYS is read, unless something before that is
// still to be stored itself.
func (m *member) saveCursor() {
	var next uint64
	var unstored int
	m.run.With(func(n *node) { next, unstored = n.Cursor(), n.unstored })
	if unstored > 0 {
		return
	}
	next = m.beforeGaps(next)
	if _, seq, err := m.store.Cursor(); err == nil && seq == next {
		return
	}
	if err := m.store.SetCursor(m.keysID, next); err != nil {
		m.log.Error("cursor not stored; the next start reads more of the log", "err", err)
	}
}

// beforeGaps is next, or what no copy of KEYS had so far if that comes before: the next
// start reads it again.
func (m *member) beforeGaps(next uint64) uint64 {
	if f := m.run.Keys(); f != nil {
		if n, first := bus.Unread(f.Gaps()); n > 0 {
			next = min(next, first)
		}
	}
	return next
}

// deviceChanged is called when the key provider begins to fail, and when it works
// again. While it is refused the node is silent; the clock asks for a new session
// key every second, so the node speaks again as soon as it may.
func (m *member) deviceChanged(err error) {
	switch reason := keyprovider.ReasonOf(err); {
	case err == nil:
		m.log.Info("key provider works again")
	case reason.Refused():
		m.sessions.drop()
		m.log.Error("key provider is refused; this node is silent until it works again", "reason", reason, "err", err)
	default:
		m.log.Error("key provider fails", "reason", reason, "err", err)
	}
}
