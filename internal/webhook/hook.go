package webhook

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// hook is one webhook at this gateway. Its loop owns everything but what is atomic.
type hook struct {
	w    *Webhooks
	log  *slog.Logger
	cfg  atomic.Pointer[Config]
	post *poster // its own: connections to a host are counted, which another webhook may have, too

	sent chan outcome
	gone chan struct{} // closed once nobody reads sent any more
	busy sync.WaitGroup

	// of the turn
	turn     uint64 // random; 0: it is another gateway's
	seq      uint64 // of the progress as this gateway wrote it last
	saved    time.Time
	changed  bool               // since then: what is not saved is sent again if this gateway dies
	stop     context.CancelFunc // ends what is being sent
	sending  context.Context
	stream   string
	position uint64
	queue    *queue
	told     map[uint64]bool // jobs that wait: told of, or about to be
	skipped  map[string]uint64
	listed   time.Time
	checked  time.Time // that RESULTS is the stream of the position

	// of another gateway's turn
	seen   uint64 // its progress, and
	seenAt time.Time

	oldest atomic.Int64 // Unix nanoseconds of the oldest undelivered event; 0: none
	quiet  string       // why the bus could not be read or written at the last look

	failing    bool      // what was sent last did not arrive
	complained time.Time // of what is no result
}

func newHook(w *Webhooks, cfg Config) *hook {
	h := &hook{w: w, log: w.o.Log.With("webhook", cfg.Name), sent: make(chan outcome, maxAtOnce),
		gone: make(chan struct{}), post: newPoster(w.o.Roots, w.o.Version, w.times.attempt)}
	h.cfg.Store(&cfg)
	return h
}

// run delivers until ctx ends.
func (h *hook) run(ctx context.Context) {
	defer h.post.client.CloseIdleConnections()
	defer close(h.gone)
	for ctx.Err() == nil {
		h.look(ctx)
		h.wait(ctx)
	}
	h.leave()
}

// wait waits for what is sent, or until it is time for another look: sooner where all that was
// under way has arrived, so that it is saved.
func (h *hook) wait(ctx context.Context) {
	begun := time.Now()
	timer := time.NewTimer(h.w.times.look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case o := <-h.sent:
			h.took(o)
			h.send()
			if h.changed && h.turn != 0 && h.queue.busy() == 0 {
				timer.Reset(max(0, h.w.times.look/5-time.Since(begun)))
			}
		}
	}
}

// look does what there is to do.
func (h *hook) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	// A gateway that stops does not cut off what it writes: a turn that stands in WEBHOOKS
	// without its knowing is one that it does not leave.
	whole, end := context.WithTimeout(context.WithoutCancel(ctx), busTime)
	defer end()
	var err error
	switch {
	case h.turn == 0:
		err = h.take(whole)
	case h.changed || time.Since(h.saved) >= h.w.times.save:
		err = h.save(whole)
	}
	if h.turn != 0 && time.Since(h.saved) >= h.w.times.turn {
		h.lose("its progress could not be written for too long")
	}
	if h.turn != 0 && err == nil {
		if err = h.read(ctx); err == nil {
			err = h.readPending(ctx)
		}
		h.send()
	}
	h.trouble(err)
}

// trouble logs what is wrong with the bus, once.
func (h *hook) trouble(err error) {
	text := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		text = err.Error()
	}
	if text != "" && h.quiet == "" {
		h.log.Warn("webhook has to wait for the bus", "err", err)
	}
	h.quiet = text
}

// take begins a turn if it is nobody's, or of a gateway that does not write any more.
func (h *hook) take(ctx context.Context) error {
	subject := wire.WebhookSubject(h.cfg.Load().Name)
	m, found, err := h.w.o.Bus.LastAtLeader(ctx, bus.Webhooks, subject)
	if err != nil {
		return err
	}
	id, err := h.w.o.Bus.StreamID(ctx, bus.Results)
	if err != nil {
		return err
	}
	s := &state{Stream: id}
	if !found {
		if s.Position, err = h.w.o.Bus.LastSeq(ctx, bus.Results); err != nil {
			return err
		}
	} else if s = h.mine(m, id); s == nil {
		return nil
	}
	if s.Stream != id {
		h.log.Warn("RESULTS was made anew: all that is in it is told")
		s.Stream, s.Position = id, 0
	}
	h.begin(s)
	if err := h.write(ctx, h.w.o.Gateway, m.Seq); err != nil {
		h.lose("")
		if errors.Is(err, bus.ErrConflict) {
			err = nil // another one was first
		}
		return err
	}
	h.log.Info("this gateway delivers the webhook's messages", "undelivered", len(h.queue.open))
	return nil
}

// mine is the progress from which this gateway may go on; nil if it is another's turn.
func (h *hook) mine(m bus.Message, stream string) *state {
	s, err := parseState(m.Data)
	if err != nil {
		h.log.Error("the webhook's progress can't be read: all that is in RESULTS is told", "err", err)
		return &state{Stream: stream}
	}
	if s.Gateway == "" || s.Gateway == h.w.o.Gateway {
		return s
	}
	if m.Seq != h.seen {
		h.seen, h.seenAt = m.Seq, time.Now()
	}
	if time.Since(h.seenAt) < h.w.times.turn {
		return nil
	}
	h.log.Warn("the gateway that delivered the webhook's messages is gone: this one goes on", "gateway", s.Gateway)
	return s
}

// begin takes a progress as this gateway's own.
func (h *hook) begin(s *state) {
	var turn [8]byte
	_, _ = rand.Read(turn[:]) // never fails
	h.turn = binary.BigEndian.Uint64(turn[:]) | 1
	h.stream, h.position = s.Stream, s.Position
	h.queue, h.told, h.skipped = newQueue(h.w.times.pause), map[uint64]bool{}, map[string]uint64{}
	for _, subject := range s.Open {
		h.queue.add(subject, nil)
	}
	for _, m := range s.Told {
		h.told[m] = true
	}
	h.listed, h.saved, h.checked = time.Time{}, time.Now(), time.Now()
	h.sending, h.stop = context.WithCancel(context.Background())
}

// lose ends a turn that another gateway has or may have now.
func (h *hook) lose(why string) {
	if why != "" {
		h.log.Warn("another gateway may deliver the webhook's messages now", "why", why)
	}
	h.stop()
	h.turn, h.seen = 0, 0
	h.oldest.Store(0)
}

// save writes the progress down.
func (h *hook) save(ctx context.Context) error { return h.keep(ctx, h.w.o.Gateway) }

// keep writes the progress down as a gateway's, or as nobody's. It loses the turn if another
// gateway has taken it.
func (h *hook) keep(ctx context.Context, gateway string) error {
	var err error
	for range 2 {
		if err = h.write(ctx, gateway, h.seq); err == nil {
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrUnknown) {
			return err
		}
		// What this gateway wrote before may have been stored, and its answer lost.
		mine, readErr := h.reread(ctx)
		if readErr != nil {
			return readErr
		}
		if !mine && errors.Is(err, bus.ErrConflict) {
			h.lose("it has taken over")
			return nil
		}
	}
	return err
}

// reread goes on from what stands in WEBHOOKS if this gateway wrote it in this turn.
func (h *hook) reread(ctx context.Context) (mine bool, err error) {
	m, found, err := h.w.o.Bus.LastAtLeader(ctx, bus.Webhooks, wire.WebhookSubject(h.cfg.Load().Name))
	if err != nil || !found {
		return false, err
	}
	s, err := parseState(m.Data)
	if err != nil || s.Turn != h.turn {
		return false, nil //nolint:nilerr // junk is another's
	}
	h.seq = m.Seq
	return true, nil
}

// write stores the progress in the place of what stands at a sequence.
func (h *hook) write(ctx context.Context, gateway string, last uint64) error {
	begun := time.Now()
	seq, err := h.w.o.Bus.Swap(ctx, wire.WebhookSubject(h.cfg.Load().Name), wire.Encode(h.state(gateway)), last)
	if err == nil {
		h.seq, h.saved, h.changed = seq, begun, false
	}
	return err
}

func (h *hook) state(gateway string) *state {
	s := &state{Version: stateVersion, Gateway: gateway, Turn: h.turn, Stream: h.stream, Position: h.position,
		Open: h.queue.order}
	for m := range h.told {
		s.Told = append(s.Told, m)
	}
	return s
}

// leave ends the turn so that another gateway begins at once.
func (h *hook) leave() {
	if h.turn == 0 {
		return
	}
	h.finish()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime) // whatever the receiver took of it
	defer cancel()
	if err := h.keep(ctx, ""); err != nil {
		h.log.Warn("another gateway delivers the webhook's messages in a while only", "err", err)
	}
	if h.turn != 0 {
		h.lose("")
	}
}

// finish waits a moment for what is being sent.
func (h *hook) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	idle := make(chan struct{})
	go func() { h.busy.Wait(); close(idle) }()
	for {
		select {
		case o := <-h.sent:
			h.took(o)
			continue
		case <-idle:
		case <-ctx.Done():
			h.stop()
		}
		break
	}
	for {
		select {
		case o := <-h.sent:
			h.took(o)
		default:
			return
		}
	}
}
