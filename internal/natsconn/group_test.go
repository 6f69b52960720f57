package natsconn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// groupTest is a group of a stream that takes one message of a subject.
type groupTest struct {
	*testing.T
	server *server.Server
	c      *Conn
	g      *Group
	log    *lines
	lossy  *lossy
}

func newGroupTest(t *testing.T, atomic bool, change func(*server.Options)) *groupTest {
	t.Helper()
	log := new(lines)
	opts := &server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		MaxPayload: MaxPayload,
	}
	if change != nil {
		change(opts)
	}
	s := must[*server.Server](t)(server.NewServer(opts))
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	f := &groupTest{T: t, server: s, log: log, lossy: &lossy{Server: s}}
	f.c = connect(t, Options{Embedded: f.lossy, Log: log.logger()})
	f.stream(atomic)
	f.g = f.c.NewGroup("X")
	return f
}

func (f *groupTest) stream(atomic bool) {
	f.Helper()
	if _, err := f.c.JS.CreateOrUpdateStream(f.Context(), jetstream.StreamConfig{
		Name: "X", Subjects: []string{"x.*"}, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxMsgsPerSubject: 1, AllowAtomicPublish: atomic,
	}); err != nil {
		f.Fatal(err)
	}
}

// outcome is what came of one message.
type outcome struct {
	seq uint64
	err error
}

// store has the group store messages x.<first> and so on at about the same time. They all wait
// until they are complete.
func (f *groupTest) store(first, count int) []outcome {
	f.Helper()
	f.g.mu.Lock()
	f.g.under += atOnce
	f.g.mu.Unlock()
	all := make([]outcome, count)
	var done sync.WaitGroup
	for i := range all {
		done.Go(func() {
			name := fmt.Sprint(first + i)
			m := &nats.Msg{Subject: "x." + name, Data: []byte(name), Header: nats.Header{"A": {name}}}
			all[i].seq, all[i].err = f.g.Store(f.Context(), m)
		})
	}
	eventually(f.T, "all wait", func() bool {
		f.g.mu.Lock()
		defer f.g.mu.Unlock()
		return len(f.g.waiting) == count || f.g.off()
	})
	f.g.end(atOnce)
	done.Wait()
	if f.g.mu.Lock(); f.g.under != 0 || len(f.g.waiting) != 0 {
		f.Errorf("%d under way, %d wait", f.g.under, len(f.g.waiting))
	}
	f.g.mu.Unlock()
	return all
}

// stored reads the stream: x.<n> by its sequence, and how many came in batches.
func (f *groupTest) stored() (all map[uint64]string, batched int) {
	f.Helper()
	s := must[jetstream.Stream](f)(f.c.JS.Stream(f.Context(), "X"))
	all = map[uint64]string{}
	for seq := s.CachedInfo().State.FirstSeq; seq > 0 && seq <= s.CachedInfo().State.LastSeq; seq++ {
		m := must[*jetstream.RawStreamMsg](f)(s.GetMsg(f.Context(), seq))
		name := string(m.Data)
		if m.Subject != "x."+name || m.Header.Get("A") != name {
			f.Errorf("%s has %q and header %v", m.Subject, name, m.Header)
		}
		if all[seq] = name; m.Header.Get(headerBatch) != "" {
			batched++
		}
	}
	return all, batched
}

// check wants every message stored once, under the sequence that its writer was told.
func (f *groupTest) check(first int, got []outcome) (batched int) {
	f.Helper()
	all, batched := f.stored()
	for i, o := range got {
		if o.err != nil || all[o.seq] != fmt.Sprint(first+i) {
			f.Errorf("message %d: sequence %d, which is %q: %v", first+i, o.seq, all[o.seq], o.err)
		}
	}
	if len(all) != first+len(got) {
		f.Errorf("%d messages are stored of %d", len(all), first+len(got))
	}
	return batched
}

// TestGroup: what comes faster than it is stored is stored together.
func TestGroup(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	const count = mostBatch + leastBatch
	if batched := f.check(0, f.store(0, count)); batched != count {
		t.Errorf("%d messages came in batches", batched)
	}
}

// TestGroupOfFew: few messages go out for themselves, and at once.
func TestGroupOfFew(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	if batched := f.check(0, f.store(0, leastBatch-1)); batched != 0 {
		t.Errorf("%d messages came in batches", batched)
	}
	large := &nats.Msg{Subject: "x.large", Data: bytes.Repeat([]byte{1}, batchBytes/leastBatch+1)}
	f.g.under += atOnce // it waits for nobody
	if _, err := f.g.Store(t.Context(), large); err != nil {
		t.Error(err)
	}
}

// TestGroupTakenSlot: one message that is refused costs the others nothing.
func TestGroupTakenSlot(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	const count = 2 * leastBatch
	taken := &nats.Msg{Subject: "x.3", Data: []byte("3"), Header: nats.Header{"A": {"3"}}}
	if _, err := f.c.Store(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	got := f.store(0, count)
	if api, ok := errors.AsType[*jetstream.APIError](got[3].err); !ok || !SubjectFull(api) {
		t.Errorf("the one whose place is taken: %v", got[3].err)
	}
	got[3] = outcome{seq: 1}
	if batched := f.check(0, got); batched != 0 {
		t.Errorf("%d messages of a batch that was refused are stored", batched)
	}
	if f.g.off() {
		t.Error("no batches are tried any more")
	}
}

// TestGroupWithoutBatches: where a stream takes no batches, or none of this size, all is stored
// one by one, which is logged once; once it takes them there are batches.
func TestGroupWithoutBatches(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*server.Options){
		"stream": nil,
		"size":   func(o *server.Options) { o.JetStreamLimits.MaxBatchSize = leastBatch - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newGroupTest(t, change != nil, change)
			const count = 2 * leastBatch
			for i := range 3 {
				if batched := f.check(i*count, f.store(i*count, count)); batched != 0 {
					t.Errorf("%d messages came in batches", batched)
				}
				if i == 0 && !f.g.off() {
					t.Error("batches are tried again at once")
				}
				if i == 1 { // a minute later
					f.g.not = time.Time{}
				}
			}
			if n := strings.Count(f.log.String(), "one by one"); n != 1 {
				t.Errorf("it is logged %d times:\n%s", n, f.log)
			}
			if change != nil {
				return
			}
			f.stream(true)
			f.g.not = time.Time{}
			if batched := f.check(3*count, f.store(3*count, count)); batched != count {
				t.Errorf("%d messages came in batches once the stream took them", batched)
			}
		})
	}
}

// TestGroupCrowded: where others have as many batches open as a stream takes, all is stored
// one by one, this time.
func TestGroupCrowded(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, func(o *server.Options) { o.JetStreamLimits.MaxBatchInflightPerStream = 1 })
	open := batched(&nats.Msg{Subject: "x.other", Data: []byte("other")}, batchID(), 1)
	if _, err := f.c.RequestMsgWithContext(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	if batched := f.check(0, f.store(0, 2*leastBatch)); batched != 0 {
		t.Errorf("%d messages came in batches", batched)
	}
	if f.g.off() {
		t.Error("no batches are tried any more")
	}
}

// TestGroupAckLost: a batch is stored, and its writer does not hear so. Each message finds its
// place taken then, and nothing is there twice.
func TestGroupAckLost(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	f.c.opt.AckTimeout = time.Second
	f.lossy.lose.Store(true)
	const count = leastBatch
	for i, o := range f.store(0, count) {
		if api, ok := errors.AsType[*jetstream.APIError](o.err); !ok || !SubjectFull(api) {
			t.Errorf("message %d: %v", i, o.err)
		}
	}
	if all, batched := f.stored(); len(all) != count || batched != count {
		t.Errorf("%d messages are stored, %d in a batch", len(all), batched)
	}
	if f.lossy.lose.Load() {
		t.Error("no answer was lost")
	}
}

// TestGroupRestart: a server that ends in the middle of a batch has stored nothing of it, and
// takes it as little when the rest comes.
func TestGroupRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *server.Server {
		s := must[*server.Server](t)(server.NewServer(&server.Options{
			DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true,
			MaxPayload: MaxPayload,
		}))
		s.Start()
		if !s.ReadyForConnections(patience) {
			t.Fatal("server did not start")
		}
		return s
	}
	first := start()
	f := &groupTest{T: t, lossy: &lossy{Server: first}}
	f.c = connect(t, Options{Embedded: f.lossy})
	f.stream(true)
	id := batchID()
	message := func(n int) *nats.Msg {
		name := fmt.Sprint(n)
		return batched(&nats.Msg{Subject: "x." + name, Data: []byte(name), Header: nats.Header{"A": {name}}}, id, n)
	}
	for n := 1; n <= 3; n++ {
		if _, err := f.c.RequestMsgWithContext(t.Context(), message(n)); err != nil {
			t.Fatal(err)
		}
	}
	staged := func() int {
		all, _ := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "X", "batches", "*"))
		return len(all)
	}
	if staged() != 1 {
		t.Errorf("%d batches are staged", staged())
	}
	f.c.Close()
	first.Shutdown()
	first.WaitForShutdown()

	second := start()
	t.Cleanup(func() { second.Shutdown(); second.WaitForShutdown() })
	f.c = connect(t, Options{Embedded: &lossy{Server: second}})
	commit := message(4)
	commit.Header.Set(headerBatchCommit, "1")
	answer := must[*nats.Msg](t)(f.c.RequestMsgWithContext(t.Context(), commit))
	if _, err := batchAck(answer.Data, id, 4); err == nil {
		t.Error("a batch whose beginning is lost is stored")
	}
	if all, _ := f.stored(); len(all) != 0 || staged() != 0 {
		t.Errorf("%d messages are stored, %d batches staged", len(all), staged())
	}
	f.g = f.c.NewGroup("X")
	f.check(0, f.store(0, leastBatch))
}

// TestGroupGivenUp: whoever gives up leaves the others as they are; who waits for long goes
// alone.
func TestGroupGivenUp(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	f.g.under += atOnce // nobody ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.g.Store(ctx, &nats.Msg{Subject: "x.0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up before: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := f.g.Store(ctx, &nats.Msg{Subject: "x.0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up while it waits: %v", err)
	}
	patient := &nats.Msg{Subject: "x.0", Data: []byte("0"), Header: nats.Header{"A": {"0"}}}
	if _, err := f.g.Store(t.Context(), patient); err != nil {
		t.Errorf("waited for long: %v", err)
	}
	if f.g.under != atOnce || len(f.g.waiting) != 0 {
		t.Errorf("%d under way, %d wait", f.g.under, len(f.g.waiting))
	}
	if all, _ := f.stored(); len(all) != 1 {
		t.Errorf("%d messages are stored", len(all))
	}
}

// TestOldServers: what is older than 2.12 gets no batches. One that leads a stream all the
// same stores each message for itself, and its answer shows that.
func TestOldServers(t *testing.T) {
	t.Parallel()
	versions := map[string]bool{"2.11.9": false, "2.12.0": true, "2.15.2": true, "3.0.0": true, "dev": true}
	for version, want := range versions {
		if isFrom(version, batchMajor, batchMinor) != want {
			t.Errorf("%s: batches are taken: %v", version, !want)
		}
	}
	for answer, want := range map[string]error{
		`{"stream":"X","seq":7}`:                                                         errNoBatches,
		`{"stream":"X","seq":7,"batch":"other","count":3}`:                               errNoBatches,
		`{"stream":"X","seq":7,"batch":"id","count":2}`:                                  errNoBatches,
		`{"stream":"X","seq":2,"batch":"id","count":3}`:                                  errNoBatches,
		`{"error":{"code":400,"err_code":10174,"description":"disabled"},"stream":"X"}`:  errNoBatches,
		`{"error":{"code":400,"err_code":10199,"description":"too large"},"stream":"X"}`: errNoBatches,
		`no JSON`: ErrUnknown,
		``:        ErrUnknown,
		`{"stream":"X","seq":7,"batch":"id","count":3}`: nil,
	} {
		if _, err := batchAck([]byte(answer), "id", 3); !errors.Is(err, want) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func FuzzBatchAck(f *testing.F) {
	f.Add([]byte(`{"stream":"X","seq":7,"batch":"id","count":3}`))
	f.Add([]byte(`{"error":{"code":400,"err_code":10174}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if last, err := batchAck(answer, "id", 3); err == nil && last < 3 {
			t.Errorf("%q is taken for an answer, %d", answer, last)
		}
	})
}

// lossy is a server in this process whose answers to batches can be lost.
type lossy struct {
	*server.Server
	lose atomic.Bool // the next one
}

func (l *lossy) URL() string                  { return "" }
func (l *lossy) Limits() (memory, file int64) { return 0, 0 }

func (l *lossy) InProcessConn() (net.Conn, error) {
	c, err := l.Server.InProcessConn()
	return &lossyConn{c, l}, err
}

type lossyConn struct {
	net.Conn
	of *lossy
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bytes.Contains(p[:n], []byte(`"batch":`)) && c.of.lose.CompareAndSwap(true, false) {
		return c.Conn.Read(p)
	}
	return n, err
}
