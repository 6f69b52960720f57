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
	wire.SlotCommit: 5 * time.Minute, wire.SlotShare: 5 * time.Minute, wire.SlotRefuse: 5 * time.Minute,
}

// publish attests if asked, seals, and fills the slot, for as long as somebody
// waits for it. That bounds what piles up while the key provider or the bus is
// away.
//
// Signing does not wait for a node that is silent: what it would say of a
// session is dropped at once.
func (w *Worker) publish(e protocol.Publish) {
	if e.Slot.Kind.Signing() && w.sessions.silent() {
		w.log.Debug("message dropped: this node is silent", "subject", e.Slot.String())
		return
	}
	if w.unaudited(e.Slot.Kind) {
		w.unpublished(e.Slot, errUnaudited)
		return
	}
	span := w.publishSpan(e)
	ctx := tracing.NewContext(w.run.Life(), span.Trace())
	ctx, cancel := context.WithTimeout(ctx, publishDeadline[e.Slot.Kind])
	defer cancel()
	if !e.Expires.IsZero() {
		ctx, cancel = context.WithDeadlineCause(ctx, e.Expires, errNobodyWaits)
		defer cancel()
	}
	ctx, cancel, ok := w.allowed(ctx, e)
	defer cancel()
	if !ok {
		w.unpublished(e.Slot, errTakenAway)
		span.End(errTakenAway)
		return
	}
	body := e.Body
	if e.Leaf != nil {
		att, err := w.attester.Sign(ctx, *e.Leaf)
		if err = reason(ctx, err); err != nil {
			w.unpublished(e.Slot, err)
			span.End(err)
			return
		}
		body = e.With(att)
	}
	span.End(w.fill(ctx, e, body))
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
func (w *Worker) allowed(ctx context.Context, e protocol.Publish) (_ context.Context, _ context.CancelFunc, ok bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := func() { cancel(errTakenAway) }
	if e.Access == nil {
		return ctx, ended, true
	}
	stop := context.AfterFunc(w.granted.Load(), ended)
	return ctx, func() { stop(); ended() }, !w.access.Load().TakesAway(e.Access)
}

var (
	errNobodyWaits = errors.New("the job or the attempt is over")
	errTakenAway   = errors.New("the access list took rights away since it was made")
)

// reason is why ctx ended, if that explains an error better.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && (errors.Is(cause, errNobodyWaits) || errors.Is(cause, errTakenAway)) {
		return cause
	}
	return err
}

// fillTime is how long what was sealed may take to be published. A session key
// with less time left seals nothing.
const fillTime = time.Minute

// fill returns why the message was not published; it has logged that then. The
// bus retries until the sealed message counts no more; then it is sealed anew.
func (w *Worker) fill(ctx context.Context, e protocol.Publish, body []byte) error {
	slot := e.Slot
	for {
		lost, err := w.fillSealed(ctx, e, body)
		stale := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		switch {
		case lost:
			w.run.Step(protocol.SlotLost{Slot: slot})
			return errSlotLost
		case err == nil:
			return nil
		case !stale || ctx.Err() != nil:
			err = reason(ctx, err)
			w.unpublished(slot, err)
			return err
		}
	}
}

var errSlotLost = errors.New("this node said something else there before")

// fillSealed publishes for as long as the session key that sealed counts: for
// fillTime, unless the device is refused before. lost means that the slot
// holds another message of this node.
func (w *Worker) fillSealed(ctx context.Context, e protocol.Publish, body []byte) (lost bool, err error) {
	slot, subject := e.Slot, e.Slot.String()
	sealed, authorized, err := w.sessions.seal(ctx, subject, body)
	if err != nil {
		return false, err
	}
	// The deadline of ctx is a timer, which stands still while the machine sleeps.
	if !e.Expires.IsZero() && clock.Now().After(e.Expires) {
		return false, errNobodyWaits
	}
	w.run.Step(protocol.Sealed{Slot: slot, Data: sealed})
	ctx, cancel := context.WithTimeout(ctx, fillTime)
	defer cancel()
	defer context.AfterFunc(authorized, cancel)()
	found, err := w.cfg.Bus.PublishSlot(ctx, subject, sealed, nil, func(m bus.Message) bool {
		v := w.node.Judge(slot, machine.LogMessage(m), body)
		lost = v == wire.Other
		return v != wire.Junk
	})
	return found && lost, err
}

func (w *Worker) unpublished(slot wire.Slot, err error) {
	if errors.Is(err, errNobodyWaits) || errors.Is(err, errTakenAway) || errors.Is(err, errUnaudited) {
		w.log.Warn("message dropped", "subject", slot.String(), "reason", err)
		w.cfg.Observe.Report(protocol.Report{What: protocol.ReportDropped, ID: slot.ID, Culprit: -1})
		return
	}
	if w.run.Life().Err() == nil {
		w.log.Error("message not published", "subject", slot.String(), "err", err)
	}
}
