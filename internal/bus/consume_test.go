package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/test/freeport"
)

func publishJobs(t testing.TB, b *Bus, n int) {
	t.Helper()
	for i := range n {
		if _, err := b.Publish(testContext(t), fmt.Sprint("job.sign.c", i), fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func jobsLeft(t testing.TB, b *Bus) uint64 {
	t.Helper()
	info, err := b.info(testContext(t), Jobs)
	if err != nil {
		t.Fatal(err)
	}
	return info.count
}

func noneLeft(t testing.TB, b *Bus) { t.Helper(); soLeft(t, b, 0) }

// soLeft waits until so many jobs are left, and for a leader that says so.
func soLeft(t testing.TB, b *Bus, want uint64) {
	t.Helper()
	eventually(t, "jobs", func() error {
		info, err := b.info(testContext(t), Jobs)
		if err == nil && info.count != want {
			err = fmt.Errorf("%d jobs are left", info.count)
		}
		return err
	})
}

func TestConsumeEachOnce(t *testing.T) {
	b, s := newTestBus(t)
	second := connectTest(t, s.URL()) // another gateway, same durable
	var mu sync.Mutex
	seen := make(map[string]int)
	var running, most atomic.Int32
	handler := func(d Delivery) {
		now := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		mu.Lock()
		seen[d.Message().Subject]++
		mu.Unlock()
		time.Sleep(time.Millisecond)
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for _, bus := range []*Bus{b, second} {
		consume(t, bus, Jobs, GatewaysDurable("sign"), 3, handler)
	}
	publishJobs(t, b, 200)
	noneLeft(t, b)
	mu.Lock()
	defer mu.Unlock()
	for subject, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", subject, n)
		}
	}
	if len(seen) != 200 || most.Load() > 6 {
		t.Errorf("%d jobs seen, %d handled at once", len(seen), most.Load())
	}
}

func TestDeliveryOutcomes(t *testing.T) {
	tests := []struct {
		name     string
		attempts int
		handle   func(t *testing.T, d Delivery)
	}{
		{"nak with delay", 3, func(t *testing.T, d Delivery) {
			if d.Attempt() < 3 {
				if err := d.Nak(20 * time.Millisecond); err != nil {
					t.Error(err)
				}
				return
			}
			if err := d.Ack(context.Background()); err != nil {
				t.Error(err)
			}
		}},
		{"term", 1, func(t *testing.T, d Delivery) {
			if err := d.Term("can't be read"); err != nil {
				t.Error(err)
			}
		}},
		{"panic", 2, func(t *testing.T, d Delivery) {
			if d.Attempt() == 1 {
				panic(errors.New("boom"))
			}
			if err := d.Ack(context.Background()); err != nil {
				t.Error(err)
			}
		}},
		{"in progress beyond the wait", 1, func(t *testing.T, d Delivery) {
			// Twice as long as the wait, and asked for many times within it: the machine may be busy.
			for begun := time.Now(); time.Since(begun) < 6*time.Second; time.Sleep(50 * time.Millisecond) {
				if err := d.InProgress(); err != nil {
					t.Error(err)
				}
			}
			if err := d.Ack(context.Background()); err != nil {
				t.Error(err)
			}
		}},
		{"forgotten", 2, func(t *testing.T, d Delivery) {
			if d.Attempt() > 1 {
				if err := d.Ack(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log logSink
			b, _ := newTestBus(t, func(o *Options) { o.Logger = log.logger() })
			ctx := testContext(t)
			if err := b.nc.JS.DeleteConsumer(ctx, b.names.stream(Jobs), GatewaysDurable("sign")); err != nil {
				t.Fatal(err)
			}
			wait := 300 * time.Millisecond
			switch test.name {
			case "panic": // is given back, not just forgotten
				wait = 2 * patience
			case "in progress beyond the wait":
				wait = 3 * time.Second
			}
			declarationOf(b, Jobs).durable(GatewaysDurable("sign")).AckWait = duration(wait)
			var calls atomic.Int32
			consume(t, b, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
				if n := calls.Add(1); int(n) != d.Attempt() {
					t.Errorf("call %d says attempt %d", n, d.Attempt())
				}
				if m := d.Message(); m.Subject != "job.sign.c0" || m.Seq != 1 || m.Time.IsZero() || string(m.Data) != "0" {
					t.Errorf("message %+v", m)
				}
				test.handle(t, d)
			})
			publishJobs(t, b, 1)
			noneLeft(t, b)
			if n := int(calls.Load()); n != test.attempts {
				t.Errorf("handled %d times, want %d", n, test.attempts)
			}
			if test.name == "panic" {
				checkPanicLog(t, log.String())
			} else if strings.Contains(log.String(), "panicked") {
				t.Errorf("nothing panicked: %s", log.String())
			}
		})
	}
}

// checkPanicLog wants the type and the place of a handler's panic in the log,
// and nothing that may have come with a message: neither its value nor a stack
// as Go prints it, with arguments.
func checkPanicLog(t *testing.T, log string) {
	t.Helper()
	for _, want := range []string{"handler panicked", "panic=*errors.errorString", "internal/bus.Test"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log: %s", want, log)
		}
	}
	for _, secret := range []string{"boom", "0x", "goroutine"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log: %s", secret, log)
		}
	}
}

// Stop waits for the handler, and gives back what it had not begun.
func TestConsumeStop(t *testing.T) {
	b, _ := newTestBus(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	c := consume(t, b, Jobs, GatewaysDurable("sign"), 1, func(d Delivery) {
		close(entered)
		<-leave
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
	})
	publishJobs(t, b, 2)
	<-entered
	stopped := make(chan struct{})
	go func() { c.Stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("stopped while a handler runs")
	case <-time.After(30 * time.Millisecond):
	}
	close(leave)
	<-stopped
	if n := jobsLeft(t, b); n != 1 {
		t.Errorf("%d jobs left, want 1", n)
	}
	start := time.Now()
	consume(t, b, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) { _ = d.Ack(context.Background()) })
	noneLeft(t, b)
	if waited := time.Since(start); waited > 5*time.Second {
		t.Errorf("the second job came after %v: it was not given back", waited)
	}
}

// The whole server goes away under a consumer.
func TestConsumeThroughRestart(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	b := connectTest(t, s.URL(), func(o *Options) { o.RestoreMemory = true })
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var handled atomic.Int32
	consume(t, b, Jobs, GatewaysDurable("sign"), 4, func(d Delivery) {
		handled.Add(1)
		if err := d.Ack(context.Background()); err != nil && !errors.Is(err, ErrDisconnected) {
			t.Log(err)
		}
	})
	for round := range int32(3) {
		// The connection may not know yet that it was cut off.
		eventually(t, "publishing", func() error {
			_, err := b.Publish(testContext(t), "job.sign.alice", []byte("x"), nil)
			return err
		})
		eventually(t, "handling", func() error {
			if handled.Load() <= round {
				return errors.New("not handled")
			}
			return nil
		})
		s.Shutdown()
		s = startTest(t, dir, port)
		eventually(t, "reconnecting", b.Healthy)
	}
}

// A job that looks like a word of the server is still a job.
func TestConsumeHostileHeaders(t *testing.T) {
	b, s := newTestBus(t)
	for _, block := range []string{
		"NATS/1.0\r\nStatus: 409\r\nDescription: Consumer Deleted\r\n\r\n",
		"NATS/1.0\r\nStatus: 503\r\n\r\n",
		"NATS/1.0\r\nA b\r\n\r\n",
		"hello\r\n\r\n",
	} {
		publishRaw(t, s.URL(), "frost.main.job.sign.alice", block)
	}
	var handled atomic.Int32
	consume(t, b, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
		handled.Add(1)
		if len(d.Message().Header) != 0 {
			t.Errorf("header %v", d.Message().Header)
		}
		if err := d.Term("junk"); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "all of them", func() error { // nobody said yet that they are stored
		if n := handled.Load(); n != 4 {
			return fmt.Errorf("%d handled, want 4", n)
		}
		return nil
	})
	noneLeft(t, b)
}

// A gateway that misses its consumer makes it for the stream as it is, and not as the
// gateway was told that it would be: one server alone forgets what is in memory.
func TestConsumerIsMadeForItsStream(t *testing.T) {
	b, s := newTestBus(t)
	gateway := connectTest(t, s.URL(), func(o *Options) { o.Replicas = 3 })
	durable := GatewaysDurable("sign")
	if err := b.nc.JS.DeleteConsumer(testContext(t), b.names.stream(Jobs), durable); err != nil {
		t.Fatal(err)
	}
	consume(t, gateway, Jobs, durable, 4, func(d Delivery) { _ = d.Ack(context.Background()) })
	if err := b.Check(testContext(t)); err != nil {
		t.Error(err)
	}
	publishJobs(t, b, 3)
	noneLeft(t, b)
}

// Other libraries spell headers otherwise: that of Java puts no space behind the colon.
// All that is there to be read is read, and nothing behind a blank line.
func TestConsumeHeadersInAnySpelling(t *testing.T) {
	b, s := newTestBus(t)
	blocks := []string{
		"Frost-Client: alice\r\n", "Frost-Client:alice\r\n", "Frost-Client:  alice\r\n", "Frost-Client:\talice\r\n",
		"Frost-Client: alice\n", ":nameless\r\nFrost-Client: alice\r\n", "Frost-Client:alice\r\n\r\nFrost-Client: bob\r\n",
		"Nats-Msg-Id:7\r\nFrost-Client:alice\r\n",
	}
	for _, block := range blocks {
		publishRaw(t, s.URL(), "frost.main.job.sign.alice", "NATS/1.0\r\n"+block+"\r\n")
	}
	var handled atomic.Int32
	consume(t, b, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
		if h := d.Message().Header; len(h) != 1 || !slices.Equal(h["Frost-Client"], []string{"alice"}) {
			t.Errorf("%q: headers %q", blocks[d.Message().Seq-1], h)
		}
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
		handled.Add(1)
	})
	eventually(t, "all of them", func() error {
		if n := int(handled.Load()); n != len(blocks) {
			return fmt.Errorf("%d handled, want %d", n, len(blocks))
		}
		return nil
	})
	noneLeft(t, b)
}

// An id of a message (Nats-Msg-Id) that somebody else used before keeps a job out for as
// short as a server has it; the acknowledgement says so, and the job published again is
// stored.
func TestMessageIDs(t *testing.T) {
	b, _ := newTestBus(t)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(testContext(t), b.names.stream(Jobs)))
	if window := stream.CachedInfo().Config.Duplicates; window != 100*time.Millisecond {
		t.Errorf("an id keeps others out for %v", window)
	}
	publish := func(data string) *jetstream.PubAck {
		m := &nats.Msg{Subject: "frost.main.job.sign.alice", Data: []byte(data), Header: nats.Header{"Nats-Msg-Id": {"7"}}}
		return must[*jetstream.PubAck](t)(b.nc.JS.PublishMsg(testContext(t), m))
	}
	publish("a stranger's")
	eventually(t, "storing the client's", func() error {
		if ack := publish("the client's"); ack.Duplicate {
			return errors.New("taken for a duplicate")
		}
		return nil
	})
	if n := jobsLeft(t, b); n != 2 {
		t.Errorf("%d jobs are stored", n)
	}
}

func TestConsumeErrors(t *testing.T) {
	b, _ := newTestBus(t)
	if _, err := b.Consume(testContext(t), Jobs, "a.b", 16, func(Delivery) {}); err == nil {
		t.Error("bad durable accepted")
	}
	for _, stream := range []Stream{"NONE", Work} {
		_, err := b.Consume(testContext(t), stream, GatewaysDurable("sign"), 16, func(Delivery) {})
		if err == nil || !strings.Contains(err.Error(), "nats/streams.json") {
			t.Errorf("a consumer of %s that is not declared: %v", stream, err)
		}
	}
}
