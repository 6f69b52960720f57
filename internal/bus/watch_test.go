package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/freeport"
)

const testEvery = 20 * time.Millisecond

// watch runs Watch until the test ends or stop is called.
func watch(t *testing.T, b *Bus, every time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan struct{})
	go func() { b.Watch(ctx, every); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// sampleOf waits for a sample that check accepts.
func sampleOf(t *testing.T, b *Bus, check func(Sample) error) (s Sample) {
	t.Helper()
	eventually(t, "watching", func() error {
		var ok bool
		if s, ok = b.Sample(); !ok {
			return errors.New("no sample")
		}
		return check(s)
	})
	return s
}

func anySample(Sample) error { return nil }

// follower is the state of a stream's follower in a sample.
func (s *Sample) follower(stream Stream) (FollowerState, bool) {
	i := slices.IndexFunc(s.Followers, func(f FollowerState) bool { return f.Stream == stream })
	if i < 0 {
		return FollowerState{}, false
	}
	return s.Followers[i], true
}

func TestWatchStreams(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, "", func(o *Options) { o.Embedded, o.WatchStreams = s, true })
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	publishJobs(t, b, 3)
	publishN(t, b, 0, 4)
	if _, err := b.FollowToEnd(ctx, ctx, Sign, 0, FollowOptions{Handler: func(Message) {}}); err != nil {
		t.Fatal(err)
	}
	working, release := make(chan struct{}, 3), make(chan struct{})
	consume(t, b, Jobs, GatewaysDurable("sign"), ConsumeOptions{Handlers: 1}, func(d Delivery) {
		working <- struct{}{}
		<-release
		if err := d.Ack(ctx); err != nil {
			t.Error(err)
		}
	})
	<-working
	watch(t, b, time.Minute)
	got := sampleOf(t, b, anySample)

	if got.RTT <= 0 {
		t.Errorf("round trip %v", got.RTT)
	}
	if !got.ClockKnown || got.ClockOffset.Abs() > time.Second || b.Offset() != got.ClockOffset {
		t.Errorf("the server runs on this machine: offset %v, %v", got.ClockOffset, b.Offset())
	}
	checkStreams(t, b, got.Streams, map[Stream]uint64{Jobs: 3, Sign: 4})
	storage := []StorageState{{StorageFile, got.Storage[0].Used, embeddedStore}, {StorageMemory, got.Storage[1].Used, embeddedMemory}}
	if !slices.Equal(got.Storage, storage) || got.Storage[0].Used == 0 || got.Storage[1].Used == 0 {
		t.Errorf("storage %+v", got.Storage)
	}
	consumers := []ConsumerState{{"gateways-keygen", 0, 0}, {"gateways-sign", 2, 1}}
	if !slices.Equal(got.Consumers, consumers) {
		t.Errorf("consumers %+v, want %+v", got.Consumers, consumers)
	}
	if want := []FollowerState{{Stream: Sign}}; !slices.Equal(got.Followers, want) {
		t.Errorf("followers %+v, want %+v", got.Followers, want)
	}
	if len(got.Credentials) != 0 {
		t.Errorf("credentials %+v", got.Credentials)
	}
	close(release)
	noneLeft(t, b)
}

// checkStreams wants every declared stream, with its limit and so many messages.
func checkStreams(t *testing.T, b *Bus, got []StreamState, messages map[Stream]uint64) {
	t.Helper()
	if len(got) != len(b.declared) {
		t.Fatalf("%d streams: %+v", len(got), got)
	}
	for i, s := range got {
		d := &b.declared[i]
		n := messages[d.Name]
		if s.Stream != d.Name || s.Messages != n || s.Last != n || s.Bytes > 0 != (n > 0) {
			t.Errorf("%+v: want %s with %d messages", s, d.Name, n)
		}
		if limit := int64(d.MaxBytes); s.MaxBytes != limit && (limit != 0 || s.MaxBytes > 0) {
			t.Errorf("%+v: want limit %d", s, limit)
		}
	}
}

// Without WatchStreams nothing is asked about that a worker does not follow.
func TestWatchFollowedOnly(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for _, stream := range []Stream{Keys, Sign} {
		if _, err := b.Follow(ctx, stream, 0, FollowOptions{Handler: func(Message) {}}); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, b, time.Minute)
	got := sampleOf(t, b, anySample)
	var streams []Stream
	for _, s := range got.Streams {
		streams = append(streams, s.Stream)
	}
	if want := []Stream{Keys, Sign}; !slices.Equal(streams, want) || len(got.Followers) != 2 {
		t.Errorf("looked at %v and followers %v, want %v", streams, got.Followers, want)
	}
	if got.Storage != nil || got.Consumers != nil {
		t.Errorf("storage %v, consumers %v", got.Storage, got.Consumers)
	}
}

// A sample counts for three intervals.
func TestSampleGrowsOld(t *testing.T) {
	var b Bus
	if _, ok := b.Sample(); ok || b.Offset() != 0 || b.Lagging() != nil {
		t.Error("a sample before there is one")
	}
	for age, want := range map[time.Duration]bool{time.Second: true, 29 * time.Second: true, 31 * time.Second: false} {
		b.sampled.Store(&taken{Sample: Sample{At: time.Now().Add(-age), ClockOffset: 1}, lagging: errors.New("late"), every: 10 * time.Second})
		if _, ok := b.Sample(); ok != want || (b.Offset() == 1) != want || (b.Lagging() != nil) != want {
			t.Errorf("%v old: %v, want %v", age, ok, want)
		}
	}
}

// Without the server the samples go on with what is known without it.
func TestWatchThroughRestart(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	var log logSink
	b := connectTest(t, s.URL(), func(o *Options) { o.WatchStreams, o.Logger = true, log.logger() })
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Follow(ctx, Keys, 0, FollowOptions{Handler: func(Message) {}}); err != nil {
		t.Fatal(err)
	}
	stop := watch(t, b, testEvery)
	whole := func(s Sample) error {
		if s.RTT == 0 || len(s.Streams) != len(b.declared) || len(s.Consumers) != 2 || len(s.Storage) != 2 || len(s.Followers) != 1 || !s.ClockKnown {
			return fmt.Errorf("%+v", s)
		}
		return nil
	}
	sampleOf(t, b, whole)
	s.Shutdown()
	sampleOf(t, b, func(s Sample) error {
		if s.RTT != 0 || s.Streams != nil || s.Consumers != nil || s.Storage != nil || s.Followers != nil || s.ClockKnown {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	startTest(t, dir, port)
	eventually(t, "applying", func() error { return b.Apply(ctx) }) // the streams in memory
	sampleOf(t, b, whole)
	stop()
	eventually(t, "growing old", func() error {
		if _, ok := b.Sample(); ok {
			return errors.New("still there")
		}
		return nil
	})
}

func TestWatchEndsWithBus(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b, err := Connect(testContext(t), Options{Fleet: "main", URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { b.Watch(context.Background(), time.Hour); close(done) }()
	sampleOf(t, b, anySample)
	if err := b.Close(testContext(t)); err != nil {
		t.Error(err)
	}
	<-done
}

// What fails is left out, and said once.
func TestWatchMissingParts(t *testing.T) {
	var log logSink
	b, _ := newTestBus(t, func(o *Options) { o.WatchStreams, o.Logger = true, log.logger() })
	ctx := testContext(t)
	for _, stream := range []Stream{Notices, Jobs} {
		if err := b.js.DeleteStream(ctx, b.names.stream(stream)); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, b, testEvery)
	first := sampleOf(t, b, anySample)
	got := sampleOf(t, b, func(s Sample) error {
		if s.At.Sub(first.At) < 5*testEvery {
			return errors.New("not yet")
		}
		return nil
	})
	if len(got.Streams) != len(b.declared)-2 || len(got.Consumers) != 0 || len(got.Storage) != 2 {
		t.Errorf("%+v", got)
	}
	for _, what := range []string{"stream NOTICES", "stream JOBS", "consumer gateways-sign", "consumer gateways-keygen"} {
		if n := strings.Count(log.String(), fmt.Sprintf("missing=%q", what)); n != 1 {
			t.Errorf("%s: said %d times", what, n)
		}
	}
}
