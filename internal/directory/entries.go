package directory

import (
	"context"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// entries are verified heads on their way in. Who gives them is not held up: where the file
// takes too few, they are let go, and read again from KEYS once it does.
type entries struct {
	mu      sync.Mutex
	queue   []*batch
	bytes   int
	missing uint64 // the first sequence from which on KEYS is read again; 0: nothing is missing
	latest  uint64 // the last one that was let go
	since   uint64 // the first one that was let go since that reading began; 0: none
	read    bool   // all of KEYS was given that was stored at the start
	told    bool   // and the file has it
	wake    chan struct{}
	once    sync.Once
}

// maxEntries bounds what waits, in bytes.
const maxEntries = 32 << 20

func (e *entries) signal() chan struct{} {
	e.once.Do(func() { e.wake = make(chan struct{}, 1) })
	return e.wake
}

func (e *entries) nudge() {
	select {
	case e.signal() <- struct{}{}:
	default:
	}
}

// Entry takes a verified head of KEYS, which came in m. It does not wait.
func (d *Directory) Entry(e *wire.Entry, m bus.Message) {
	b := newBatch(e, jobOf(m), m.Seq, m.Time)
	q := &d.entries
	q.mu.Lock()
	switch {
	case q.bytes+len(b.Keys) > maxEntries && len(q.queue) > 0:
		q.letGo(m.Seq)
	default:
		q.queue = append(q.queue, b)
		q.bytes += len(b.Keys)
	}
	q.mu.Unlock()
	q.nudge()
}

// letGo notes an entry that has to be read again.
func (e *entries) letGo(seq uint64) {
	e.latest = max(e.latest, seq)
	for _, first := range []*uint64{&e.missing, &e.since} {
		if *first == 0 || seq < *first {
			*first = seq
		}
	}
}

// filled ends a reading of KEYS that has come to a sequence; false if it is to go on.
func (e *entries) filled(next uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latest >= next {
		return false
	}
	e.missing, e.since = e.since, 0
	return true
}

// EntriesRead says that all was given that KEYS held at the start.
func (d *Directory) EntriesRead() {
	d.entries.mu.Lock()
	d.entries.read = true
	d.entries.mu.Unlock()
	d.entries.nudge()
}

// jobOf is the job that a head's header names. It proves nothing, and is of use to nobody but
// who looks for the keys of a job.
func jobOf(m bus.Message) string {
	if job := m.Header[wire.HeaderJob]; len(job) == 1 && wire.IsJobID(job[0]) {
		return job[0]
	}
	return ""
}

// again has all of KEYS read once more.
func (e *entries) again() {
	e.mu.Lock()
	e.missing, e.since, e.queue, e.bytes, e.told = 1, 0, nil, 0, false
	e.mu.Unlock()
	e.nudge()
}

func (e *entries) behind() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.missing != 0
}

// take takes what waits.
func (e *entries) take() (queue []*batch, missing uint64, whole bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue, e.queue, e.bytes = e.queue, nil, 0
	if e.missing != 0 {
		e.since = 0 // what was let go until now is read from here on
	}
	whole = e.read && !e.told && e.missing == 0
	e.told = e.told || whole
	return queue, e.missing, whole
}

// runEntries puts entries into the file until ctx ends.
func (d *Directory) runEntries(ctx context.Context) {
	for {
		queue, missing, whole := d.entries.take()
		for _, b := range queue {
			d.put(ctx, change{apply: func(w *write) error { return w.takeBatch(b) }})
		}
		if whole {
			d.put(ctx, change{apply: nothing, after: func() { d.isCaughtUp(bus.Keys) }})
		}
		if missing != 0 {
			d.refill(ctx, missing)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-d.entries.signal():
		}
	}
}

// refill reads heads from KEYS, from a sequence on.
func (d *Directory) refill(ctx context.Context, from uint64) {
	for {
		page, more, err := d.cfg.Bus.Part(ctx, bus.Keys, from, wire.EntryHeads)
		for _, m := range page {
			from = m.Seq + 1
			if e, err := wire.VerifyEntry(m.Data, d.cfg.Known()); err == nil {
				b := newBatch(e, jobOf(m), m.Seq, m.Time)
				d.put(ctx, change{apply: func(w *write) error { return w.takeBatch(b) }})
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil && !more && d.entries.filled(from) {
			return
		}
		if err != nil {
			d.cfg.Log.Warn("the directory can't read KEYS again, trying once more", "err", err)
		}
		if err != nil || !more {
			select {
			case <-ctx.Done():
			case <-time.After(followAgain):
			}
		}
	}
}
