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
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

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
	LastAtLeader(ctx context.Context, stream bus.Stream, subject string) (bus.Message, bool, error)
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
	past uint64 // nobody went on from here while Take listened: what comes after less is a copy
	sent digests
	why  error // that the last try stored nothing

	beside [16]byte // boot of another process, of which the log tells

	mu      sync.Mutex
	waiting error // what Take waits for
	stop    context.CancelFunc
	done    chan struct{}
}

// digests are of the heartbeats that this process stored, or may have stored, lately:
// for longer than a session key counts, and than the stream keeps a message.
type digests [][sha256.Size]byte

const maxDigests = 1024

func (d *digests) add(data []byte) {
	if len(*d) == maxDigests {
		*d = append((*d)[:0], (*d)[1:]...)
	}
	*d = append(*d, sha256.Sum256(data))
}

func (d digests) has(data []byte) bool { return slices.Contains(d, sha256.Sum256(data)) }

// New returns a Beat that is silent until Take or Start.
func New(cfg Config) *Beat {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	b := &Beat{cfg: cfg, self: wire.Heartbeat{
		Version: wire.HeartbeatVersion, Manifest: cfg.Manifest.Hash(), Build: wire.ClipHeartbeat(cfg.Build),
		Host: wire.ClipHeartbeat(host), Pid: uint32(os.Getpid()), Form: wire.Form,
	}}
	_, _ = rand.Read(b.self.Boot[:]) // never fails
	return b
}

// Boot names this process, as its heartbeats do.
func (b *Beat) Boot() [16]byte { return b.self.Boot }

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
// are two. What it says is sealed before Lost takes the key away, and is said also while
// the process ends, as it does then.
func (b *Beat) lost(ctx context.Context, twin *TwinError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attempt)
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
