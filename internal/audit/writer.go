package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/frostfleet/frostfleet/internal/clock"
)

// Bounds of what waits in memory to be written, in records, and times.
const (
	maxQueue  = 1 << 16
	fullQueue = maxQueue * 3 / 4 // from here on there is no Room

	syncEvery  = 500 * time.Millisecond
	retryEvery = time.Second
	closeTime  = 5 * time.Second
	collect    = 2 * time.Millisecond
	maxLines   = 512 // of one write
	maxSpare   = 1024
)

// Writer adds records to a log. Append takes no time: a goroutine writes, and has the disk
// sync twice a second while there is something new. What a record costs is paid there.
//
// What a crash loses: of the process, the records of the last milliseconds, which no write
// has reached yet; of the machine, those since the last sync. Head tells of what is synced
// only, so a log that ends before a head that somebody heard was cut by no crash.
//
// Where the disk takes nothing, records wait in memory, up to 65,536 of them. Err says why.
// From three quarters of that on there is no Room, and a worker commits to nothing and
// signs nothing until there is. A Writer that is nil is one that writes nothing.
type Writer struct {
	cfg     Config
	lock    *flock.Flock
	maxFile int64

	mu    sync.Mutex
	queue []Record
	lost  uint64 // since the last record that says so
	ended bool

	wake, stop, done chan struct{}

	// Owned by the goroutine that writes.
	batch   []Record // taken from the queue
	spare   []Record // of no use now: the next queue
	missed  uint64   // lost after the batch
	file    *os.File
	number  int
	size    int64
	head    Head   // of what is in pending, too
	pending []byte // lines that are not written yet
	count   int    // records of them
	unsync  bool   // something is written and not synced
	scratch bytes.Buffer

	synced  atomic.Pointer[Head]
	failing atomic.Pointer[error]
	written atomic.Uint64
	waiting atomic.Int64
	dropped atomic.Uint64
}

func newWriter(cfg Config) *Writer {
	w := &Writer{
		cfg: cfg, maxFile: maxFile,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	w.synced.Store(&Head{})
	return w
}

func (w *Writer) now() time.Time { return clock.Now().UTC().Truncate(time.Millisecond) }

// Append adds a record. It does not wait. A record for which memory has no room any more is
// counted, and a later record of the log says how many there were.
func (w *Writer) Append(r Record) {
	if w == nil {
		return
	}
	r.Time, r.By = w.now(), w.cfg.By
	w.mu.Lock()
	if w.ended || w.waiting.Load() >= maxQueue {
		w.lost++
		w.dropped.Add(1)
		w.mu.Unlock()
		return
	}
	w.queue = append(w.queue, r)
	w.waiting.Add(1)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// maxChanges is how many changes of one access list are written down.
const maxChanges = 100

// AppendAccess adds the changes of an access list.
func (w *Writer) AppendAccess(changes []string) {
	for i, change := range changes {
		r := Record{Event: EventAccess, Reason: change}
		if i == maxChanges-1 {
			r.Lost = uint64(len(changes) - maxChanges)
		}
		if i < maxChanges {
			w.Append(r)
		}
	}
}

// AppendFreeze adds that a freeze came into force or was lifted: what is "frozen" or
// "unfrozen", and id is how people call the freeze.
func (w *Writer) AppendFreeze(what, id, about string) {
	w.Append(Record{Event: EventFreeze, Reason: fmt.Sprintf("%s %s: %s", what, id, about)})
}

// Room reports whether the records of what a program does next have a place.
func (w *Writer) Room() bool { return w == nil || w.waiting.Load() < fullQueue }

// Err is why records wait in memory; nil if they do not.
func (w *Writer) Err() error {
	if w == nil {
		return nil
	}
	err := w.failing.Load()
	if err == nil {
		return nil
	}
	what := ""
	if !w.Room() {
		what = ": nothing is signed until it can"
	}
	return fmt.Errorf("audit log can't be written, and %d records wait in memory%s: %w", w.waiting.Load(), what, *err)
}

// Head is that of what is on the disk.
func (w *Writer) Head() Head {
	if w == nil {
		return Head{}
	}
	return *w.synced.Load()
}

// Stats counts records: written since the start, waiting in memory, and lost.
func (w *Writer) Stats() (written, waiting, lost uint64) {
	if w == nil {
		return 0, 0, 0
	}
	return w.written.Load(), uint64(max(w.waiting.Load(), 0)), w.dropped.Load()
}

// Close writes and syncs what waits, for 5 s at most, and lets go of the log. What is
// appended from then on is lost.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	ended := w.ended
	w.ended = true
	w.mu.Unlock()
	if !ended {
		close(w.stop)
	}
	select {
	case <-w.done:
	case <-time.After(closeTime):
		return errors.New("audit log: the disk does not answer")
	}
	return w.Err()
}

// letGo closes the files, and with them the lock.
func (w *Writer) letGo() {
	if w.file != nil {
		_ = w.file.Close()
	}
	if w.lock != nil {
		_ = w.lock.Unlock()
	}
}
