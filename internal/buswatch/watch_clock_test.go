package buswatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// answering is a server whose JetStream API is answer, which returns what its
// clock says; false: no answer at all.
func answering(t *testing.T, answer func(subject string) (time.Time, bool), change ...func(*bus.Options)) *bus.Bus {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, MaxPayload: natsconn.MaxPayload}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server did not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	_, err = nc.Subscribe("$JS.API.>", func(m *nats.Msg) {
		ts, ok := answer(m.Subject)
		if !ok {
			return
		}
		body, err := json.Marshal(map[string]any{"ts": ts, "config": map[string]any{"name": "x"}})
		if err == nil {
			err = m.Respond(body)
		}
		if err != nil && !errors.Is(err, nats.ErrConnectionClosed) { // by the end of the test
			t.Error(err)
		}
	})
	if err := errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	return connectTest(t, s.ClientURL(), change...)
}

func TestWatchClock(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, 3 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			b := answering(t, func(string) (time.Time, bool) { return time.Now().Add(ahead), true })
			w := New(b, Options{AllStreams: true})
			watch(t, w, testEvery)
			s := sampleOf(t, w, anySample)
			if wrong := (s.ClockOffset + ahead).Abs(); wrong > time.Minute || !s.ClockKnown {
				t.Errorf("offset %v (known: %t), want %v", s.ClockOffset, s.ClockKnown, -ahead)
			}
			at, stream, ok := w.StreamTime()
			if wrong := (stream.Sub(at) - ahead).Abs(); wrong > time.Minute || !ok {
				t.Errorf("at %v the stream's time was %v (known: %t), want %v later", at, stream, ok, ahead)
			}
			if _, _, ok := New(b, Options{}).StreamTime(); ok {
				t.Error("it knows the time without having asked")
			}
		})
	}
}

// Streams may have different leaders. The times of jobs are of the leader of
// JOBS, however slowly that answers.
func TestWatchClockOfOneStream(t *testing.T) {
	const ahead = time.Hour
	b := answering(t, func(subject string) (time.Time, bool) {
		if !strings.HasSuffix(subject, "STREAM.INFO.FROST_MAIN_JOBS") {
			return time.Now(), true
		}
		time.Sleep(50 * time.Millisecond)
		return time.Now().Add(ahead), true
	})
	w := New(b, Options{AllStreams: true})
	for range 3 {
		if s, _ := w.sample(testContext(t)); (s.ClockOffset+ahead).Abs() > time.Minute || !s.ClockKnown {
			t.Errorf("offset %v (known: %t), want %v", s.ClockOffset, s.ClockKnown, -ahead)
		}
	}
	// A worker begins with whatever it follows first, which need not stay the first.
	w.compare(Keys, reading{offset: time.Second, rtt: 3 * time.Second})
	w.compare(Work, reading{offset: 5 * time.Second, rtt: 9 * time.Second})
	if got := w.clock.offset(); got != 5*time.Second {
		t.Errorf("offset %v mixes two clocks", got)
	}
}

// A comparison stays one of when it was made: a node that saw another server lead since
// must be able to tell.
func TestStreamTimeIsOfTheComparison(t *testing.T) {
	b, s := newTestBus(t)
	w := New(b, Options{AllStreams: true})
	watch(t, w, testEvery)
	sampleOf(t, w, func(s Sample) error {
		if !s.ClockKnown {
			return errors.New("not compared")
		}
		return nil
	})
	s.Shutdown()
	eventually(t, "losing the connection", lost(b))
	away := time.Now()
	sampleOf(t, w, func(s Sample) error {
		if !s.At.After(away) {
			return errors.New("no newer sample")
		}
		return nil
	})
	at, stream, ok := w.StreamTime()
	if !ok || at.After(away) || stream.Sub(at).Abs() > time.Minute {
		t.Errorf("the connection was lost at %v, and at %v the stream's time was %v (known: %t)", away, at, stream, ok)
	}
}

// Nobody told the time.
func TestWatchNoClock(t *testing.T) {
	b, _ := newTestBus(t) // follows nothing
	w := New(b, Options{})
	if s, _ := w.sample(testContext(t)); s.ClockKnown || s.RTT == 0 || s.Streams != nil {
		t.Errorf("%+v", s)
	}
}

// Without a connection the last comparison serves this process, but is no news.
func TestWatchClockOutlivesConnection(t *testing.T) {
	b, s := newTestBus(t)
	w := New(b, Options{AllStreams: true})
	w.compare(Jobs, reading{offset: time.Hour, rtt: time.Millisecond})
	s.Shutdown()
	eventually(t, "losing the connection", lost(b))
	if s, _ := w.sample(testContext(t)); s.ClockKnown || s.ClockOffset != time.Hour {
		t.Errorf("offset %v (known: %t), want the last one", s.ClockOffset, s.ClockKnown)
	}
}

// lost is nil once there is no connection.
func lost(b *bus.Bus) func() error {
	return func() error {
		if b.Healthy() == nil {
			return errors.New("still connected")
		}
		return nil
	}
}

// One question without an answer hides nothing else.
func TestWatchOneHangs(t *testing.T) {
	for _, hangs := range []struct{ what, subject string }{
		{"stream JOBS", "STREAM.INFO.FROST_MAIN_JOBS"},
		{"consumer gateways-sign", "CONSUMER.INFO.FROST_MAIN_JOBS.gateways-sign"},
	} {
		t.Run(hangs.what, func(t *testing.T) {
			t.Parallel()
			var log logSink
			const limit = 500 * time.Millisecond
			b := answering(t, func(subject string) (time.Time, bool) {
				return time.Now(), !strings.HasSuffix(subject, hangs.subject)
			}, func(o *bus.Options) { o.AckTimeout = limit })
			w := New(b, Options{AllStreams: true, Log: log.logger()})
			watch(t, w, limit)
			streams, consumers := len(w.bus.Declared()), 4
			if strings.HasPrefix(hangs.what, "stream") {
				streams--
			} else {
				consumers--
			}
			// On a busy machine others may be late now and then as well.
			var seen time.Time
			rest := func(s Sample) error {
				if s.At.Equal(seen) || len(s.Streams) != streams || len(s.Consumers) != consumers {
					return fmt.Errorf("%d streams, %d consumers at %s", len(s.Streams), len(s.Consumers), s.At)
				}
				if len(s.Storage) != 2 || s.RTT == 0 {
					return fmt.Errorf("%d storages, round trip %v", len(s.Storage), s.RTT)
				}
				if s.ClockKnown != (streams == len(w.bus.Declared())) {
					return fmt.Errorf("clock known: %t", s.ClockKnown)
				}
				return nil
			}
			seen = sampleOf(t, w, rest).At
			sampleOf(t, w, rest) // and again
			if n := strings.Count(log.String(), fmt.Sprintf("missing=%q", hangs.what)); n != 1 {
				t.Errorf("warned %d times about %s:\n%s", n, hangs.what, log.String())
			}
		})
	}
}
