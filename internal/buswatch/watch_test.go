package buswatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	declared "github.com/frostfleet/frostfleet/nats"

	"github.com/frostfleet/frostfleet/test/freeport"
)

const testEvery = 20 * time.Millisecond

// watch runs a Watcher until the test ends or stop is called.
func watch(t *testing.T, w *Watcher, every time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan struct{})
	go func() { w.Run(ctx, every); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// sampleOf waits for a sample that check accepts.
func sampleOf(t *testing.T, w *Watcher, check func(Sample) error) (s Sample) {
	t.Helper()
	eventually(t, "watching", func() error {
		var ok bool
		if s, ok = w.Sample(); !ok {
			return errors.New("no sample")
		}
		return check(s)
	})
	return s
}

func anySample(Sample) error { return nil }

// follower is the state of a stream's follower in a sample.
func (s *Sample) follower(stream bus.Stream) (FollowerState, bool) {
	i := slices.IndexFunc(s.Followers, func(f FollowerState) bool { return f.Stream == stream })
	if i < 0 {
		return FollowerState{}, false
	}
	return s.Followers[i], true
}

func TestWatchStreams(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, "", func(o *bus.Options) { o.Embedded = s })
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := b.Publish(ctx, fmt.Sprint("job.sign.c", i), []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, b, 0, 4)
	if _, err := b.FollowToEnd(ctx, ctx, Sign, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
		t.Fatal(err)
	}
	working, release := make(chan struct{}, 3), make(chan struct{})
	consumer, err := b.Consume(ctx, Jobs, bus.GatewaysDurable("sign"), 1, func(d bus.Delivery) {
		working <- struct{}{}
		<-release
		if err := d.Ack(ctx); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Stop() // no handler outlives the test
	defer close(release)
	<-working
	w := New(b, Options{AllStreams: true, Embedded: s})
	watch(t, w, time.Minute)
	got := sampleOf(t, w, anySample)

	if got.RTT <= 0 {
		t.Errorf("round trip %v", got.RTT)
	}
	if !got.ClockKnown || got.ClockOffset.Abs() > time.Second || w.Offset() != got.ClockOffset {
		t.Errorf("the server runs on this machine: offset %v, %v", got.ClockOffset, w.Offset())
	}
	checkStreams(t, w, got.Streams, map[bus.Stream]uint64{Jobs: 3, Sign: 4})
	memory, file := s.Limits()
	storage := []StorageState{{StorageFile, got.Storage[0].Used, file}, {StorageMemory, got.Storage[1].Used, memory}}
	if !slices.Equal(got.Storage, storage) || got.Storage[0].Used == 0 || got.Storage[1].Used == 0 {
		t.Errorf("storage %+v", got.Storage)
	}
	consumers := []ConsumerState{{"gateways-keygen", 0, 0}, {"gateways-sign", 2, 1}, {"gateways-bulk", 0, 0},
		{"gateways-approvals", 0, 0}}
	if !slices.Equal(got.Consumers, consumers) {
		t.Errorf("consumers %+v, want %+v", got.Consumers, consumers)
	}
	if want := []FollowerState{{Stream: Sign}}; !slices.Equal(got.Followers, want) {
		t.Errorf("followers %+v, want %+v", got.Followers, want)
	}
	if len(got.Credentials) != 0 {
		t.Errorf("credentials %+v", got.Credentials)
	}
}

// A client with as many open jobs of a kind as it may have is counted, and no other.
func TestWatchQuota(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, "", func(o *bus.Options) { o.Embedded = s })
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	for subject, jobs := range map[string]int{"job.sign.a": 255, "job.keygen.a": 256, "job.sign.b": 1, "bulk.sign.b": 16} {
		for range jobs {
			if _, err := b.Publish(ctx, subject, []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := New(b, Options{AllStreams: true, Embedded: s})
	watch(t, w, time.Minute)
	for _, s := range sampleOf(t, w, anySample).Streams {
		want := 0
		if s.Stream == Jobs || s.Stream == bus.Bulk {
			want = 1
		}
		if s.AtQuota != want {
			t.Errorf("%s: %d subjects at their quota, want %d", s.Stream, s.AtQuota, want)
		}
	}
}

// maxBytes are the limits in nats/streams.json.
func maxBytes(t *testing.T) map[bus.Stream]int64 {
	t.Helper()
	var file struct {
		Streams []struct {
			Name     bus.Stream `json:"name"`
			MaxBytes string     `json:"max_bytes"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(declared.Streams, &file); err != nil {
		t.Fatal(err)
	}
	units := map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	limits := make(map[bus.Stream]int64)
	for _, s := range file.Streams {
		var n int64
		var unit string
		if _, err := fmt.Sscanf(s.MaxBytes, "%d%s", &n, &unit); s.MaxBytes != "" && err != nil {
			t.Fatal(err)
		}
		limits[s.Name] = n * units[unit]
	}
	return limits
}

// checkStreams wants every declared stream, with its limit and so many messages.
func checkStreams(t *testing.T, w *Watcher, got []StreamState, messages map[bus.Stream]uint64) {
	t.Helper()
	if len(got) != len(w.bus.Declared()) {
		t.Fatalf("%d streams: %+v", len(got), got)
	}
	limits := maxBytes(t)
	for i, s := range got {
		name := w.bus.Declared()[i].Stream
		n := messages[name]
		if s.Stream != name || s.Messages != n || s.Last != n || s.Bytes > 0 != (n > 0) {
			t.Errorf("%+v: want %s with %d messages", s, name, n)
		}
		if limit := limits[name.Family()]; s.MaxBytes != limit && (limit != 0 || s.MaxBytes > 0) {
			t.Errorf("%+v: want limit %d", s, limit)
		}
	}
}

// Without AllStreams nothing is asked about that a worker does not follow.
func TestWatchFollowedOnly(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for _, stream := range []bus.Stream{Keys, Sign} {
		if _, err := b.Follow(ctx, stream, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
			t.Fatal(err)
		}
	}
	w := New(b, Options{})
	watch(t, w, time.Minute)
	got := sampleOf(t, w, anySample)
	var streams []bus.Stream
	for _, s := range got.Streams {
		streams = append(streams, s.Stream)
	}
	if want := []bus.Stream{Keys, Sign}; !slices.Equal(streams, want) || len(got.Followers) != 2 {
		t.Errorf("looked at %v and followers %v, want %v", streams, got.Followers, want)
	}
	if got.Storage != nil || got.Consumers != nil {
		t.Errorf("storage %v, consumers %v", got.Storage, got.Consumers)
	}
}

// A sample counts for three intervals.
func TestSampleGrowsOld(t *testing.T) {
	var w Watcher
	if _, ok := w.Sample(); ok || w.Offset() != 0 || w.Lagging() != nil {
		t.Error("a sample before there is one")
	}
	for age, want := range map[time.Duration]bool{time.Second: true, 29 * time.Second: true, 31 * time.Second: false} {
		w.sampled.Store(&taken{Sample: Sample{At: time.Now().Add(-age), ClockOffset: 1}, lagging: errors.New("late"), every: 10 * time.Second})
		if _, ok := w.Sample(); ok != want || (w.Offset() == 1) != want || (w.Lagging() != nil) != want {
			t.Errorf("%v old: %v, want %v", age, ok, want)
		}
	}
}

// Without the server the samples go on with what is known without it.
func TestWatchThroughRestart(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	var log logSink
	b := connectTest(t, s.URL())
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Follow(ctx, Keys, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
		t.Fatal(err)
	}
	w := New(b, Options{AllStreams: true, Log: log.logger()})
	stop := watch(t, w, testEvery)
	whole := func(s Sample) error {
		if s.RTT == 0 || len(s.Streams) != len(w.bus.Declared()) || len(s.Consumers) != 4 || len(s.Storage) != 2 || len(s.Followers) != 1 || !s.ClockKnown {
			return fmt.Errorf("%+v", s)
		}
		return nil
	}
	sampleOf(t, w, whole)
	s.Shutdown()
	sampleOf(t, w, func(s Sample) error {
		if s.RTT != 0 || s.Streams != nil || s.Consumers != nil || s.Storage != nil || s.Followers != nil || s.ClockKnown {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	startTest(t, dir, port)
	eventually(t, "applying", func() error { return b.Apply(ctx) }) // the streams in memory
	sampleOf(t, w, whole)
	stop()
	eventually(t, "growing old", func() error {
		if _, ok := w.Sample(); ok {
			return errors.New("still there")
		}
		return nil
	})
}

func TestWatchEndsWithBus(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b, err := bus.Connect(testContext(t), bus.Options{Fleet: "main", Nodes: 3, URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	w := New(b, Options{})
	go func() { w.Run(context.Background(), time.Hour); close(done) }()
	sampleOf(t, w, anySample)
	if err := b.Close(testContext(t)); err != nil {
		t.Error(err)
	}
	<-done
}

// What fails is left out, and said once.
func TestWatchMissingParts(t *testing.T) {
	var log logSink
	b, _ := newTestBus(t)
	deleteStreams(t, b, Notices, Jobs, bus.Bulk, bus.Approvals)
	w := New(b, Options{AllStreams: true, Log: log.logger()})
	watch(t, w, testEvery)
	first := sampleOf(t, w, anySample)
	got := sampleOf(t, w, func(s Sample) error {
		if s.At.Sub(first.At) < 5*testEvery {
			return errors.New("not yet")
		}
		return nil
	})
	if len(got.Streams) != len(w.bus.Declared())-4 || len(got.Consumers) != 0 || len(got.Storage) != 2 {
		t.Errorf("%+v", got)
	}
	for _, what := range []string{"stream NOTICES", "stream JOBS", "consumer gateways-sign", "consumer gateways-keygen",
		"stream BULK", "consumer gateways-bulk", "stream APPROVALS", "consumer gateways-approvals"} {
		if n := strings.Count(log.String(), fmt.Sprintf("missing=%q", what)); n != 1 {
			t.Errorf("%s: said %d times", what, n)
		}
	}
}
