package directory

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// followed are the streams that the directory reads itself. KEYS it is given, as its gateway
// verifies all of it anyway.
var followed = []bus.Stream{bus.Requests, bus.Results, bus.Notices, bus.Labels}

// Run reads the streams until ctx ends. It makes a file anew that turns out to be damaged.
func (d *Directory) Run(ctx context.Context) error {
	for {
		err := d.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		d.cfg.Log.Error("the directory's file is damaged; it is read again from the streams", "file", d.cfg.Path, "err", err)
		d.dropChanges()
		if err := errors.Join(d.file.Load().close(), remove(d.cfg.Path)); err != nil {
			return err
		}
		if err := d.open(); err != nil {
			return err
		}
		d.entries.again()
	}
}

// dropChanges lets go of what was on its way into a file that is gone. It is read again.
func (d *Directory) dropChanges() {
	for {
		select {
		case <-d.changes:
		default:
			return
		}
	}
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// run reads until ctx ends, or the file is found to be damaged.
func (d *Directory) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	for _, stream := range followed {
		parts.Go(func() { d.follow(ctx, stream) })
	}
	parts.Go(func() { d.readPending(ctx) })
	parts.Go(func() { d.runEntries(ctx) })
	parts.Go(func() { d.runIndex(ctx) })
	return d.runWrites(ctx)
}

// followAgain is how long a stream that can't be followed is left alone.
const followAgain = 5 * time.Second

// follow reads one stream until ctx ends. One that the administrator has not made yet is waited
// for.
func (d *Directory) follow(ctx context.Context, stream bus.Stream) {
	for ctx.Err() == nil {
		f, err := d.start(ctx, stream)
		if err == nil {
			<-f.Done()
		} else if ctx.Err() == nil {
			d.cfg.Log.Warn("the directory can't follow a stream, trying again", "stream", stream, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(followAgain):
		}
	}
}

func (d *Directory) start(ctx context.Context, stream bus.Stream) (*bus.Follower, error) {
	id, err := d.cfg.Bus.StreamID(ctx, stream)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	at := d.applied[stream]
	d.mu.Unlock()
	if at.ID == "" {
		at.ID = id
	}
	return d.cfg.Bus.Follow(ctx, stream, at.Seq+1, bus.FollowOptions{
		StreamID: at.ID,
		Handler: func(m bus.Message) {
			at.Seq = m.Seq
			d.put(ctx, change{stream: stream, at: at, apply: d.read(stream, m)})
		},
		Lost: func(err error) {
			if lost, ok := errors.AsType[*bus.LostError](err); ok {
				at = position{ID: lost.StreamID}
			}
			if stream == bus.Labels {
				d.put(ctx, change{apply: (*write).dropRemarks})
			}
			d.cfg.Log.Warn("the directory reads a stream from its beginning", "stream", stream, "reason", err)
		},
		CaughtUp: func() { d.put(ctx, change{apply: nothing, after: func() { d.isCaughtUp(stream) }}) },
	})
}

func (d *Directory) isCaughtUp(stream bus.Stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.caught[stream] = true
}

func nothing(*write) error { return nil }

// read is what a message changes. What proves nothing changes nothing.
func (d *Directory) read(stream bus.Stream, m bus.Message) func(*write) error {
	var err error
	switch stream {
	case bus.Requests:
		var r Request
		if r, err = decodeRequest(m.Subject, m.Data); err == nil {
			return func(w *write) error {
				return w.takeRequest(r, m.Time.UnixNano())
			}
		}
	case bus.Labels:
		var r Remark
		if r, err = decodeRemark(m.Subject, m.Data); err == nil {
			return func(w *write) error { return w.takeRemark(r) }
		}
	default:
		if apply, ok := d.readAnswer(stream, m); ok {
			return apply
		}
		return nothing
	}
	d.cfg.Log.Warn("a message that is none is left out", "stream", stream, "seq", m.Seq, "err", err)
	return nothing
}

// readAnswer reads a message of RESULTS or NOTICES; false if no gateway of the access list
// signed it, or it is of no job that may have a line.
func (d *Directory) readAnswer(stream bus.Stream, m bus.Message) (func(*write) error, bool) {
	parse, of := wire.ParseResult, rankResult
	if stream == bus.Notices {
		parse = wire.ParseNotice
	}
	ref, err := parse(m.Subject)
	if err != nil || !wire.IsJobID(ref.Job) {
		return nil, false
	}
	a, err := readAnswer(d.cfg.Manifest, d.cfg.Access(), ref, m)
	if err != nil {
		return nil, false
	}
	if stream == bus.Notices {
		of = a.rank()
	}
	return func(w *write) error { return w.takeAnswer(ref, a, of, m.Time) }, true
}

// readPending reads the jobs that waited for approvals at the start: notices of them are kept
// for an hour, and they may wait for a week.
func (d *Directory) readPending(ctx context.Context) {
	for from, more := uint64(1), true; more; {
		page, rest, err := d.cfg.Bus.Part(ctx, bus.Pending, from, wire.PendingSubject("*", "*"))
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.cfg.Log.Warn("the directory can't read the jobs that wait, trying again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(followAgain):
			}
			continue
		}
		for _, m := range page {
			from = m.Seq + 1
			ref, err := wire.ParsePending(m.Subject)
			if err != nil || !wire.IsJobID(ref.Job) {
				continue
			}
			waits := answer{Kind: wire.KindSign, Status: wire.StatusPending}
			d.put(ctx, change{apply: func(w *write) error { return w.takeAnswer(ref, waits, rankPending, m.Time) }})
		}
		more = rest
	}
}
