package worker

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// publishDeadline is for how long somebody waits for a message. Certificates are
// wanted until their batch is in the register, or the node says them again.
var publishDeadline = map[wire.SlotKind]time.Duration{
	wire.SlotDeal: wire.MaxJobLife, wire.SlotAbort: wire.MaxJobLife, wire.SlotCert: wire.MaxJobLife,
	wire.SlotReshareDeal: wire.MaxJobLife, wire.SlotReshareCert: wire.MaxJobLife, wire.SlotReshareAbort: wire.MaxJobLife,
	wire.SlotCommit: 5 * time.Minute, wire.SlotShare: 5 * time.Minute, wire.SlotRefuse: 5 * time.Minute,
}

// publish attests if asked, seals, and fills the slot, for as long as somebody
// waits for it. That bounds what piles up while the key provider or the bus is
// away.
//
// Signing does not wait for a node that is silent: what it would say of a
// session is dropped at once.
func (m *member) publish(e protocol.Publish) {
	if e.Slot.Kind.Signing() && m.sessions.silent() {
		m.log.Debug("message dropped: this node is silent", "subject", e.Slot.String())
		return
	}
	if e.Slot.Kind == wire.SlotReshareDeal && !m.mayDeal() {
		m.unpublished(e.Slot, errUndealt)
		return
	}
	if m.unaudited(e.Slot.Kind) {
		m.unpublished(e.Slot, errUnaudited)
		return
	}
	span := m.publishSpan(e)
	ctx := tracing.NewContext(m.run.Life(), span.Trace())
	ctx, cancel := context.WithTimeout(ctx, publishDeadline[e.Slot.Kind])
	defer cancel()
	if !e.Expires.IsZero() {
		ctx, cancel = context.WithDeadlineCause(ctx, e.Expires, errNobodyWaits)
		defer cancel()
	}
	ctx, cancel, ok := m.allowed(ctx, e)
	defer cancel()
	if !ok {
		m.unpublished(e.Slot, errTakenAway)
		span.End(errTakenAway)
		return
	}
	ctx, cancel, err := m.unlessStopped(ctx, e)
	defer cancel()
	if err != nil {
		m.unpublished(e.Slot, err)
		span.End(err)
		return
	}
	body := e.Body
	if e.Leaf != nil {
		att, err := m.attester.Sign(ctx, *e.Leaf)
		if err = reason(ctx, err); err != nil {
			m.unpublished(e.Slot, err)
			span.End(err)
			return
		}
		body = e.With(att)
	}
	span.End(m.fill(ctx, e, body))
}

// grant ends when the access list takes something away: what was on its way then, in
// the name of a client and at the word of a gateway, does not leave any more.
type grant struct {
	context.Context
	end context.CancelFunc
}

func newGrant() *grant {
	ctx, cancel := context.WithCancel(context.Background())
	return &grant{ctx, cancel}
}

// allowed ends ctx when the access list takes something away. It is not ok if it did
// since the message was made. SetAccess changes the list first and then the grant.
func (m *member) allowed(ctx context.Context, e protocol.Publish) (_ context.Context, _ context.CancelFunc, ok bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := func() { cancel(errTakenAway) }
	if e.Access == nil {
		return ctx, ended, true
	}
	stop := context.AfterFunc(m.host.granted.Load(), ended)
	return ctx, func() { stop(); ended() }, !m.host.access.Load().TakesAway(e.Access)
}

var (
	errNobodyWaits = errors.New("the job or the attempt is over")
	errTakenAway   = errors.New("the access list took rights away since it was made")
	errUndealt     = errors.New("it is not kept that this node deals to the next manifest")
)

// reason is why ctx ended, if that explains an error better.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && dropped(cause) {
		return cause
	}
	return err
}

// dropped reports whether a message did not go out because it must not.
func dropped(err error) bool {
	return errors.Is(err, errNobodyWaits) || errors.Is(err, errTakenAway) || errors.Is(err, errFrozen) ||
		errors.Is(err, errOtherPolicy) || errors.Is(err, errUnaudited) || errors.Is(err, errUndealt)
}

// fillTime is how long what was sealed may take to be published. A session key
// with less time left seals nothing.
const fillTime = time.Minute

// fill returns why the message was not published; it has logged that then. The
// bus retries until the sealed message counts no more; then it is sealed anew.
func (m *member) fill(ctx context.Context, e protocol.Publish, body []byte) error {
	slot := e.Slot
	for {
		lost, err := m.fillSealed(ctx, e, body)
		stale := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		switch {
		case lost:
			m.run.Step(protocol.SlotLost{Slot: slot})
			return errSlotLost
		case err == nil:
			return nil
		case !stale || ctx.Err() != nil:
			err = reason(ctx, err)
			m.unpublished(slot, err)
			return err
		}
	}
}

var errSlotLost = errors.New("this node said something else there before")

// fillSealed publishes for as long as the session key that sealed counts: for
// fillTime, unless the device is refused before. lost means that the slot
// holds another message of this node.
func (m *member) fillSealed(ctx context.Context, e protocol.Publish, body []byte) (lost bool, err error) {
	slot, subject := e.Slot, e.Slot.String()
	sealed, authorized, err := m.sessions.seal(ctx, subject, body)
	if err != nil {
		return false, err
	}
	// The deadline of ctx is a timer, which stands still while the machine sleeps.
	if !e.Expires.IsZero() && clock.Now().After(e.Expires) {
		return false, errNobodyWaits
	}
	if err := m.stopped(e); err != nil {
		return false, err
	}
	m.run.Step(protocol.Sealed{Slot: slot, Data: sealed})
	ctx, cancel := context.WithTimeout(ctx, fillTime)
	defer cancel()
	defer context.AfterFunc(authorized, cancel)()
	found, err := m.cfg.Bus.PublishSlot(ctx, subject, sealed, nil, func(msg bus.Message) bool {
		v := m.node.Judge(slot, machine.LogMessage(msg), body)
		lost = v == wire.Other
		return v != wire.Junk
	})
	return found && lost, err
}

func (m *member) unpublished(slot wire.Slot, err error) {
	if dropped(err) {
		m.log.Warn("message dropped", "subject", slot.String(), "reason", err)
		m.cfg.Observe.Report(protocol.Report{What: protocol.ReportDropped, ID: slot.ID, Culprit: -1})
		return
	}
	if m.run.Life().Err() == nil {
		m.log.Error("message not published", "subject", slot.String(), "err", err)
	}
}
