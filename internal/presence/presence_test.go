package presence

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// board is PRESENCE with one subject's last message, and the twins' words.
type board struct {
	mu     sync.Mutex
	seq    uint64
	last   *bus.Message
	twins  int
	away   error        // what every question gets
	stored func() error // after a swap was stored: what its sender gets
}

func (b *board) put(data []byte) uint64 {
	b.seq++
	b.last = &bus.Message{Subject: "presence.node.0", Seq: b.seq, Data: data, Time: time.Now()}
	return b.seq
}

func (b *board) Swap(_ context.Context, _ string, data []byte, last uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away != nil {
		return 0, b.away
	}
	have := uint64(0)
	if b.last != nil {
		have = b.last.Seq
	}
	if have != last {
		return 0, bus.ErrConflict
	}
	seq := b.put(data)
	if b.stored != nil {
		if err := b.stored(); err != nil {
			return 0, err
		}
	}
	return seq, nil
}

func (b *board) Publish(ctx context.Context, _ string, _ []byte, _ map[string][]string) (uint64, error) {
	time.Sleep(time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() == nil {
		b.twins++
	}
	return 1, ctx.Err()
}

func (b *board) LastAtLeader(context.Context, bus.Stream, string) (bus.Message, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away != nil {
		return bus.Message{}, false, b.away
	}
	if b.last == nil {
		return bus.Message{}, false, nil
	}
	return *b.last, true, nil
}

func (b *board) with(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// beatOn makes the heartbeats of a process, sealed by nobody. lost gets the other one.
func beatOn(b *board) (*Beat, chan *TwinError) {
	lost := make(chan *TwinError, 1)
	return New(Config{
		Board: b, Manifest: &wire.Manifest{}, Subject: "presence.node.0", Twin: "presence.twin.0",
		Seal: func(_ context.Context, _ string, body []byte) ([]byte, error) { return body, nil },
		Open: func(m wire.LogMessage) (*wire.Heartbeat, error) { return wire.DecodeHeartbeat(m.Data) },
		Load: func(*wire.Heartbeat) {}, Lost: func(e *TwinError) { lost <- e }, Log: slog.New(slog.DiscardHandler),
	}), lost
}

func others(after uint64) []byte {
	return wire.Encode(&wire.Heartbeat{Version: 1, Boot: [16]byte{9}, After: after, Host: "other"})
}

// alive stops the heartbeats unless they were lost.
func alive(t *testing.T, lost chan *TwinError) {
	t.Helper()
	time.Sleep(3 * Every)
	select {
	case e := <-lost:
		t.Fatal(e)
	default:
	}
}

// TestTwoProcesses: the one that starts later ends; it has a holder of the subject
// before it.
func TestTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		first, lost := beatOn(b)
		if err := first.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Start()
		second, _ := beatOn(b)
		start := time.Now()
		var twin *TwinError
		ctx, end := context.WithCancel(t.Context())
		second.cfg.Lost = func(*TwinError) { end() } // as a program does
		if err := second.Take(ctx); !errors.As(err, &twin) || twin.Other.Boot != first.self.Boot {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(start); took > TakeOver+time.Second || b.twins != 1 {
			t.Errorf("after %s, said %d times", took, b.twins)
		}
		alive(t, lost)
		first.Stop(t.Context())
		start = time.Now()
		third, _ := beatOn(b)
		if err := third.Take(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("after an orderly end: %v, %s", err, time.Since(start))
		}
	})
}

// TestTwoAtOnce: of two processes that start together one ends.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		b.put(others(0)) // somebody who died
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				beat, lost := beatOn(b)
				if err := beat.Take(t.Context()); err != nil {
					ended <- err
					return
				}
				beat.Start()
				defer beat.Stop(t.Context())
				select {
				case e := <-lost:
					ended <- e
				case <-time.After(time.Minute):
					ended <- nil
				}
			}()
		}
		one, two := <-ended, <-ended
		if (one == nil) == (two == nil) {
			t.Errorf("they ended with %v and %v", one, two)
		}
	})
}

// TestLostSwap: somebody who came after this process's last heartbeat has the subject.
func TestLostSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		beat, lost := beatOn(b)
		if err := beat.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		beat.Start()
		b.with(func() { b.put(others(b.seq)) })
		start := time.Now()
		select {
		case e := <-lost:
			if took := time.Since(start); took > Every || !strings.Contains(e.Error(), `host "other"`) {
				t.Errorf("after %s: %v", took, e)
			}
		case <-time.After(time.Minute):
			t.Error("it goes on")
		}
		beat.Stop(t.Context())
		if b.twins != 1 {
			t.Errorf("said %d times", b.twins)
		}
		h, err := wire.DecodeHeartbeat(b.last.Data)
		if err != nil || h.Host != "other" {
			t.Errorf("who has lost writes on: %+v %v", h, err)
		}
	})
}

// TestJunkEndsNobody: whoever has a node's NATS credentials, and not its device, can
// write junk on its subject, and copy what was there. Neither ends the node, and its
// heartbeats go on.
func TestJunkEndsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		old := others(0)
		b.put(old) // an earlier process's
		beat, lost := beatOn(b)
		if err := beat.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		beat.Start()
		for _, data := range [][]byte{[]byte("junk"), old, wire.Encode(&beat.self)} {
			b.with(func() { b.put(data) })
			alive(t, lost)
			b.with(func() {
				if h, err := wire.DecodeHeartbeat(b.last.Data); err != nil || h.Boot != beat.self.Boot || h.After == 0 {
					t.Errorf("the subject ends with %q", b.last.Data)
				}
			})
		}
		beat.Stop(t.Context())
	})
}

// TestNoContact: without an answer nothing is lost; nor is it when one of the swaps was
// stored and its answer lost, or when the stream begins anew.
func TestNoContact(t *testing.T) {
	for name, trouble := range map[string]func(*board){
		"away":          func(b *board) { b.away = bus.ErrDisconnected },
		"answers lost":  func(b *board) { b.stored = func() error { return bus.ErrUnknown } },
		"stream is new": func(b *board) { b.last, b.seq = nil, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &board{}
				b.put(others(0))
				beat, lost := beatOn(b)
				if err := beat.Take(t.Context()); err != nil {
					t.Fatal(err)
				}
				beat.Start()
				b.with(func() { trouble(b) })
				time.Sleep(time.Minute)
				b.with(func() { b.away, b.stored = nil, nil })
				alive(t, lost)
				b.with(func() {
					h, err := wire.DecodeHeartbeat(b.last.Data)
					if err != nil || h.Boot != beat.self.Boot || time.Since(b.last.Time) > Every {
						t.Errorf("the heartbeats did not go on: %+v %v", h, err)
					}
				})
				beat.Stop(t.Context())
			})
		})
	}
}

// TestTakeWaitsForContact: a process that starts before NATS does waits, and says so.
func TestTakeWaitsForContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{away: bus.ErrDisconnected}
		beat, _ := beatOn(b)
		took := make(chan error)
		go func() { took <- beat.Take(t.Context()) }()
		time.Sleep(time.Minute)
		if err := beat.Waiting(); !errors.Is(err, bus.ErrDisconnected) {
			t.Errorf("it waits for %v", err)
		}
		b.with(func() { b.away = nil })
		if err := <-took; err != nil || beat.Waiting() != nil {
			t.Errorf("%v, %v", err, beat.Waiting())
		}
	})
}

// TestSharedName: where nobody has to end, two processes replace each other's
// heartbeats, and each tells of the other once.
func TestSharedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		var lines strings.Builder
		log := slog.New(slog.NewTextHandler(&lines, nil))
		for range 2 {
			beat, lost := beatOn(b)
			beat.cfg.Twin, beat.cfg.Log = "", log
			beat.Start()
			defer alive(t, lost)
			defer beat.Stop(t.Context())
			time.Sleep(Every / 2)
		}
		time.Sleep(time.Minute)
		if told := strings.Count(lines.String(), "another process publishes"); told != 2 {
			t.Errorf("told %d times:\n%s", told, lines.String())
		}
	})
}

// TestCopiesKeepNobodyOut: who republishes a dead process's heartbeats, and is quicker
// with it than every other swap, does not keep the next process from the lease.
func TestCopiesKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		for range 3 {
			b.put(others(b.seq))
		}
		beat, _ := beatOn(b)
		beat.cfg.Board = &quicker{board: b, copied: others(1)}
		ctx, end := context.WithTimeout(t.Context(), 10*TakeOver)
		defer end()
		start := time.Now()
		err := beat.Take(ctx)
		if took := time.Since(start); err != nil || took > TakeOver+Every {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// quicker is a board on which somebody puts a copy before every other swap.
type quicker struct {
	*board
	copied []byte
	swaps  int
}

func (q *quicker) Swap(ctx context.Context, subject string, data []byte, last uint64) (uint64, error) {
	if q.swaps++; q.swaps%2 == 1 {
		q.with(func() { q.put(q.copied) })
	}
	return q.board.Swap(ctx, subject, data, last)
}

// TestSnapshot: of a machine that is resumed twice from a snapshot of its memory one
// process ends, although both have one boot, and seal the very same bytes.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		first, lost := beatOn(b)
		if err := first.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		second, ended := beatOn(b)
		second.self, second.last, second.mine, second.sent = first.self, first.last, first.mine, slices.Clone(first.sent)
		first.Start()
		second.Start()
		time.Sleep(3 * Every)
		if len(lost)+len(ended) != 1 {
			t.Errorf("%d of the two have ended", len(lost)+len(ended))
		}
		first.Stop(t.Context())
		second.Stop(t.Context())
	})
}

// TestOwnCopiesInANewStream: the heartbeats of this process count as its own wherever
// they stand, also in a stream that began anew and passes the numbers that they name.
func TestOwnCopiesInANewStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		beat, lost := beatOn(b)
		if err := beat.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		beat.Start()
		time.Sleep(10 * Every)
		var old []byte
		b.with(func() { old, b.last, b.seq = b.last.Data, nil, 0 })
		for range 10 {
			time.Sleep(Every)
			b.with(func() { b.put(old) })
		}
		alive(t, lost)
		beat.Stop(t.Context())
	})
}

// TestNewStreamWhileListening: a process that starts does not take a chain that begins
// anew, with the stream, for one that ended.
func TestNewStreamWhileListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		for range 100 {
			b.put(others(b.seq))
		}
		first, lost := beatOn(b)
		if err := first.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Start()
		time.Sleep(Every - 2*time.Millisecond)
		second, _ := beatOn(b)
		took := make(chan error, 1)
		go func() { took <- second.Take(t.Context()) }()
		time.Sleep(time.Millisecond)
		b.with(func() { b.last, b.seq = nil, 0 }) // and first is the next to write
		var twin *TwinError
		if err := <-took; !errors.As(err, &twin) {
			t.Errorf("the second process ends with %v", err)
		}
		alive(t, lost)
		first.Stop(t.Context())
	})
}

// TestTakeSaysWhy: what keeps a heartbeat from being stored shows.
func TestTakeSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, why := range map[string]error{"no key": errors.New("no session key"), "denied": bus.ErrDenied} {
			beat, _ := beatOn(&board{stored: func() error { return why }})
			if name == "no key" {
				beat.cfg.Seal = func(context.Context, string, []byte) ([]byte, error) { return nil, why }
			}
			ctx, end := context.WithCancel(t.Context())
			took := make(chan error)
			go func() { took <- beat.Take(ctx) }()
			time.Sleep(time.Minute)
			if err := beat.Waiting(); !errors.Is(err, why) {
				t.Errorf("%s: it waits for %v", name, err)
			}
			end()
			if err := <-took; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: it ends with %v", name, err)
			}
		}
	})
}

// TestStopWithoutAnswer: the end waits for its last word no longer than its caller does.
func TestStopWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		beat, lost := beatOn(b)
		if err := beat.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		beat.cfg.Board = mute{b}
		beat.Start()
		time.Sleep(3 * Every)
		ctx, end := context.WithTimeout(t.Context(), Every)
		defer end()
		start := time.Now()
		beat.Stop(ctx)
		if took := time.Since(start); took > Every || len(lost) > 0 {
			t.Errorf("it took %s, lost: %d", took, len(lost))
		}
	})
}

// mute is a board that answers nothing.
type mute struct{ *board }

func (mute) Swap(ctx context.Context, _ string, _ []byte, _ uint64) (uint64, error) {
	<-ctx.Done()
	return 0, bus.ErrUnknown
}
