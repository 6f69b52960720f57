package buswatch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/test/natscluster"
)

func TestMain(m *testing.M) {
	code := m.Run()
	natscluster.RemoveBuild()
	os.Exit(code)
}

// broken waits until the watcher reports what is wanted; "" is nothing.
func broken(t *testing.T, w *Watcher, want string) {
	t.Helper()
	eventually(t, "the check of the streams", func() error {
		_, sampled := w.Sample()
		err := w.Streams()
		if sampled && (err == nil) == (want == "") && (err == nil || strings.Contains(err.Error(), want)) {
			return nil
		}
		return fmt.Errorf("says %v, want %q", err, want)
	})
}

// TestMissingStreams: each stream and consumer that somebody deleted is named, with
// the command that brings it back; nobody waits for dead letters.
func TestMissingStreams(t *testing.T) {
	b, _ := newTestBus(t)
	w := New(b, Options{AllStreams: true})
	watch(t, w, testEvery)
	broken(t, w, "")
	js := b.Conn().JS
	for _, d := range b.Declared() {
		for _, durable := range d.Durables {
			if err := js.DeleteConsumer(testContext(t), d.Name, durable); err != nil {
				t.Fatal(err)
			}
			broken(t, w, "consumer "+durable+" is missing: the administrator runs: frostctl bus apply")
			if err := b.Apply(testContext(t)); err != nil {
				t.Fatal(err)
			}
			broken(t, w, "")
		}
		deleteStreams(t, b, d.Stream)
		if d.Stream != bus.DeadLetter && !d.New { // nor for what the release before lacked
			broken(t, w, "stream "+string(d.Stream)+" is missing: the administrator runs: frostctl bus apply")
			s := sampleOf(t, w, anySample)
			if len(s.Leaderless) != 1 || s.Leaderless[0] != d.Stream {
				t.Errorf("without %s: %v", d.Stream, s.Leaderless)
			}
		}
		if err := b.Apply(testContext(t)); err != nil {
			t.Fatal(err)
		}
		broken(t, w, "")
	}
}

// TestFollowersStreams: a worker misses what it follows, and nothing else.
func TestFollowersStreams(t *testing.T) {
	b, _ := newTestBus(t)
	w := New(b, Options{})
	if _, err := b.Follow(testContext(t), Sign, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
		t.Fatal(err)
	}
	watch(t, w, testEvery)
	deleteStreams(t, b, Jobs)
	broken(t, w, "")
	deleteStreams(t, b, Sign)
	broken(t, w, "stream SIGN is missing")
}

// TestJetStreamOff: a server that switched JetStream off, as after a full disk, is
// named.
func TestJetStreamOff(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true,
		StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 40, MaxPayload: 4 << 20, ServerName: "hall-7"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("no server")
	}
	b := connectTest(t, s.ClientURL(), func(o *bus.Options) { o.AckTimeout = 5 * time.Second })
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	w := New(b, Options{AllStreams: true})
	watch(t, w, testEvery)
	broken(t, w, "")
	if err := s.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	broken(t, w, "JetStream of server hall-7 is off")
}

// TestNoAnswer: a stream without a leader is one for a while before it is trouble,
// and a lost connection is another trouble.
func TestNoAnswer(t *testing.T) {
	b, s := newTestBus(t)
	w := New(b, Options{AllStreams: true})
	asked, what := time.Now(), streamQuestion(Sign)
	for _, q := range []*question{
		{what: what, asked: asked, err: errors.New("no answer")},
		{what: what, asked: asked.Add(time.Second), err: &jetstream.APIError{ErrorCode: 10008, Description: "unavailable"}},
	} {
		w.judge(q, nil)
	}
	if err := w.broken(asked.Add(leaderless - 1)); err != nil {
		t.Errorf("too early: %v", err)
	}
	if err := w.broken(asked.Add(leaderless)); err == nil || !strings.Contains(err.Error(), doNATS) {
		t.Errorf("got %v", err)
	}
	w.judge(&question{what: what, asked: asked}, &jetstream.ClusterInfo{})
	if err := w.broken(asked.Add(leaderless)); !errors.Is(err, errNoLeader) {
		t.Errorf("an answer without a leader: %v", err)
	}
	w.judge(&question{what: what, asked: asked}, &jetstream.ClusterInfo{Leader: "s1"})
	if err := w.broken(asked.Add(time.Hour)); err != nil {
		t.Errorf("with a leader: %v", err)
	}
	s.Shutdown()
	eventually(t, "losing the connection", func() error {
		if b.Healthy() == nil {
			return errors.New("still there")
		}
		return nil
	})
	w.judge(&question{what: what, asked: asked, err: errors.New("no answer")}, nil)
	if err := w.broken(asked.Add(time.Hour)); err != nil {
		t.Errorf("without a connection: %v", err)
	}
}

// TestReplicas: a server of three that dies is a copy less, and two are the quorum.
func TestReplicas(t *testing.T) {
	c := natscluster.Start(t, 3)
	three := func(o *bus.Options) { o.Replicas, o.AckTimeout = 3, 5*time.Second }
	eventually(t, "a cluster", func() error {
		b, err := bus.Connect(testContext(t), bus.Options{Fleet: "main", Nodes: 3, URL: c.URL(0), AckTimeout: 5 * time.Second})
		if err == nil {
			err = b.Close(testContext(t))
		}
		return err
	})
	b := connectTest(t, c.URL(0), three)
	eventually(t, "the streams", func() error { return b.Apply(testContext(t)) })
	w := New(b, Options{AllStreams: true})
	watch(t, w, testEvery)
	copies := func(want int) {
		t.Helper()
		sampleOf(t, w, func(s Sample) error {
			if want > 0 && len(s.Streams) < len(b.Declared()) || len(s.Streams)+len(s.Leaderless) < len(b.Declared()) {
				return fmt.Errorf("%+v, and not %v", s.Streams, s.Leaderless)
			}
			for _, stream := range s.Streams {
				if stream.Replicas != 3 || stream.Current != want {
					return fmt.Errorf("%s has %d of %d copies, want %d", stream.Stream, stream.Current, stream.Replicas, want)
				}
			}
			return nil
		})
	}
	copies(3)
	c.Signal(1, syscall.SIGKILL)
	copies(2)
	broken(t, w, "")
	c.Signal(2, syscall.SIGKILL)
	broken(t, w, doNATS)
	copies(0)
}

// TestDamaged: at KEYS, which deletes nothing, messages that are not there are damage;
// elsewhere they are not.
func TestDamaged(t *testing.T) {
	b, _ := newTestBus(t)
	js := b.Conn().JS
	stream, err := js.Stream(testContext(t), "FROST_MAIN_KEYS")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.DenyDelete = false // so that the test can damage it
	deleteStreams(t, b, Keys)
	keys, err := js.CreateStream(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := js.Stream(testContext(t), "FROST_MAIN_SIGN")
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, 0, 4)
	for i := range 4 {
		if _, err := b.Publish(testContext(t), fmt.Sprintf("entry.%s.0.deal.%d", testBatch, i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	w := New(b, Options{AllStreams: true})
	watch(t, w, testEvery)
	wants := func(stream bus.Stream, n uint64) {
		t.Helper()
		sampleOf(t, w, func(s Sample) error {
			for _, state := range s.Streams {
				if state.Stream == stream && state.Damaged == n && state.Last == 4 {
					return nil
				}
			}
			return fmt.Errorf("%+v", s.Streams)
		})
	}
	wants(Keys, 0)
	for _, s := range []jetstream.Stream{keys, sign} {
		if err := errors.Join(s.DeleteMsg(testContext(t), 2), s.DeleteMsg(testContext(t), 3)); err != nil {
			t.Fatal(err)
		}
	}
	wants(Keys, 2)
	wants(Sign, 0)
}

// TestNewStreamsKeepNobodyFromWork: before the administrator has made what the release before did
// not have, a gateway of this release does all that one of that release does.
func TestNewStreamsKeepNobodyFromWork(t *testing.T) {
	b, _ := newTestBus(t)
	w := New(b, Options{AllStreams: true})
	for _, d := range b.Declared() {
		if d.New {
			deleteStreams(t, b, d.Stream)
		}
	}
	watch(t, w, testEvery)
	broken(t, w, "")
	deleteStreams(t, b, bus.Results)
	broken(t, w, "RESULTS is missing")
}
