package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func publishN(t testing.TB, b *Bus, from, n int) {
	t.Helper()
	ctx := testContext(t)
	for i := from; i < from+n; i++ {
		subject := commitSubject(fmt.Sprintf("%032x", i), i%24)
		if _, err := b.Publish(ctx, subject, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowHistoryThenLive(t *testing.T) {
	b, _ := newTestBus(t)
	publishN(t, b, 0, 700) // several pages
	var c collector
	if _, err := b.Follow(testContext(t), Sign, 0, c.options()); err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, 700)
	publishN(t, b, 700, 300)
	got := c.waitFor(t, 1000)
	checkGapless(t, got, 1)
	for i, m := range got {
		if string(m.Data) != fmt.Sprint(i) || m.Time.IsZero() || m.Header != nil {
			t.Fatalf("message %d: %+v", i, m)
		}
	}
	if _, caught, lost := c.seen(); len(caught) != 1 || caught[0] != 700 || lost != nil {
		t.Errorf("caught up at %v (want once, at 700), lost %v", caught, lost)
	}
}

func TestFollowEmptyCatchesUpAtOnce(t *testing.T) {
	b, _ := newTestBus(t)
	var c collector
	f, err := b.Follow(testContext(t), Keys, 1, c.options())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() error {
		if _, caught, _ := c.seen(); len(caught) != 1 {
			return errors.New("not yet")
		}
		return nil
	})
	f.Stop()
	publishN(t, b, 0, 1)
	time.Sleep(20 * time.Millisecond)
	if got, _, _ := c.seen(); len(got) != 0 {
		t.Error("handler called after Stop")
	}
}

func TestFollowFromCursor(t *testing.T) {
	b, _ := newTestBus(t)
	publishN(t, b, 0, 20)
	var c collector
	if _, err := b.Follow(testContext(t), Sign, 11, c.options()); err != nil {
		t.Fatal(err)
	}
	checkGapless(t, c.waitFor(t, 10), 11)
}

// A handler slower than the writers: what does not fit into memory is read
// from the stream.
func TestFollowSlowHandlerBoundedMemory(t *testing.T) {
	b, _ := newTestBus(t)
	var c collector
	opt := c.options()
	opt.MaxBytes = 64 << 10
	inner, gate := opt.Handler, make(chan struct{})
	opt.Handler = func(m Message) { <-gate; inner(m) }
	f, err := b.Follow(testContext(t), Sign, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 16<<10)
	for i := range 100 {
		subject := shareSubject(fmt.Sprintf("%032x", i), 0)
		if _, err := b.Publish(testContext(t), subject, big, nil); err != nil {
			t.Fatal(err)
		}
	}
	if q := f.queued.Load(); q > 64<<10 {
		t.Errorf("%d bytes are queued, limit is 64 KiB", q)
	}
	close(gate)
	checkGapless(t, c.waitFor(t, 100), 1)
}

// Sequences that are not stored any more are stepped over, at the start, in
// the middle and at the end of what is there.
func TestFollowOverDeleted(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	publishN(t, b, 0, 10)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(ctx, b.names.stream(Sign)))
	for _, seq := range []uint64{1, 2, 5, 6, 9, 10} {
		if err := stream.DeleteMsg(ctx, seq); err != nil {
			t.Fatal(err)
		}
	}
	var c collector
	if _, err := b.Follow(ctx, Sign, 0, c.options()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() error {
		if _, caught, _ := c.seen(); !slices.Equal(caught, []int{4}) {
			return fmt.Errorf("caught up at %v", caught)
		}
		return nil
	})
	publishN(t, b, 10, 2)
	var seqs []uint64
	for _, m := range c.waitFor(t, 6) {
		seqs = append(seqs, m.Seq)
	}
	if !slices.Equal(seqs, []uint64{3, 4, 7, 8, 11, 12}) {
		t.Errorf("handled %v", seqs)
	}
}

// Everything is expired before the follower starts: it is caught up at once.
func TestFollowEmptiedStream(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	publishN(t, b, 0, 10)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(ctx, b.names.stream(Sign)))
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	var c collector
	if _, err := b.Follow(ctx, Sign, 4, c.options()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() error {
		if _, caught, lost := c.seen(); len(caught) != 1 || len(lost) != 0 {
			return fmt.Errorf("caught up at %v, lost %v", caught, lost)
		}
		return nil
	})
	publishN(t, b, 0, 1)
	checkGapless(t, c.waitFor(t, 1), 11)
}

// Announcements get lost: the next one that arrives shows the gap, without
// waiting for the idle check.
func TestFollowGap(t *testing.T) {
	for range 5 {
		if fillGap(t) < defaultIdle/2 { // on a busy machine not every time
			return
		}
	}
	t.Error("only the idle check fills the gap")
}

// fillGap loses three announcements. It returns how long after the next one the
// gap was filled.
func fillGap(t *testing.T) time.Duration {
	t.Helper()
	b, _ := newTestBus(t)
	var c collector
	f, err := b.Follow(testContext(t), Sign, 0, c.options())
	if err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 1)
	c.waitFor(t, 1)
	if err := f.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 1, 3)
	start := time.Now()
	sub, err := b.nc.Subscribe(b.names.prefix+"live.sign.>", f.receive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	publishN(t, b, 4, 1)
	checkGapless(t, c.waitFor(t, 5), 1)
	return time.Since(start)
}

// Announcements get lost and none follows: the idle check finds out.
func TestFollowIdleCheck(t *testing.T) {
	b, _ := newTestBus(t)
	var c collector
	f, err := b.Follow(testContext(t), Sign, 0, c.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 3)
	checkGapless(t, c.waitFor(t, 3), 1)
}

// A follower that hears nothing asks the stream's leader whether it missed anything, and
// reads only if it did.
func TestIdleFollowerReadsNothing(t *testing.T) {
	r := newLagging(t, 3, 99)
	r.gapEvery = time.Hour
	reads := make(chan *nats.Msg, 64)
	must[*nats.Subscription](t)(r.nc.ChanSubscribe("$JS.API.DIRECT.GET."+r.names.stream(Keys), reads))
	var c collector
	opt := c.options()
	opt.Idle = time.Millisecond
	f := must[*Follower](t)(r.Follow(testContext(t), Keys, 1, opt))
	c.inOrder(t, 3)
	looks := func(n int) {
		var before int
		r.set(func() { before = r.asked })
		eventually(t, "looks at the stream", func() (err error) {
			r.set(func() {
				if r.asked < before+n {
					err = fmt.Errorf("%d of %d", r.asked-before, n)
				}
			})
			return err
		})
	}
	looks(2) // the first may be part of catching up
	asked := len(reads)
	looks(20)
	if n := len(reads) - asked; n != 0 {
		t.Errorf("%d reads of a stream that has nothing new", n)
	}
	if err := f.sub.Unsubscribe(); err != nil { // from now on it hears nothing
		t.Fatal(err)
	}
	if _, err := r.Publish(testContext(t), dealSubject(testBatch, 0), nil, nil); err != nil {
		t.Fatal(err)
	}
	checkGapless(t, c.waitFor(t, 4), 1)
}

func TestFollowPanic(t *testing.T) {
	var log logSink
	b, _ := newTestBus(t, func(o *Options) { o.Logger = log.logger() })
	var c collector
	opt := c.options()
	inner := opt.Handler
	opt.Handler = func(m Message) {
		inner(m)
		if m.Seq == 2 {
			panic(errors.New("boom"))
		}
	}
	if _, err := b.Follow(testContext(t), Sign, 0, opt); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 3)
	checkGapless(t, c.waitFor(t, 3), 1)
	checkPanicLog(t, log.String())
}

func TestFollowLost(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	id := must[string](t)(b.StreamID(ctx, Sign))
	publishN(t, b, 0, 5)
	for _, test := range []struct {
		name string
		from uint64
		id   string
		lost bool
	}{
		{"at the end", 6, id, false},
		{"beyond the end", 7, id, true},
		{"another incarnation", 3, "other", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c collector
			opt := c.options()
			opt.StreamID = test.id
			f, err := b.Follow(ctx, Sign, test.from, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Stop()
			want := 0
			if test.lost {
				want = 5 // everything again
			}
			c.waitFor(t, want)
			eventually(t, "caught up", func() error {
				if _, caught, _ := c.seen(); !slices.Equal(caught, []int{want}) {
					return fmt.Errorf("caught up at %v", caught)
				}
				return nil
			})
			_, _, lost := c.seen()
			if (len(lost) == 1) != test.lost {
				t.Fatalf("lost: %v", lost)
			}
			var le *LostError
			if test.lost && (!errors.As(lost[0], &le) || le.StreamID != id) {
				t.Errorf("lost: %v", lost[0])
			}
		})
	}
}

func TestFollowStreamRecreatedWhileFollowing(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	publishN(t, b, 0, 5)
	var c collector
	if _, err := b.Follow(ctx, Sign, 0, c.options()); err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, 5)
	if err := b.nc.JS.DeleteStream(ctx, b.names.stream(Sign)); err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(ctx); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 2)
	got := c.waitFor(t, 7)
	checkGapless(t, got[5:], 1)
	if _, caught, lost := c.seen(); len(lost) != 1 || len(caught) != 1 {
		t.Errorf("lost %v, caught up %v", lost, caught)
	}
}

func TestFollowStopsWithContextAndClose(t *testing.T) {
	b, s := newTestBus(t)
	ctx, cancel := context.WithCancel(context.Background())
	var c collector
	f, err := b.Follow(ctx, Sign, 0, c.options())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-f.Done()

	other := connectTest(t, s.URL())
	entered, leave := make(chan struct{}), make(chan struct{})
	g, err := other.Follow(context.Background(), Sign, 0, FollowOptions{Handler: func(Message) { close(entered); <-leave }})
	if err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 1)
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- other.Close(testContext(t)) }()
	select {
	case err := <-closed:
		t.Fatalf("closed while a handler runs: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-g.Done()
}

func TestFollowRefusesJobs(t *testing.T) {
	b, _ := newTestBus(t)
	if _, err := b.Follow(testContext(t), Jobs, 0, FollowOptions{Handler: func(Message) {}}); err == nil {
		t.Error("not all of JOBS is announced")
	}
}
