package audit

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// The goroutine that writes.

// run writes what is appended until stop, and then what still waits. What fails is tried
// again with the next tick.
func (w *Writer) run() {
	defer close(w.done)
	defer w.letGo()
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.wake:
			if w.failing.Load() == nil {
				time.Sleep(collect) // more come at once: one write is for all
				w.note(w.drain())
			}
		case <-tick.C:
			w.note(w.settle())
		case <-w.stop:
			w.note(w.settle())
			return
		}
	}
}

// note remembers why nothing can be written, and says it once.
func (w *Writer) note(err error) {
	was := w.failing.Load()
	if err != nil {
		w.failing.Store(&err)
	} else if was != nil {
		w.failing.Store(nil)
	}
	switch {
	case err != nil && was == nil:
		w.cfg.Log.Error("audit log can't be written; records wait in memory", "err", err)
	case err == nil && was != nil:
		w.cfg.Log.Info("audit log is written again")
	}
}

// settle has the disk hold all that was appended.
func (w *Writer) settle() error {
	if err := w.present(); err != nil {
		return err
	}
	if err := w.drain(); err != nil {
		return err
	}
	return w.sync()
}

// errGone: what is written now would reach no disk that anybody can read.
var errGone = errors.New("was removed or replaced while open: put it back, or restart the program")

// present looks whether the file is still the one of its name.
func (w *Writer) present() error {
	open, err := w.file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(w.file.Name()); err != nil || !os.SameFile(open, there) {
		return fmt.Errorf("%s %w", w.file.Name(), errGone)
	}
	return nil
}

// drain writes all that waits.
func (w *Writer) drain() error {
	for {
		if err := w.flush(); err != nil {
			return err
		}
		if !w.next() {
			return nil
		}
		if w.size >= w.maxFile {
			if err := w.rotate(); err != nil {
				return err
			}
		}
		w.take()
	}
}

// next reports whether there is more to write, and has it in batch and missed.
func (w *Writer) next() bool {
	if len(w.batch) > 0 || w.missed > 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch, w.queue = w.queue, w.spare
	w.spare, w.missed, w.lost = nil, w.lost, 0
	if cap(w.batch) <= maxSpare {
		w.spare = w.batch[:0]
	}
	return len(w.batch) > 0 || w.missed > 0
}

// take makes lines of the next records of the batch, and after its last one of how many
// found no room.
func (w *Writer) take() {
	w.count = min(len(w.batch), maxLines)
	for i := range w.batch[:w.count] {
		w.add(&w.batch[i])
	}
	clear(w.batch[:w.count])
	w.batch = w.batch[w.count:]
	if len(w.batch) == 0 && w.missed > 0 {
		w.add(&Record{Time: w.now(), By: w.cfg.By, Event: EventLost, Lost: w.missed,
			Reason: "no room for records in memory while the log could not be written"})
		w.missed = 0
	}
}

func (w *Writer) add(r *Record) {
	text, head, err := appendLine(w.pending, w.head, r, &w.scratch)
	if err != nil { // a fault of this program
		w.cfg.Log.Error("no audit record could be made", "event", r.Event, "err", err)
		w.dropped.Add(1)
		return
	}
	w.pending, w.head = text, head
}

// flush writes the lines that are made. Of what it writes in part it goes on with the rest.
func (w *Writer) flush() error {
	if len(w.pending) == 0 {
		return nil
	}
	n, err := w.file.Write(w.pending)
	w.size += int64(n)
	w.unsync = w.unsync || n > 0
	if err != nil {
		w.pending = append([]byte(nil), w.pending[n:]...)
		return err
	}
	w.pending = w.pending[:0]
	w.written.Add(uint64(w.count))
	w.waiting.Add(-int64(w.count))
	w.count = 0
	return nil
}

// sync has the disk hold what is written, which is all that was made.
func (w *Writer) sync() error {
	if !w.unsync {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	head := w.head
	w.unsync = false
	w.synced.Store(&head)
	return nil
}

func (w *Writer) rotate() error {
	if err := w.sync(); err != nil {
		return err
	}
	return w.begin(w.number+1, nil)
}
