package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What is read and sent in a turn.

const (
	pageSize = 256              // messages that are read at once
	complain = 30 * time.Second // between two lines about what proves nothing
	maxAgain = 64               // jobs that wait and proved nothing, which are read once more in a look
)

// Outcomes of deliveries, as metrics have them.
const (
	Delivered = "delivered"
	Failed    = "failed"   // one attempt; it is sent again
	GivenUp   = "given_up" // for good
)

// Outcomes are all of them.
var Outcomes = []string{Delivered, Failed, GivenUp}

// outcome is what became of one attempt.
type outcome struct {
	turn    uint64
	subject string
	event   *event
	err     error // errGone, errLost, errLater: it was not sent
}

var (
	errGone  = errors.New("there is nothing to tell any more")
	errLost  = errors.New("its result has left RESULTS")
	errLater = errors.New("what it is about is not there yet")
)

// check begins anew where RESULTS was made anew, or lost its end: the position means nothing
// there.
func (h *hook) check(ctx context.Context) error {
	if time.Since(h.checked) < h.w.times.turn {
		return nil
	}
	id, err := h.w.o.Bus.StreamID(ctx, bus.Results)
	if err != nil {
		return err
	}
	last, err := h.w.o.Bus.LastSeq(ctx, bus.Results)
	if err != nil {
		return err
	}
	if id != h.stream || last < h.position {
		h.log.Warn("RESULTS is not what it was: all that is in it is told", "last", last, "position", h.position)
		h.stream, h.position = id, 0
	}
	h.checked = time.Now()
	return nil
}

// read takes the results that are new.
func (h *hook) read(ctx context.Context) error {
	if err := h.check(ctx); err != nil {
		return err
	}
	cfg := h.cfg.Load()
	for more := true; more && h.queue.room() > 0; {
		var all []bus.Message
		var err error
		all, more, err = h.w.o.Bus.Page(ctx, bus.Results, h.position+1, wire.StoredResultSubject(cfg.Client, "*"),
			min(pageSize, h.queue.room()))
		if err != nil {
			return err
		}
		for _, m := range all {
			h.position, h.changed = m.Seq, true
			e, err := readResult(h.w.o.Manifest, h.w.o.Access(), m)
			switch {
			case err != nil:
				h.wrong(m, err)
			case cfg.wants(eventOf(e.job.State)):
				h.queue.add(m.Subject, e)
			}
		}
	}
	return nil
}

// readPending takes the jobs that wait, and forgets those that do not any more.
func (h *hook) readPending(ctx context.Context) error {
	cfg := h.cfg.Load()
	if !cfg.wants(Pending) || time.Since(h.listed) < h.w.times.list {
		return nil
	}
	subjects, err := h.w.o.Bus.Subjects(ctx, bus.Pending, wire.PendingSubject(cfg.Client, "*"))
	if err != nil {
		return err
	}
	slices.Sort(subjects)
	stand := make(map[uint64]bool, len(subjects))
	for _, subject := range subjects {
		stand[mark(subject)] = true
	}
	for m := range h.told {
		if !stand[m] {
			delete(h.told, m)
		}
	}
	for subject := range h.skipped {
		if !stand[mark(subject)] {
			delete(h.skipped, subject)
		}
	}
	for _, subject := range h.untold(subjects) {
		if h.queue.room() == 0 || len(h.told) >= maxTold {
			break
		}
		if err := h.takePending(ctx, subject); err != nil {
			return err
		}
	}
	for _, subject := range slices.Clone(h.queue.order) {
		if isPending(subject) && !stand[mark(subject)] && !h.queue.open[subject].busy {
			h.queue.done(subject)
		}
	}
	h.listed = time.Now()
	return nil
}

// untold are the jobs that wait of which nothing was told: first those that were not read yet,
// and a few of those that proved nothing, as they may prove it now. Else who has many of these
// stand would keep the others from being read in time.
func (h *hook) untold(subjects []string) (all []string) {
	for _, subject := range subjects {
		if _, read := h.skipped[subject]; !read && !h.told[mark(subject)] {
			all = append(all, subject)
		}
	}
	first := len(all)
	for subject := range h.skipped { // in any order
		if len(all) == first+maxAgain {
			break
		}
		all = append(all, subject)
	}
	return all
}

func (h *hook) takePending(ctx context.Context, subject string) error {
	m, found, err := h.w.o.Bus.LastAtLeader(ctx, bus.Pending, subject)
	if err != nil || !found || h.skipped[subject] == m.Seq {
		return err
	}
	e, err := readPending(h.w.o.Manifest, h.w.o.Access(), m)
	if err != nil {
		h.skipped[subject] = m.Seq
		h.wrong(m, err)
		return nil
	}
	delete(h.skipped, subject)
	h.queue.add(subject, e)
	h.told[mark(subject)], h.changed = true, true
	return nil
}

// wrong logs that a message proves nothing, now and then.
func (h *hook) wrong(m bus.Message, err error) {
	if time.Since(h.complained) >= complain {
		h.complained = time.Now()
		h.log.Warn("not told to the webhook: it is not proven", "subject", m.Subject, "err", err)
	}
}

// send begins to send what is due.
func (h *hook) send() {
	if h.turn == 0 {
		return
	}
	cfg, turn, sending := *h.cfg.Load(), h.turn, h.sending
	for _, subject := range h.queue.due(time.Now()) {
		o := outcome{turn: turn, subject: subject, event: h.queue.open[subject].event}
		h.busy.Go(func() {
			o.event, o.err = h.deliver(sending, cfg, o.subject, o.event)
			select {
			case h.sent <- o:
			case <-h.gone:
			}
		})
	}
	h.note()
}

// note is for the metric.
func (h *hook) note() {
	at := int64(0)
	if oldest := h.queue.oldest(); !oldest.IsZero() {
		at = oldest.UnixNano()
	}
	h.oldest.Store(at)
}

// took takes what became of an attempt.
func (h *hook) took(o outcome) {
	if h.turn == 0 || o.turn != h.turn || h.queue.open[o.subject] == nil {
		return
	}
	now := time.Now()
	entry := h.queue.open[o.subject]
	entry.event = o.event
	name := h.cfg.Load().Name
	switch {
	case o.err == nil:
		h.queue.done(o.subject)
		h.changed = true
		h.w.o.Observe.Webhook(name, Delivered)
		if h.failing {
			h.log.Info("the webhook's receiver takes messages again")
		}
		h.failing = false
	case errors.Is(o.err, errGone):
		h.queue.done(o.subject)
	case errors.Is(o.err, errLater):
		h.queue.later(o.subject, now.Add(h.w.times.look))
	case errors.Is(o.err, errLost), o.event != nil && now.Sub(o.event.at) >= giveUp:
		h.queue.done(o.subject)
		h.w.o.Observe.Webhook(name, GivenUp)
		h.log.Error("a webhook's message is given up: it was not delivered within a day", "of", o.subject,
			"attempts", entry.tries+1, "err", o.err)
	default:
		h.queue.failed(o.subject, now)
		h.w.o.Observe.Webhook(name, Failed)
		if !h.failing {
			h.log.Warn("the webhook's receiver did not take a message, which is sent again", "of", o.subject,
				"next", entry.next.UTC(), "err", o.err)
		}
		h.failing = true
	}
	h.note()
}

// deliver makes one attempt to tell of an event, nil: the one of a subject.
func (h *hook) deliver(ctx context.Context, cfg Config, subject string, e *event) (*event, error) {
	w := h.w
	if e == nil {
		var err error
		if e, err = w.load(ctx, subject); err != nil {
			return nil, err
		}
	}
	kind := eventOf(e.job.State)
	if !cfg.wants(kind) || cfg.Client != "*" && cfg.Client != e.job.Client {
		return e, errGone
	}
	known, err := w.o.Job(e.job.Client, e.job.ID)
	if (err != nil || known.State != e.job.State) && time.Since(e.at) < w.times.settle {
		return e, errLater
	}
	body, err := message{Type: kind.Type(), Timestamp: e.at.UTC(), Data: w.o.Render(e.with(known))}.encode()
	if err != nil {
		return e, err
	}
	return e, h.post.post(ctx, cfg.URL, cfg.Secrets, e.id(), time.Now(), body)
}

// load reads the event that another gateway left undelivered.
func (w *Webhooks) load(ctx context.Context, subject string) (*event, error) {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	if isPending(subject) {
		m, found, err := w.o.Bus.LastAtLeader(ctx, bus.Pending, subject)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errLater, err)
		}
		if !found {
			return nil, errGone
		}
		e, err := readPending(w.o.Manifest, w.o.Access(), m)
		if err != nil {
			return nil, errGone
		}
		return e, nil
	}
	m, found, err := w.o.Bus.Last(ctx, bus.Results, subject)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLater, err)
	}
	if !found {
		return nil, errLost
	}
	e, err := readResult(w.o.Manifest, w.o.Access(), m)
	if err != nil {
		return nil, errGone
	}
	return e, nil
}
