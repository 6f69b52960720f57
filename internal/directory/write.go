package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// change is something that was read, on its way into the file.
type change struct {
	stream bus.Stream
	at     position // after it, in its stream
	apply  func(*write) error
}

// How writes are put together: one commit costs as much as a hundred changes.
const (
	maxQueued   = 256 // read, and waiting
	maxTogether = 1000
	commitEvery = 100 * time.Millisecond
	pruneEvery  = time.Minute
	retryEvery  = time.Second
)

// write is one transaction.
type write struct {
	tx      *bolt.Tx
	now     time.Time
	touched map[jobRef]struct{} // jobs whose lines may be others now
}

type jobRef struct{ client, id string }

func (w *write) touch(client, id string) { w.touched[jobRef{client, id}] = struct{}{} }

// runWrites writes what is read until ctx ends, or the file is found to be damaged.
func (d *Directory) runWrites(ctx context.Context) error {
	var last, pruned time.Time
	for {
		var together []change
		select {
		case <-ctx.Done():
			return nil
		case c := <-d.changes:
			together = d.gather(ctx, append(together, c), last.Add(commitEvery))
		}
		last = d.cfg.Now()
		prune := last.Sub(pruned) >= pruneEvery
		if prune {
			pruned = last
		}
		for d.commit(together, prune) != nil {
			if err := d.file.Load().damage(); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(retryEvery):
			}
		}
	}
}

// gather waits for more changes until a time, and takes those that are there already.
func (d *Directory) gather(ctx context.Context, together []change, until time.Time) []change {
	wait := time.NewTimer(until.Sub(d.cfg.Now()))
	defer wait.Stop()
	for over := false; len(together) < maxTogether; {
		if over {
			select {
			case c := <-d.changes:
				together = append(together, c)
				continue
			default:
				return together
			}
		}
		select {
		case c := <-d.changes:
			together = append(together, c)
		case <-wait.C:
			over = true
		case <-ctx.Done():
			return together
		}
	}
	return together
}

// commit writes changes, and tells those who wait for them.
func (d *Directory) commit(together []change, prune bool) error {
	w := &write{now: d.cfg.Now(), touched: map[jobRef]struct{}{}}
	file, positions := d.file.Load(), map[bus.Stream]position{}
	var keys, jobs, todo int
	err := file.update(func(tx *bolt.Tx) error {
		w.tx = tx
		clear(w.touched)
		for _, c := range together {
			if err := c.apply(w); err != nil {
				return err
			}
			if c.at.Seq > 0 {
				positions[c.stream] = c.at
			}
		}
		if prune {
			if err := w.prune(maxJobs); err != nil {
				return err
			}
		}
		for stream, at := range positions {
			if err := putPosition(tx, stream, at); err != nil {
				return err
			}
		}
		keys, jobs = counted(tx, metaKeys), counted(tx, metaJobs)
		todo = counted(tx, metaTodo)
		return nil
	})
	d.note(err)
	if err != nil {
		return err
	}
	d.keys.Store(int64(keys))
	d.jobs.Store(int64(jobs))
	d.index.added(todo)
	d.advance(positions)
	d.tell(w.touched)
	return nil
}

func counted(tx *bolt.Tx, name []byte) int { return int(number(tx.Bucket(bucketMeta).Get(name))) }

// note remembers why nothing can be written, and says it once.
func (d *Directory) note(err error) {
	d.mu.Lock()
	was := d.failing
	d.failing = err
	d.mu.Unlock()
	switch {
	case err != nil && was == nil:
		d.cfg.Log.Error("the directory's file can't be written; what is read waits", "file", d.cfg.Path, "err", err)
	case err == nil && was != nil:
		d.cfg.Log.Info("the directory's file is written again", "file", d.cfg.Path)
	}
}

// advance notes how far the file is.
func (d *Directory) advance(positions map[bus.Stream]position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for stream, at := range positions {
		d.applied[stream] = at
	}
	close(d.progress)
	d.progress = make(chan struct{})
}

// await waits until a stream is in the file up to a sequence.
func (d *Directory) await(ctx context.Context, stream bus.Stream, seq uint64) error {
	for {
		d.mu.Lock()
		at, progress := d.applied[stream], d.progress
		d.mu.Unlock()
		if at.Seq >= seq {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func putPosition(tx *bolt.Tx, stream bus.Stream, at position) error {
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put([]byte(metaPosition+string(stream)), text)
}

// resume reads how far a file is. The directory's lock is held.
func (d *Directory) resume(s *store) error {
	d.applied = map[bus.Stream]position{}
	return s.view(func(tx *bolt.Tx) error {
		for _, stream := range followed {
			text := tx.Bucket(bucketMeta).Get([]byte(metaPosition + string(stream)))
			if text == nil {
				continue
			}
			var at position
			if err := json.Unmarshal(text, &at); err != nil {
				return fmt.Errorf("%w: position in %s", errDamaged, stream)
			}
			d.applied[stream] = at
		}
		d.keys.Store(int64(counted(tx, metaKeys)))
		d.jobs.Store(int64(counted(tx, metaJobs)))
		d.index.added(counted(tx, metaTodo))
		return nil
	})
}

// put has a change written; false if ctx ended before.
func (d *Directory) put(ctx context.Context, c change) bool {
	select {
	case d.changes <- c:
		return true
	case <-ctx.Done():
		return false
	}
}
