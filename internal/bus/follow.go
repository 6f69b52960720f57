package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/pool"
)

// FollowOptions say what a follower does. All functions are called one after the
// other, in order; none may call Stop (end the follower by its context).
type FollowOptions struct {
	// Handler gets every message, in order but for those of KEYS that no copy had in
	// their turn (Gaps): these come when a copy has them. A panic in it is logged, and
	// the message counts as handled.
	Handler func(Message)

	// CaughtUp is called once, after every message that was stored when Follow
	// was called; at once if there was none.
	CaughtUp func()

	// Lost is called with a *LostError when the position in the stream is gone:
	// the stream was created anew, or ends before the cursor. Reading then goes on with
	// the first message that is stored.
	Lost func(error)

	// StreamID is the incarnation that from belongs to; another is a loss. ""
	// takes what is there.
	StreamID string

	// Idle is how often a follower that hears nothing asks whether it missed
	// anything; 2 s if 0.
	Idle time.Duration

	// MaxBytes bounds the messages waiting for the handler, 8 MiB if 0. More
	// than that is left in the stream and read later.
	MaxBytes int
}

const (
	defaultMaxBytes = 8 << 20
	defaultIdle     = 2 * time.Second
	liveQueue       = 4096                  // messages waiting for the handler
	junkPause       = 50 * time.Millisecond // before the stream is read for what was no announcement
)

// Follower reads a stream in order and without gaps.
type Follower struct {
	b      *Bus
	stream Stream
	name   string // on the server
	opt    FollowOptions
	sub    *nats.Subscription
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once

	// turn is held by whoever reads on: run, or receive with the next message in order, to which
	// run would have to be woken. It guards what is owned by run.
	turn    sync.Mutex
	inPlace bool // receive may; guarded by turn
	dropped int  // messages that the connection had no room for so far; receive's

	live   chan *nats.Msg
	queued atomic.Int64  // bytes in live
	nudge  chan struct{} // something was dropped: read the stream

	// Written by run, read by anybody.
	handled atomic.Uint64 // last sequence done with
	caught  atomic.Bool   // everything up to target is
	gaps    atomic.Pointer[[]Gap]

	// Owned by run, and by who has the turn.
	id     string    // incarnation
	next   uint64    // first sequence not handled
	target uint64    // last sequence at start
	short  time.Time // since when the stream seems to end before next; zero if it does not
	last   uint64    // sequence at the stream's leader, when it was last asked
	read   time.Time // when the stream was last read to some copy's end
	newest time.Time // when the last message that was handled was stored
	looked time.Time // at the gaps, all of them

	lookFrom uint64 // sequence at which the next look at them begins

	// endLost is since when KEYS' leader has nothing from endAt on, and counts it all the
	// same.
	endLost time.Time
	endAt   uint64

	// later is when the stream is read since something unreadable was announced; nil if
	// nothing was. Whoever may ask a question can have its answer, which nobody stores,
	// delivered where announcements are: it must not cost each follower a read.
	later <-chan time.Time
}

// Follow starts reading at sequence from (0 and 1 are the start). It ends with
// ctx, Stop, or Close of the bus. JOBS can't be followed: nothing announces it.
func (b *Bus) Follow(ctx context.Context, stream Stream, from uint64, opt FollowOptions) (*Follower, error) {
	return b.follow(ctx, ctx, stream, from, opt)
}

// follow begins until ctx ends, and follows until life does.
func (b *Bus) follow(ctx, life context.Context, stream Stream, from uint64, opt FollowOptions) (*Follower, error) {
	if opt.Handler == nil {
		return nil, errors.New("bus: Follow needs a Handler")
	}
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = defaultMaxBytes
	}
	if opt.Idle <= 0 {
		opt.Idle = defaultIdle
	}
	life, cancel := context.WithCancel(life)
	f := &Follower{
		b: b, stream: stream, name: b.names.stream(stream), opt: opt, cancel: cancel,
		done: make(chan struct{}), live: make(chan *nats.Msg, liveQueue), nudge: make(chan struct{}, 1),
		id: opt.StreamID,
	}
	f.moveTo(max(from, 1))
	if err := f.start(ctx, life); err != nil {
		cancel()
		f.unsubscribe()
		return nil, err
	}
	return f, nil
}

// FollowToEnd follows as Follow does, until life ends, and returns once every
// message that was stored at the call was handled. The follower it returns with
// an error has to be stopped all the same, if there is one.
func (b *Bus) FollowToEnd(ctx, life context.Context, stream Stream, from uint64, opt FollowOptions) (*Follower, error) {
	caught := make(chan struct{})
	opt.CaughtUp = func() { close(caught) }
	f, err := b.follow(ctx, life, stream, from, opt)
	if err != nil {
		return nil, err
	}
	select {
	case <-caught:
		return f, nil
	case <-f.Done():
		return f, fmt.Errorf("reading stream %s ended: %w", stream, ErrClosed)
	case <-ctx.Done():
		return f, ctx.Err()
	}
}

func (f *Follower) start(ctx, life context.Context) error {
	subject, err := f.b.liveSubject(f.stream)
	if err != nil {
		return err
	}
	// Listen first, then look what is stored: nothing falls in between.
	if f.sub, err = f.b.nc.Subscribe(subject, f.receive); err != nil {
		return classify(subject, err)
	}
	info, err := f.b.state(ctx, f.stream)
	if err != nil {
		return err
	}
	if handledInPlace(f.stream) {
		// A message that is larger than MaxBytes has room alone.
		if err := f.sub.SetPendingLimits(liveQueue, f.opt.MaxBytes+natsconn.MaxPayload); err != nil {
			return classify(subject, err)
		}
	}
	if !f.b.own(f) {
		return ErrClosed
	}
	go f.run(life, info)
	return nil
}

// liveSubject is where the server republishes what a stream stored. RESULTS and NOTICES are
// announced in one place.
func (b *Bus) liveSubject(stream Stream) (string, error) {
	for _, d := range b.streams() {
		if d.Name == stream && d.Republish != nil {
			return b.names.prefix + d.Republish.Destination, nil
		}
	}
	return "", fmt.Errorf("%w: stream %s can't be followed", ErrSubject, stream)
}

// anothers reports whether an announcement is of the other stream that is announced there.
func (f *Follower) anothers(m *nats.Msg) bool {
	other := map[Stream]Stream{Results: Notices, Notices: Results}[f.stream]
	if other == "" {
		return false
	}
	_, err := f.b.stored(m, f.b.names.stream(other))
	return err == nil
}

// Stream that is followed.
func (f *Follower) Stream() Stream { return f.stream }

// Handled is the last sequence that the handler is done with.
func (f *Follower) Handled() uint64 { return f.handled.Load() }

// CaughtUp reports whether everything that was stored at Follow was handled.
func (f *Follower) CaughtUp() bool { return f.caught.Load() }

// Followers are those of this bus that have not ended.
func (b *Bus) Followers() (all []*Follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.owned {
		if f, ok := s.(*Follower); ok {
			all = append(all, f)
		}
	}
	return all
}

// Stop ends the follower and waits for its handler.
func (f *Follower) Stop() {
	f.once.Do(func() {
		f.cancel()
		f.b.disown(f)
	})
	<-f.done
}

// Done is closed when no function of the options will be called any more.
func (f *Follower) Done() <-chan struct{} { return f.done }

func (f *Follower) unsubscribe() {
	if f.sub != nil {
		_ = f.sub.Unsubscribe() // fails only if the connection is closed
	}
}

func (f *Follower) run(ctx context.Context, info streamInfo) {
	defer close(f.done)
	defer f.unsubscribe()
	defer f.b.disown(f)
	defer f.cancel()
	f.turn.Lock()
	defer func() { f.inPlace = false; f.turn.Unlock() }()

	f.target = info.last
	f.compare(info)
	reconnected := f.b.nextReconnect()
	if !f.catchUp(ctx, 0) {
		return
	}
	tick := time.NewTicker(f.opt.Idle)
	defer tick.Stop()
	seen := f.next
	f.inPlace = handledInPlace(f.stream)
	for {
		alive := true
		f.turn.Unlock()
		select {
		case <-ctx.Done():
			f.turn.Lock()
			return
		case m := <-f.live:
			f.turn.Lock()
			f.queued.Add(-int64(m.Size()))
			alive = f.onLive(ctx, m)
		case <-f.nudge:
			f.turn.Lock()
			alive = f.catchUp(ctx, 0)
		case <-f.later:
			f.turn.Lock()
			f.later = nil
			alive = f.catchUp(ctx, 0)
		case <-reconnected:
			f.turn.Lock()
			reconnected = f.b.nextReconnect()
			alive = f.refresh(ctx) && f.catchUp(ctx, 0)
		case <-tick.C:
			f.turn.Lock()
			if seen == f.next { // quiet: has anything been missed?
				alive = f.refresh(ctx) && (f.upToDate() || f.catchUp(ctx, 0))
			}
			f.lookAgain(ctx)
			seen = f.next
		}
		if !alive {
			return
		}
	}
}

// onLive handles an announced message: next in sequence, long known, or the
// sign of a gap.
func (f *Follower) onLive(ctx context.Context, m *nats.Msg) bool {
	got, err := f.b.stored(m, f.name)
	switch {
	case err != nil && f.anothers(m):
	case err != nil && f.later == nil:
		f.later = time.After(junkPause)
	case err != nil:
	case got.Seq == f.next:
		f.handle(got)
	case got.Seq > f.next:
		return f.refresh(ctx) && f.catchUp(ctx, got.Seq)
	case f.beganAnew(got):
		return f.refresh(ctx) && f.catchUp(ctx, 0)
	}
	return true
}

// upToDate: all that the stream's leader has was handled. Other copies of KEYS are read
// now and then all the same: a leader whose file was cut knows of no end that they have.
func (f *Follower) upToDate() bool {
	return f.caught.Load() && f.next > f.last && (f.stream != Keys || time.Since(f.read) < f.b.gapEvery)
}

// beganAnew: sequences went back while time went on. All servers at once forget a
// stream in memory, and keep its name and its age. If its leader says too that it ends
// before the follower's position, that is enough: nobody waits for CutPatience. At
// KEYS, which programs end by, it is not.
func (f *Follower) beganAnew(got Message) bool {
	if !forgetful(f.stream) || got.Seq >= f.next || !got.Time.After(f.newest) {
		return false
	}
	f.short = time.Now().Add(-f.b.opt.CutPatience)
	return true
}

// forgetful are the streams in memory that are followed.
func forgetful(s Stream) bool { return s == Work || s == Sign || s == Presence || s == Notices }

// moveTo goes on with another sequence, without its predecessors.
func (f *Follower) moveTo(next uint64) {
	f.next = next
	f.handled.Store(next - 1)
}

// handle hands the next message on. f.next moves first: a message that makes the
// handler panic is not met again.
func (f *Follower) handle(m Message) {
	f.next, f.newest = m.Seq+1, m.Time
	f.give(m)
	f.handled.Store(m.Seq)
}

// give calls the handler.
func (f *Follower) give(m Message) {
	defer func() {
		if p := recover(); p != nil {
			f.b.log.Error("handler panicked", "stream", f.stream, "subject", m.Subject, "seq", m.Seq,
				"panic", fmt.Sprintf("%T", p), "at", pool.Trace())
		}
	}()
	f.opt.Handler(m)
}

func (f *Follower) startTarget() uint64 {
	if f.caught.Load() {
		return 0
	}
	return f.target
}

// settled calls CaughtUp when it is due.
func (f *Follower) settled() {
	if f.caught.Load() || f.next <= f.target || !f.short.IsZero() {
		return
	}
	f.caught.Store(true)
	if f.opt.CaughtUp != nil {
		f.opt.CaughtUp()
	}
}
