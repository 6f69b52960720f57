// Package presence publishes the heartbeats of a node or a gateway, one a second on
// one subject. Each is swapped for the one before (compare and swap), so they form a
// chain, and that chain is a node's lease: of two processes with one index, one finds
// at its next swap that the other has the subject, and ends.
//
// A process that starts takes the subject at once if it is free: nothing there,
// nothing valid, or a last word of who left. Otherwise it listens for TakeOver. Where
// the chain goes on, somebody lives, and the process that starts is the one to end.
//
// Contact that is lost is no swap that is lost: without an answer of the stream the
// holder goes on, and tries again every second.
package presence

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Times of the chain. Two processes share an index for no longer than Every and a
// round trip, where both reach the stream.
const (
	Every    = time.Second
	TakeOver = 3 * Every // after this long without a heartbeat the subject is free

	look    = Every / 4       // between two looks at somebody else's subject
	attempt = 2 * time.Second // for one swap or one look
	retries = 3               // of one heartbeat: junk on the subject costs one each
)

// Board is the bus.
type Board interface {
	Swap(ctx context.Context, subject string, data []byte, last uint64) (seq uint64, err error)
	Publish(ctx context.Context, subject string, data []byte, header map[string][]string) (uint64, error)
	Last(ctx context.Context, stream bus.Stream, subject string) (bus.Message, bool, error)
}

// Config is what heartbeats are made of.
type Config struct {
	Board    Board
	Manifest *wire.Manifest
	Build    string
	Subject  string
	// Twin is where a process that loses its subject says so; "": it does not lose it.
	Twin string
	// Seal signs a heartbeat for a subject.
	Seal func(ctx context.Context, subject string, body []byte) ([]byte, error)
	// Open reads what is there, if somebody sealed it who may. It is called by one
	// goroutine at a time.
	Open func(wire.LogMessage) (*wire.Heartbeat, error)
	// Load fills in what the program has to do. It must not block.
	Load func(*wire.Heartbeat)
	// Lost is called once, when another process has the subject.
	Lost func(*TwinError)
	Log  *slog.Logger
}

// TwinError says that another process has the subject.
type TwinError struct {
	Subject string
	Other   wire.Heartbeat
}

func (e *TwinError) Error() string {
	return fmt.Sprintf("another process runs under %s (%s); this one ends. Run one process for each index, with its "+
		"own credentials and its own storage", e.Subject, e.Other.Process())
}

// Beat publishes the heartbeats of one process.
type Beat struct {
	cfg  Config
	self wire.Heartbeat
	last uint64 // sequence that the subject ends with, as far as is known
	mine uint64 // sequence of this process's last heartbeat
	sent []byte // sealed, of which the outcome is not known

	mu      sync.Mutex
	waiting error // what Take waits for
	stop    context.CancelFunc
	done    chan struct{}
}

// New returns a Beat that is silent until Take or Start.
func New(cfg Config) *Beat {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	b := &Beat{cfg: cfg, self: wire.Heartbeat{
		Version: wire.HeartbeatVersion, Manifest: cfg.Manifest.Hash(), Build: wire.ClipHeartbeat(cfg.Build),
		Host: wire.ClipHeartbeat(host), Pid: uint32(os.Getpid()),
	}}
	_, _ = rand.Read(b.self.Boot[:]) // never fails
	return b
}

// Start has a heartbeat published every second, until Stop.
func (b *Beat) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.stop, b.done = cancel, make(chan struct{})
	go func() {
		defer close(b.done)
		tick := time.NewTicker(Every)
		defer tick.Stop()
		for {
			if err := b.beat(ctx, false); err != nil {
				b.lost(ctx, err)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the heartbeats with a last word, so that another process need not wait.
func (b *Beat) Stop(ctx context.Context) {
	if b.stop == nil {
		return
	}
	b.stop()
	<-b.done
	if b.mine != 0 {
		_ = b.beat(ctx, true) // who has the subject meanwhile knows
	}
}

// lost ends this process's heartbeats, and says where everybody can read it that there
// are two. What it says is sealed before Lost takes the key away.
func (b *Beat) lost(ctx context.Context, twin *TwinError) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	b.mine = 0
	sealed, err := b.sealed(ctx, b.cfg.Twin, b.last, true)
	b.cfg.Lost(twin)
	if err == nil {
		_, err = b.cfg.Board.Publish(ctx, b.cfg.Twin, sealed, nil)
	}
	if err != nil {
		b.cfg.Log.Warn("the fleet was not told of another process", "err", err, "other", twin.Other.Process())
	}
}

func (b *Beat) sealed(ctx context.Context, subject string, after uint64, leaving bool) ([]byte, error) {
	h := b.self
	h.After, h.Leaving = after, leaving
	b.cfg.Load(&h)
	return b.cfg.Seal(ctx, subject, wire.Encode(&h))
}

// beat swaps one heartbeat. It fails only if another process has the subject.
func (b *Beat) beat(ctx context.Context, leaving bool) *TwinError {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	for range retries {
		done, twin := b.try(ctx, leaving)
		if done || twin != nil {
			return twin
		}
	}
	return nil
}

// try makes one swap. It is done if it was stored, or if there is no contact.
func (b *Beat) try(ctx context.Context, leaving bool) (done bool, twin *TwinError) {
	sealed, err := b.sealed(ctx, b.cfg.Subject, b.last, leaving)
	if err != nil {
		return true, nil // no key to sign with: this node is silent anyhow
	}
	seq, err := b.cfg.Board.Swap(ctx, b.cfg.Subject, sealed, b.last)
	if err == nil {
		b.last, b.mine = seq, seq
		return true, nil
	}
	if errors.Is(err, bus.ErrUnknown) {
		b.sent = sealed
	}
	if !errors.Is(err, bus.ErrConflict) {
		b.cfg.Log.Debug("heartbeat not stored", "err", err)
		return true, nil
	}
	other, err := b.reread(ctx)
	if err != nil {
		return true, nil
	}
	if other == nil {
		return false, nil
	}
	if b.cfg.Twin == "" {
		b.cfg.Log.Warn("another process publishes heartbeats under this name", "other", other.Process())
		return false, nil
	}
	return true, &TwinError{Subject: b.cfg.Subject, Other: *other}
}

// reread learns what the subject ends with, and returns the heartbeat of another
// process that came after this one's. Whatever else is there is to be replaced: junk, a
// copy of something older, a last word, or what this process itself stored without
// being told.
func (b *Beat) reread(ctx context.Context) (*wire.Heartbeat, error) {
	m, found, err := b.cfg.Board.Last(ctx, bus.Presence, b.cfg.Subject)
	if err != nil {
		return nil, err
	}
	if !found {
		b.last = 0
		return nil, nil
	}
	b.last = m.Seq
	if b.sent != nil && bytes.Equal(m.Data, b.sent) {
		b.mine = m.Seq
		return nil, nil
	}
	h, err := b.open(m)
	if err != nil || h.Boot == b.self.Boot || h.Leaving || h.After < b.mine {
		return nil, nil //nolint:nilerr // junk is replaced
	}
	return h, nil
}

func (b *Beat) open(m bus.Message) (*wire.Heartbeat, error) {
	return b.cfg.Open(wire.LogMessage{Subject: m.Subject, Seq: m.Seq, Time: m.Time, Data: m.Data})
}

// Waiting is what Take waits for; nil if nothing.
func (b *Beat) Waiting() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

func (b *Beat) wait(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = err
}

// Take makes the subject this process's. It waits while it has no contact, and fails
// with a *TwinError if another process goes on with it.
func (b *Beat) Take(ctx context.Context) error {
	defer b.wait(nil)
	for pause := (backoff.Backoff{Min: look, Max: Every}); ; {
		twin, err := b.listen(ctx)
		if twin != nil {
			b.lost(ctx, twin)
			return twin
		}
		if err == nil {
			mine := b.mine
			if err := b.beat(ctx, false); err != nil {
				continue // somebody was quicker: listen again
			}
			if b.mine != mine {
				return nil
			}
			err = errors.New("heartbeat not stored yet")
		}
		b.wait(fmt.Errorf("waiting for PRESENCE: %w", err))
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// listen returns whether the subject is somebody else's: who has it must let
// TakeOver pass without going on with the chain.
func (b *Beat) listen(ctx context.Context) (*TwinError, error) {
	before, err := b.at(ctx)
	if err != nil || before == nil {
		return nil, err
	}
	waiting := fmt.Errorf("waiting %s: another process may still run under %s (%s)",
		TakeOver, b.cfg.Subject, before.Process())
	b.wait(waiting)
	b.cfg.Log.Info(waiting.Error())
	from := b.last
	for end := time.Now().Add(TakeOver); time.Now().Before(end); {
		if err := backoff.Sleep(ctx, look); err != nil {
			return nil, err
		}
		now, err := b.at(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case now == nil:
			return nil, nil
		case b.last != from && now.After >= from:
			return &TwinError{Subject: b.cfg.Subject, Other: *now}, nil
		}
	}
	return nil, nil
}

// at reads who has the subject; nil if nobody.
func (b *Beat) at(ctx context.Context) (*wire.Heartbeat, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return b.reread(ctx)
}
