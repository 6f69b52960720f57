package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// laggingReplica is a bus whose direct gets are answered by a replica that is behind
// the leader: it has the messages up to a sequence, and holes where it is catching up.
// An answer about the stream's state may come from a leader that is behind as well.
type laggingReplica struct {
	*Bus
	mu     sync.Mutex
	has    uint64          // the replica's last sequence
	holes  map[uint64]bool // below it, and not there yet
	leader uint64          // what the leader says is its last sequence; 0: the truth
	asked  int             // for the leader's state
}

// newLagging is a bus with n messages in KEYS of which the replica has fewer.
func newLagging(t *testing.T, n, has int) *laggingReplica {
	b, _ := newTestBus(t)
	for i := range n {
		if _, err := b.Publish(testContext(t), dealSubject(fmt.Sprintf("%032x", i), 0), fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	r := &laggingReplica{Bus: b, has: uint64(has), holes: map[uint64]bool{}}
	b.from = r
	return r
}

func (r *laggingReplica) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *laggingReplica) scan(
	ctx context.Context, stream Stream, from uint64, filter string, fn func(Message) bool,
) error {
	return r.Bus.scan(ctx, stream, from, filter, func(m Message) bool {
		var end, hole bool
		r.set(func() { end, hole = m.Seq > r.has, r.holes[m.Seq] })
		return !end && (hole || fn(m))
	})
}

func (r *laggingReplica) info(ctx context.Context, stream Stream) (streamInfo, error) {
	i, err := r.Bus.info(ctx, stream)
	i.replicas = 3
	r.set(func() {
		r.asked++
		if r.leader > 0 {
			i.last = r.leader
		}
	})
	return i, err
}

func (c *collector) inOrder(t *testing.T, n int) {
	t.Helper()
	checkGapless(t, c.waitFor(t, n), 1)
	eventually(t, "caught up", func() error {
		if _, caught, lost := c.seen(); !slices.Equal(caught, []int{n}) || lost != nil {
			return fmt.Errorf("caught up at %v, lost %v", caught, lost)
		}
		return nil
	})
}

// The end of a replica is not the end of the stream: what it lacks is read from the
// leader, and no message is stepped over.
func TestFollowLaggingReplica(t *testing.T) {
	for name, lag := range map[string]func(*laggingReplica){
		"behind from the start": func(*laggingReplica) {},
		"with holes":            func(r *laggingReplica) { r.has, r.holes = 30, map[uint64]bool{1: true, 9: true, 10: true, 30: true} },
		"empty":                 func(r *laggingReplica) { r.has = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newLagging(t, 30, 12)
			lag(r)
			var c collector
			if _, err := r.Follow(testContext(t), Keys, 1, c.options()); err != nil {
				t.Fatal(err)
			}
			c.inOrder(t, 30)
			for i := range 5 { // announced, while the replica stays behind
				if _, err := r.Publish(testContext(t), dealSubject(testBatch, i), nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			checkGapless(t, c.waitFor(t, 35), 1)
		})
	}
}

// A leader that does not answer for what was announced proves nothing: the follower of
// KEYS waits for as long as it takes.
type silentLeader struct {
	*laggingReplica
	mu     sync.Mutex
	silent bool
	asked  chan struct{}
}

func (s *silentLeader) leaderNext(ctx context.Context, stream Stream, from uint64) (Message, bool, error) {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent {
		select {
		case s.asked <- struct{}{}:
		default:
		}
		return Message{}, false, nil // it took over a moment ago and has not applied everything
	}
	return s.Bus.leaderNext(ctx, stream, from)
}

func TestFollowWaitsForProof(t *testing.T) {
	r := newLagging(t, 30, 12)
	r.opt.CutPatience = patience
	s := &silentLeader{laggingReplica: r, silent: true, asked: make(chan struct{})}
	r.from = s
	var c collector
	if _, err := r.Follow(testContext(t), Keys, 1, c.options()); err != nil {
		t.Fatal(err)
	}
	for range 20 { // longer than any number of tries that is fixed
		<-s.asked
	}
	if got, caught, _ := c.seen(); len(got) != 12 || len(caught) != 0 {
		t.Fatalf("%d messages are handled, caught up at %v", len(got), caught)
	}
	s.mu.Lock()
	s.silent = false
	s.mu.Unlock()
	c.inOrder(t, 30)
}

// A read from a replica that is ahead of the leader, which says for a moment that the
// stream is shorter, is no loss. A stream that stays shorter is one.
func TestFollowLeaderBehind(t *testing.T) {
	r := newLagging(t, 30, 99)
	r.opt.CutPatience = patience
	var c collector
	f, err := r.Follow(testContext(t), Keys, 1, c.options())
	if err != nil {
		t.Fatal(err)
	}
	c.inOrder(t, 30)
	r.set(func() { r.leader = 20 })
	before := r.asked
	eventually(t, "several looks at the stream", func() error {
		var looks int
		r.set(func() { looks = r.asked - before })
		if looks < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if got, _, lost := c.seen(); len(got) != 30 || lost != nil {
		t.Errorf("%d messages, lost %v", len(got), lost)
	}
	r.set(func() { r.leader = 0 })
	f.Stop()

	r.opt.CutPatience = time.Millisecond
	r.set(func() { r.leader = 20 })
	var cut collector
	if _, err := r.Follow(testContext(t), Keys, 31, cut.options()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss", func() error {
		if _, _, lost := cut.seen(); len(lost) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

// What other copies of KEYS have beyond the end that the leader knows is read, though
// nothing announces it any more: the leader's file may have been cut.
func TestKeysBeyondItsLeader(t *testing.T) {
	r := newLagging(t, 20, 99)
	r.gapEvery, r.opt.CutPatience, r.leader = time.Millisecond, 2*patience, 20
	var c collector
	opt := c.options()
	opt.Idle = time.Millisecond
	f := must[*Follower](t)(r.Follow(testContext(t), Keys, 1, opt))
	c.inOrder(t, 20)
	if err := f.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := r.Publish(testContext(t), dealSubject(testBatch, i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	checkGapless(t, c.waitFor(t, 25), 1)
}

// oldID is a bus that takes a stream made anew for the old one, as it is after all
// servers of a cluster were killed at once: what was in memory is gone, and name and
// age are what they were.
type oldID struct {
	*Bus
	id string
}

func (o *oldID) info(ctx context.Context, stream Stream) (streamInfo, error) {
	i, err := o.Bus.info(ctx, stream)
	i.id = o.id
	return i, err
}

// A follower of a stream in memory that began anew reads it from the start as soon as
// something is stored there, whatever the patience with streams that end early.
func TestFollowMemoryForgotten(t *testing.T) {
	b, _ := newTestBus(t)
	b.opt.CutPatience = 2 * patience
	b.from = &oldID{b, must[string](t)(b.StreamID(testContext(t), Sign))}
	publishN(t, b, 0, 5)
	var c collector
	if _, err := b.Follow(testContext(t), Sign, 1, c.options()); err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, 5)
	if err := b.nc.JS.DeleteStream(testContext(t), b.names.stream(Sign)); err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(testContext(t)); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 5, 2)
	got := c.waitFor(t, 7)
	checkGapless(t, got[5:], 1)
	if _, _, lost := c.seen(); len(lost) != 1 {
		t.Errorf("lost %v, want one report", lost)
	}
}

// A stream that forgets goes on behind what it forgot, on the leader's word alone.
func TestFollowForgottenEnd(t *testing.T) {
	r := newLagging(t, 0, 99)
	publishN(t, r.Bus, 0, 5)
	stream := must[jetstream.Stream](t)(r.nc.JS.Stream(testContext(t), r.names.stream(Sign)))
	for _, seq := range []uint64{4, 5} {
		if err := stream.DeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	var c collector
	if _, err := r.Follow(testContext(t), Sign, 1, c.options()); err != nil {
		t.Fatal(err)
	}
	c.inOrder(t, 3)
}

// TestLastAtLeader: no replica is asked for what a swap depends on.
func TestLastAtLeader(t *testing.T) {
	b, s := newTestBus(t)
	nc := rawConn(t, s.URL())
	replicas, err := nc.SubscribeSync("$JS.API.DIRECT.GET.>")
	if err := errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	subject := "presence.node.0"
	if _, found, err := b.LastAtLeader(testContext(t), Presence, subject); found || err != nil {
		t.Errorf("nothing is there: %t, %v", found, err)
	}
	for i := range 2 {
		if _, err := b.Publish(testContext(t), subject, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	m, found, err := b.LastAtLeader(testContext(t), Presence, subject)
	if err != nil || !found || m.Subject != subject || m.Seq != 2 || string(m.Data) != "1" || m.Time.IsZero() {
		t.Errorf("%+v, %t, %v", m, found, err)
	}
	if _, _, err := b.Last(testContext(t), Presence, subject); err != nil {
		t.Fatal(err)
	}
	for want := range 2 { // Last asks whichever has the stream, once
		_, err := replicas.NextMsg(time.Second)
		if asked := err == nil; asked != (want == 0) {
			t.Errorf("question %d to a replica: %v", want, err)
		}
	}
}

// swallowing loses the first question, as servers do while a stream has no leader.
type swallowing struct {
	*Bus
	asked int
}

func (s *swallowing) info(ctx context.Context, stream Stream) (streamInfo, error) {
	if s.asked++; s.asked == 1 {
		<-ctx.Done()
		return streamInfo{}, ctx.Err()
	}
	return s.Bus.info(ctx, stream)
}

// A question that is lost in an election holds nothing up for as long as an answer may
// take.
func TestQuestionLostInAnElection(t *testing.T) {
	b, _ := newTestBus(t)
	b.opt.AckTimeout = 2 * patience
	s := &swallowing{Bus: b}
	b.from = s
	f := &Follower{b: b, stream: Work}
	ctx, cancel := context.WithTimeout(testContext(t), patience)
	defer cancel()
	if !f.refresh(ctx) || s.asked != 2 {
		t.Errorf("asked %d times", s.asked)
	}
}
