package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/natsserver"

	"github.com/frostfleet/frostfleet/test/freeport"
)

// isOneOf takes its own bytes and "other" for values, the rest is junk.
func isOneOf(mine string) func(Message) bool {
	return func(m Message) bool { return string(m.Data) == mine || string(m.Data) == "other" }
}

func TestPublishSlot(t *testing.T) {
	tests := []struct {
		name    string
		stored  []string // what the slot holds before
		found   bool
		holding []string // and after
	}{
		{"empty", nil, false, []string{"mine"}},
		{"mine already", []string{"mine"}, true, []string{"mine"}},
		{"other's", []string{"other"}, true, []string{"other"}},
		{"junk", []string{"junk"}, false, []string{"junk", "mine"}},
		{"much junk", []string{"j", "u", "n", "k"}, false, []string{"j", "u", "n", "k", "mine"}},
		{"junk, then other's", []string{"junk", "other"}, true, []string{"junk", "other"}},
		{"junk behind mine", []string{"mine", "junk"}, true, []string{"mine", "junk"}},
		{"mine behind other's", []string{"other", "mine"}, true, []string{"other", "mine"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, _ := newTestBus(t)
			ctx := testContext(t)
			for _, data := range test.stored {
				if _, err := b.Publish(ctx, deal(t, 3), []byte(data), nil); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Publish(ctx, deal(t, 4), []byte(data), nil); err != nil { // next door
					t.Fatal(err)
				}
			}
			found, err := b.PublishSlot(ctx, deal(t, 3), []byte("mine"), nil, isOneOf("mine"))
			if err != nil || found != test.found {
				t.Fatalf("found: %t, %v, want %t", found, err, test.found)
			}
			got, err := b.Slots(ctx, Keys, deal(t, 3))
			if err != nil {
				t.Fatal(err)
			}
			var holding []string
			for _, m := range got {
				holding = append(holding, string(m.Data))
			}
			if fmt.Sprint(holding) != fmt.Sprint(test.holding) {
				t.Errorf("slot holds %v, want %v", holding, test.holding)
			}
		})
	}
}

// Many writers, one slot: all agree who won, and it is stored once.
func TestPublishSlotRace(t *testing.T) {
	b, s := newTestBus(t)
	second := connectTest(t, s.URL())
	const writers = 16
	var mine, other atomic.Int32
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			bus, own := b, fmt.Sprint("w", i)
			if i%2 == 1 {
				bus = second
			}
			winner := own
			found, err := bus.PublishSlot(testContext(t), deal(t, 0), []byte(own), nil, func(m Message) bool {
				winner = string(m.Data)
				return true
			})
			switch {
			case err != nil || !found && winner != own:
				t.Errorf("%s won over %s: %v", winner, own, err)
			case winner == own:
				mine.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	wg.Wait()
	if mine.Load() != 1 || other.Load() != writers-1 {
		t.Errorf("%d winners, %d losers", mine.Load(), other.Load())
	}
}

func TestPublishSlotEndsWithContext(t *testing.T) {
	b, s := newTestBus(t)
	s.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := b.PublishSlot(ctx, deal(t, 0), []byte("x"), nil, isOneOf("x"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v", err)
	}
}

// Whatever may change is tried again for as long as the caller waits, but not in
// a tight loop, and the error says how the last attempt ended.
func TestPublishRetries(t *testing.T) {
	var log logSink
	var w watched
	b, _ := newTestBus(t, func(o *Options) { o.Logger, o.Observe = log.logger(), &w })
	ctx := testContext(t)
	slot := func(ctx context.Context) error {
		_, err := b.PublishSlot(ctx, deal(t, 0), []byte("x"), nil, isOneOf("x"))
		return err
	}
	publish := func(ctx context.Context) error { _, err := b.Publish(ctx, deal(t, 0), []byte("x"), nil); return err }
	for name, do := range map[string]func(context.Context) error{"publish": publish, "slot": slot} {
		config := declarationOf(b, Keys).config(b.names, 1)
		config.MaxBytes, config.MaxMsgs, config.DenyDelete, config.DenyPurge = 1, -1, false, false
		fill(t, b, config)
		w.take()
		const long = 300 * time.Millisecond
		soon, cancel := context.WithTimeout(ctx, long)
		defer cancel()
		err := do(soon)
		var busy *BusyError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &busy) {
			t.Errorf("%s: %v, want the end of the context and a full stream", name, err)
		}
		// At least 5, 10, 20, 40, 80, 160 ms lie between attempts.
		if n := w.seen("KEYS busy"); n < 1 || n > 7 {
			t.Errorf("%s: %d attempts in %s", name, n, long)
		}

		done := make(chan error, 1)
		go func() { done <- do(ctx) }()
		eventually(t, "a third attempt", func() error {
			if !strings.Contains(log.String(), "message not published yet") {
				return errors.New("not logged")
			}
			return nil
		})
		config.MaxBytes = -1
		fill(t, b, config)
		if err := <-done; err != nil {
			t.Errorf("%s: with room again: %v", name, err)
		}
	}
}

// fill makes KEYS anew with other limits.
func fill(t *testing.T, b *Bus, config jetstream.StreamConfig) {
	t.Helper()
	if config.MaxBytes < 0 {
		must[jetstream.Stream](t)(b.nc.JS.UpdateStream(testContext(t), config))
		return
	}
	if err := b.nc.JS.DeleteStream(testContext(t), config.Name); err != nil {
		t.Fatal(err)
	}
	must[jetstream.Stream](t)(b.nc.JS.CreateStream(testContext(t), config))
}

func TestPublishHeaders(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	header := map[string][]string{"Frost-Client": {"alice"}, "Frost-Signature": {"a", "b"}}
	if _, err := b.Publish(ctx, deal(t, 0), []byte("x"), header); err != nil {
		t.Fatal(err)
	}
	m, ok, err := b.Last(ctx, Keys, deal(t, 0))
	if err != nil || !ok || fmt.Sprint(m.Header) != fmt.Sprint(header) {
		t.Errorf("%v %v %v", m.Header, ok, err)
	}
	for _, bad := range []map[string][]string{
		{"Nats-Msg-Id": {"x"}}, {"nats-rollup": {"all"}}, {"A b": {"x"}}, {"": {"x"}},
		{"A": {"x\r\nNats-Rollup: all"}}, {"A": {" x"}}, {"Status": {"503"}},
	} {
		if _, err := b.Publish(ctx, deal(t, 0), []byte("x"), bad); err == nil {
			t.Errorf("header %q was accepted", bad)
		}
	}
}

func TestPublishErrors(t *testing.T) {
	b, s := newTestBus(t)
	ctx := testContext(t)
	for subject, limit := range map[string]int{"job.sign.alice": 64 << 10, "bulk.sign.alice": 1 << 20} {
		if _, err := b.Publish(ctx, subject, make([]byte, limit), nil); err != nil {
			t.Errorf("%s, at the stream's limit: %v", subject, err)
		}
		if _, err := b.Publish(ctx, subject, make([]byte, limit+1), nil); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s, above the stream's limit: %v", subject, err)
		}
	}
	if _, err := b.Publish(ctx, deal(t, 0), make([]byte, natsconn.MaxPayload+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the server's limit: %v", err)
	}
	for _, bad := range []string{"", "job", "nobody.listens", "dkg.a.b.c", "dkg.*.deal.0", "dkg..deal", "dkg.x.>", "a b.c"} {
		if _, err := b.PublishSlot(ctx, bad, nil, nil, isOneOf("")); err == nil {
			t.Errorf("slot %q was accepted", bad)
		}
	}
	empty := connectTest(t, s.URL(), func(o *Options) { o.Fleet = "empty" })
	short, cancel := context.WithTimeout(ctx, 5*time.Second) // it tries till then, as the stream may come back
	defer cancel()
	if _, err := empty.Publish(short, deal(t, 0), nil, nil); !errors.Is(err, ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
}

func TestResultsFirstWins(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	announced := make(chan *nats.Msg, 4)
	if _, err := b.nc.ChanSubscribe(b.names.prefix+"result.alice.*", announced); err != nil {
		t.Fatal(err)
	}
	subject := "res.alice.j1"
	seq, err := b.Publish(ctx, subject, []byte("first"), map[string][]string{"A": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(ctx, subject, []byte("second"), nil); !errors.Is(err, ErrExists) {
		t.Fatalf("second result: %v", err)
	}
	if m, ok, err := b.Last(ctx, Results, subject); err != nil || !ok || string(m.Data) != "first" {
		t.Errorf("%q %v %v", m.Data, ok, err)
	}
	m, number := <-announced, strconv.FormatUint(seq, 10)
	if string(m.Data) != "first" || m.Subject != "frost.main.result.alice.j1" || m.Header["A"] == nil ||
		m.Header.Get(hdrSeq) != number {
		t.Errorf("announced: %+v", m)
	}
	for _, test := range []struct {
		isValue func(Message) bool
		found   bool
		err     error
	}{{isOneOf("first"), true, nil}, {func(Message) bool { return false }, false, ErrExists}} {
		found, err := b.PublishSlot(ctx, subject, []byte("x"), nil, test.isValue)
		if found != test.found || !errors.Is(err, test.err) {
			t.Errorf("slot: %t %v, want %t %v", found, err, test.found, test.err)
		}
	}
	select {
	case m := <-announced:
		t.Errorf("refused result was announced: %q", m.Data)
	case <-time.After(20 * time.Millisecond):
	}
}

// The quotas hold for everybody, each for itself, and a plain request sees why.
func TestJobsQuota(t *testing.T) {
	b, s := newTestBus(t)
	testQuota(t, b, s, "bulk.sign.", 16)
	testQuota(t, b, s, "job.sign.", 256)
}

// testQuota fills a client's quota of the subject that its name ends.
func testQuota(t *testing.T, b *Bus, s *natsserver.Server, subject string, quota int) {
	t.Helper()
	ctx := testContext(t)
	for range quota {
		if _, err := b.Publish(ctx, subject+"alice", []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
	}
	// It tries until its context ends, so the context must outlast one attempt.
	var busy *BusyError
	for limit := 100 * time.Millisecond; busy == nil; limit *= 2 {
		soon, cancel := context.WithTimeout(ctx, limit)
		_, err := b.Publish(soon, subject+"alice", []byte("{}"), nil)
		cancel()
		if err == nil || ctx.Err() != nil {
			t.Fatalf("beyond the quota: %v", err)
		}
		errors.As(err, &busy)
	}
	if busy.Reason == "" {
		t.Error("a busy bus without a reason")
	}
	if _, err := b.Publish(ctx, subject+"bob", []byte("{}"), nil); err != nil {
		t.Errorf("another client: %v", err)
	}

	nc := rawConn(t, s.URL())
	for client, wantCode := range map[string]int{"alice": 10077, "bob": 0} {
		m, err := nc.Request("frost.main."+subject+client, []byte("{}"), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Stream string `json:"stream"`
			Error  struct {
				ErrCode int `json:"err_code"`
			} `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Error.ErrCode != wantCode || wantCode == 0 && answer.Stream == "" {
			t.Errorf("%s%s: server answers %s", subject, client, m.Data)
		}
	}
}

func TestInFlightIsBounded(t *testing.T) {
	b, _ := newTestBus(t, func(o *Options) { o.MaxInFlight = 2 })
	b.inFlight <- struct{}{}
	b.inFlight <- struct{}{}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Publish(ctx, deal(t, 0), nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third publish went out: %v", err)
	}
	<-b.inFlight
	if _, err := b.Publish(testContext(t), deal(t, 0), nil, nil); err != nil {
		t.Errorf("with one of two ended: %v", err)
	}
	<-b.inFlight
}

func TestSlotsAndLast(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	const n = 600 // more than two pages
	for i := range n {
		subject := dealSubject(fmt.Sprintf("%032x", i%3), i%200)
		if _, err := b.Publish(ctx, subject, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	filter := fmt.Sprintf("entry.%032x.>", 1)
	got, err := b.Slots(ctx, Keys, filter)
	if err != nil || len(got) != n/3 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if want := 3*i + 1; string(m.Data) != fmt.Sprint(want) || m.Seq != uint64(want+1) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	if got, err := b.Slots(ctx, Keys, "entry."+testBatch+".>"); err != nil || len(got) != 0 {
		t.Errorf("unknown batch: %v %v", got, err)
	}
	if _, ok, err := b.Last(ctx, Keys, deal(t, 0)); ok || err != nil {
		t.Errorf("nothing there: %v %v", ok, err)
	}
	if _, err := b.Slots(ctx, Keys, "dkg.>.x"); err == nil {
		t.Error("bad filter accepted")
	}
}

func TestSlotsLarge(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	big := bytes.Repeat([]byte{7}, 3<<19)
	for i := range 6 {
		if _, err := b.Publish(ctx, deal(t, i), big, nil); err != nil {
			t.Fatal(err)
		}
	}
	filter := "entry." + testBatch + ".0.deal.*"
	got, err := b.Slots(ctx, Keys, filter)
	if err != nil || len(got) != 6 || !bytes.Equal(got[5].Data, big) {
		t.Errorf("%d messages, %v", len(got), err)
	}
	// In parts: by number, by size, and what is left.
	for _, tt := range []struct {
		from uint64
		limits
		want int
		more bool
	}{
		{1, limits{4, 1 << 30}, 4, true}, {1, limits{9, 2 << 20}, 2, true},
		{3, limits{4, 1 << 30}, 4, false}, {7, limits{4, 1}, 0, false},
	} {
		got, more, err := b.part(ctx, Keys, tt.from, filter, tt.limits)
		if err != nil || len(got) != tt.want || more != tt.more || tt.want > 0 && got[0].Seq != tt.from {
			t.Errorf("from %d, at most %v: %d messages, more %v, %v", tt.from, tt.limits, len(got), more, err)
		}
	}
	if got, more, err := b.Part(ctx, Keys, 2, filter); err != nil || more || len(got) != 5 {
		t.Errorf("Part: %d messages, more %v, %v", len(got), more, err)
	}
}

func TestNoticesAreAnnouncedAsResults(t *testing.T) {
	b, s := newTestBus(t)
	heard := make(chan *nats.Msg, 1)
	nc := rawConn(t, s.URL())
	if _, err := nc.ChanSubscribe("frost.main.result.alice.*", heard); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"no", "still no"} { // the last one counts
		if _, err := b.Publish(testContext(t), "notice.alice.j1", []byte(text), nil); err != nil {
			t.Fatal(err)
		}
		if m := <-heard; string(m.Data) != text || m.Subject != "frost.main.result.alice.j1" {
			t.Errorf("heard %q on %s", m.Data, m.Subject)
		}
	}
}

func TestClosedBus(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := b.Publish(ctx, deal(t, 0), nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("publish: %v", err)
	}
	if _, err := b.Follow(ctx, Keys, 0, FollowOptions{Handler: func(Message) {}}); err == nil {
		t.Error("follow on a closed bus")
	}
	if err := b.Healthy(); !errors.Is(err, ErrClosed) {
		t.Errorf("healthy: %v", err)
	}
}

func TestHealthyFollowsTheConnection(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	b := connectTest(t, s.URL())
	if err := b.Healthy(); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	eventually(t, "noticing", func() error {
		if err := b.Healthy(); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), "127.0.0.1") {
			return fmt.Errorf("still %v", err)
		}
		return nil
	})
	startTest(t, dir, port)
	eventually(t, "reconnecting", b.Healthy)
}

// slept is the context of a machine that slept past a deadline: its timer has not fired.
type slept struct{ context.Context }

func (slept) Deadline() (time.Time, bool) { return time.Now().Add(-time.Minute), true }

// TestNoAttemptPastTheDeadline: what must not leave after a time is not tried again
// after it, also where the clock was set or the machine slept in between.
func TestNoAttemptPastTheDeadline(t *testing.T) {
	server := startTest(t, t.TempDir(), -1)
	b := connectTest(t, server.URL())
	server.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := b.PublishSlot(slept{ctx}, deal(t, 0), nil, nil, isOneOf("mine"))
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("a slot: %v", err)
	}
	_, err = b.Publish(slept{ctx}, deal(t, 0), nil, nil)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("a message: %v", err)
	}
}
