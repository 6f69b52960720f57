package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/test/freeport"
)

// judgeBytes calls its own bytes Mine, "other" Other, the rest Junk.
func judgeBytes(mine string) func(Message) Verdict {
	return func(m Message) Verdict {
		switch string(m.Data) {
		case mine:
			return Mine
		case "other":
			return Other
		}
		return Junk
	}
}

func TestPublishSlot(t *testing.T) {
	tests := []struct {
		name    string
		stored  []string // what the slot holds before
		want    Verdict
		holding []string // and after
	}{
		{"empty", nil, Mine, []string{"mine"}},
		{"mine already", []string{"mine"}, Mine, []string{"mine"}},
		{"other's", []string{"other"}, Other, []string{"other"}},
		{"junk", []string{"junk"}, Mine, []string{"junk", "mine"}},
		{"much junk", []string{"j", "u", "n", "k"}, Mine, []string{"j", "u", "n", "k", "mine"}},
		{"junk, then other's", []string{"junk", "other"}, Other, []string{"junk", "other"}},
		{"junk behind mine", []string{"mine", "junk"}, Mine, []string{"mine", "junk"}},
		{"mine behind other's", []string{"other", "mine"}, Other, []string{"other", "mine"}},
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
			v, err := b.PublishSlot(ctx, deal(t, 3), []byte("mine"), nil, judgeBytes("mine"))
			if err != nil || v != test.want {
				t.Fatalf("%v %v, want %v", v, err, test.want)
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
			v, err := bus.PublishSlot(testContext(t), deal(t, 0), []byte(own), nil, func(m Message) Verdict {
				if string(m.Data) == own {
					return Mine
				}
				return Other
			})
			switch {
			case err != nil:
				t.Error(err)
			case v == Mine:
				mine.Add(1)
			case v == Other:
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
	_, err := b.PublishSlot(ctx, deal(t, 0), []byte("x"), nil, judgeBytes("x"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v", err)
	}
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
	if _, err := b.Publish(ctx, "job.sign.alice", make([]byte, 1<<20+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the stream's limit: %v", err)
	}
	if _, err := b.Publish(ctx, deal(t, 0), make([]byte, MaxPayload+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the server's limit: %v", err)
	}
	for _, bad := range []string{"", "job", "nobody.listens", "dkg.a.b.c", "dkg.*.deal.0", "dkg..deal", "dkg.x.>", "a b.c"} {
		if _, err := b.PublishSlot(ctx, bad, nil, nil, judgeBytes("")); err == nil {
			t.Errorf("slot %q was accepted", bad)
		}
	}
	tried, cancel := context.WithCancel(ctx)
	defer cancel()
	w := watched{then: map[string]func(){"KEYS no_stream": cancel}}
	empty := connectTest(t, s.URL(), func(o *Options) { o.Fleet, o.Observe = "empty", &w })
	if _, err := empty.Publish(tried, deal(t, 0), nil, nil); !errors.Is(err, ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
}

func TestResultsFirstWins(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	announced := make(chan Message, 4)
	sub, err := b.Subscribe("result.alice.*", func(m Message) { announced <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	subject := must[string](t)(ResSubject("alice", "j1"))
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
	m := <-announced
	if string(m.Data) != "first" || m.Subject != "result.alice.j1" || m.Seq != seq || m.Header["A"] == nil {
		t.Errorf("announced: %+v", m)
	}
	for _, test := range []struct {
		judge func(Message) Verdict
		want  Verdict
		err   error
	}{{judgeBytes("first"), Mine, nil}, {func(Message) Verdict { return Other }, Other, nil}, {func(Message) Verdict { return Junk }, Junk, ErrExists}} {
		if v, err := b.PublishSlot(ctx, subject, []byte("x"), nil, test.judge); v != test.want || !errors.Is(err, test.err) {
			t.Errorf("slot: %v %v, want %v %v", v, err, test.want, test.err)
		}
	}
	select {
	case m := <-announced:
		t.Errorf("refused result was announced: %q", m.Data)
	case <-time.After(20 * time.Millisecond):
	}
}

// The quota holds for everybody, and a plain request sees why.
func TestJobsQuota(t *testing.T) {
	b, s := newTestBus(t)
	ctx := testContext(t)
	for range 256 {
		if _, err := b.Publish(ctx, "job.sign.alice", []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
	}
	var busy *BusyError
	if _, err := b.Publish(ctx, "job.sign.alice", []byte("{}"), nil); !errors.As(err, &busy) || busy.RetryAfter <= 0 {
		t.Fatalf("beyond the quota: %v", err)
	}
	if _, err := b.Publish(ctx, "job.sign.bob", []byte("{}"), nil); err != nil {
		t.Errorf("another client: %v", err)
	}

	nc := rawConn(t, s.URL())
	for subject, wantCode := range map[string]int{"frost.main.job.sign.alice": 10077, "frost.main.job.sign.bob": 0} {
		m, err := nc.Request(subject, []byte("{}"), patience)
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
		if answer.Error.ErrCode != wantCode || wantCode == 0 && answer.Stream != "FROST_MAIN_JOBS" {
			t.Errorf("%s: server answers %s", subject, m.Data)
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
		t.Errorf("with a place free: %v", err)
	}
	<-b.inFlight
}

func TestSlotsAndLast(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	const n = 600 // more than two pages
	for i := range n {
		subject := roundSubject("dkg", []string{"deal", "cert"}[i%2], fmt.Sprintf("%032x", i%3), i%200)
		if _, err := b.Publish(ctx, subject, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	filter := must[string](t)(BatchFilter(fmt.Sprintf("%032x", 1)))
	got, err := b.Slots(ctx, Keys, filter)
	if err != nil || len(got) != n/3 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if want := 3*i + 1; string(m.Data) != fmt.Sprint(want) || m.Seq != uint64(want+1) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	if got, err := b.Slots(ctx, Keys, "dkg."+testBatch+".>"); err != nil || len(got) != 0 {
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
	big := bytes.Repeat([]byte{7}, 3<<20)
	for i := range 6 {
		if _, err := b.Publish(ctx, deal(t, i), big, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Slots(ctx, Keys, "dkg."+testBatch+".deal.*")
	if err != nil || len(got) != 6 || !bytes.Equal(got[5].Data, big) {
		t.Errorf("%d messages, %v", len(got), err)
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
		if _, err := b.Publish(testContext(t), must[string](t)(NoticeSubject("alice", "j1")), []byte(text), nil); err != nil {
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
