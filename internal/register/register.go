// Package register moves entries of the register between KEYS, files and what else
// holds them. Entries prove themselves (internal/wire), so it trusts none of them:
// whatever comes in is verified against the manifest, and only whole entries go out.
package register

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Entry is a whole entry that was verified.
type Entry struct {
	*wire.Entry
	Head  []byte
	Deals [][]byte
}

// NewEntry verifies an entry.
func NewEntry(known wire.ManifestSet, head []byte, deals [][]byte) (*Entry, error) {
	e, err := wire.VerifyEntry(head, known)
	if err != nil {
		return nil, err
	}
	if len(deals) != len(e.Deals) {
		return nil, errors.New("an entry needs the deals of all its dealers")
	}
	for i, deal := range deals {
		if err := e.VerifyDeal(i, deal); err != nil {
			return nil, err
		}
	}
	return &Entry{e, head, deals}, nil
}

// Summary counts what was read.
type Summary struct {
	Entries int `json:"entries"`
	Later   int `json:"later,omitempty"`   // of these, further generations of a batch of which one was read before
	Compact int `json:"compact,omitempty"` // of these, of wire.CompactVersion
	Keys    int `json:"keys"`              // each once, in however many generations
	Dropped int `json:"dropped"`           // messages that prove nothing
	Foreign int `json:"foreign"`           // of these, heads of another manifest or format, which may prove something elsewhere
	Partial int `json:"partial"`           // entries that lack deals

	Damage Damage `json:"damage,omitzero"` // to KEYS
}

// Batches counts those of which there is an entry.
func (s Summary) Batches() int { return s.Entries - s.Later }

// Damage is what copies of KEYS lack.
type Damage struct {
	Sequences string `json:"sequences"` // that the copy lacks which leads, or another; "": none
	Unread    uint64 `json:"unread"`    // of these: no copy that answered had them. They may be of other entries
	Partial   int    `json:"partial"`   // entries that lack deals, and that nobody writes just now
}

// maxSequences is how many gaps are named.
const maxSequences = 20

func (d *Damage) add(gaps []bus.Gap) {
	for i, g := range gaps {
		switch {
		case i == maxSequences:
			d.Sequences += ", ..."
		case i == 0:
			d.Sequences = g.String()
		case i < maxSequences:
			d.Sequences += ", " + g.String()
		}
	}
	d.Unread, _ = bus.Unread(gaps)
}

// Collector puts entries together from their messages, in any order in which a deal
// follows its head.
type Collector struct {
	known    wire.ManifestSet
	register *board.Register
	done     map[wire.BatchRef][32]byte
	roots    map[string][32]byte // by batch: of the keys, which are the same in every generation
	dropped  int
	foreign  int
	keys     int
	compact  int
}

// maxPending bounds the deals of entries that are not whole yet, in bytes.
const maxPending = 256 << 20

// NewCollector returns a collector of the entries of the manifests that are known.
func NewCollector(known wire.ManifestSet) *Collector {
	c := &Collector{known: known, done: map[wire.BatchRef][32]byte{}, roots: map[string][32]byte{}}
	c.register = board.NewRegister(maxPending, func(ref wire.BatchRef) ([32]byte, bool) {
		transcript, ok := c.done[ref]
		return transcript, ok
	})
	return c
}

// Put takes a message. It returns the entry that became whole with it, if one did, or
// why the message was dropped.
func (c *Collector) Put(head bool, data []byte) (*Entry, error) {
	subject := wire.EntryDealSubject("", 0, 0)
	if head {
		subject = wire.EntryHeadSubject("", 0)
	}
	e, err := c.register.Put(board.Read(c.known, wire.LogMessage{Subject: subject, Data: data}, board.Kept{}))
	if err == nil && e != nil && e.Whole() {
		err = c.check(e)
	}
	if err != nil {
		c.dropped++
		if errors.Is(err, wire.ErrOtherFleet) || errors.Is(err, wire.ErrEntryVersion) {
			c.foreign++
		}
		return nil, err
	}
	if e == nil || !e.Whole() {
		return nil, nil
	}
	whole := &Entry{e.Entry, wire.Encode(&e.EntryHead), e.Raw()}
	if _, again := c.roots[e.ID]; !again {
		c.keys += len(e.Keys)
	}
	if e.Version == wire.CompactVersion {
		c.compact++
	}
	c.done[e.Ref()], c.roots[e.ID] = e.Transcript, e.Root
	c.register.Forget(e.Ref())
	return whole, nil
}

// check holds an entry against other generations of its batch: where their keys differ
// nobody knows which are the batch's.
func (c *Collector) check(e *board.Entry) error {
	if root, ok := c.roots[e.ID]; ok && root != e.Root {
		c.register.Refuse(e.ID)
		return &board.ConflictError{ID: e.ID}
	}
	return nil
}

// Summary counts what came in so far.
func (c *Collector) Summary() Summary {
	return Summary{
		Entries: len(c.done), Later: len(c.done) - len(c.roots), Compact: c.compact, Keys: c.keys, Dropped: c.dropped, Foreign: c.foreign, Partial: c.register.Len(),
	}
}

// ErrConflict says that KEYS has another valid entry of this generation of the batch.
var ErrConflict = errors.New("another valid entry of the batch is in KEYS, with other deals or keys")

// Publisher fills slots: a *bus.Bus.
type Publisher interface {
	Publish(ctx context.Context, subject string, data []byte, header map[string][]string) (uint64, error)
	PublishSlot(ctx context.Context, subject string, data []byte, header map[string][]string,
		isValue func(bus.Message) bool) (found bool, err error)
}

// dealWrites is how many deals of an entry are on their way at a time.
const dealWrites = 8

// slotPatience is how long a writer looks for a value behind the junk of a subject.
const slotPatience = 5 * time.Second

// write fills a subject of an entry unless its value is there. Who writes junk there
// faster than it is passed over keeps nobody out: no reader minds where a value stands,
// or that it stands there twice.
func write(ctx context.Context, b Publisher, subject string, data []byte, header map[string][]string,
	isValue func(bus.Message) bool) error {
	for {
		junk := false
		looking, cancel := context.WithTimeout(ctx, slotPatience)
		_, err := b.PublishSlot(looking, subject, data, header, func(msg bus.Message) bool {
			value := isValue(msg)
			junk = junk || !value
			return value
		})
		over := looking.Err() != nil
		cancel()
		switch {
		case err == nil, !over, ctx.Err() != nil:
			return err
		case junk:
			_, err = b.Publish(ctx, subject, data, header)
			return err
		}
	}
}

// Store writes an entry to KEYS, and returns once KEYS has acknowledged all of it. The
// head goes first: readers keep no deal without it. What stands under one of its
// subjects counts if it proves the same, whoever wrote it; anything else is junk, and
// passed over. So it may be called any number of times, by anybody.
func Store(
	ctx context.Context, b Publisher, known wire.ManifestSet, e *Entry, header map[string][]string,
) error {
	var conflict error
	err := write(ctx, b, wire.EntryHeadSubject(e.ID, e.Generation), e.Head, header, func(msg bus.Message) bool {
		standing, err := wire.VerifyEntry(msg.Data, known)
		if err != nil || standing.ID != e.ID || standing.Generation != e.Generation {
			return false
		}
		if !standing.Same(e.Entry) {
			conflict = ErrConflict
		}
		return true
	})
	if err = errors.Join(err, conflict); err != nil {
		return err
	}
	var writes sync.WaitGroup
	errs, room := make([]error, len(e.Deals)), make(chan struct{}, dealWrites)
	for i, deal := range e.Deals {
		room <- struct{}{}
		writes.Go(func() {
			subject := wire.EntryDealSubject(e.ID, e.Generation, i)
			errs[i] = write(ctx, b, subject, deal, nil, func(msg bus.Message) bool {
				return e.VerifyDeal(i, msg.Data) == nil
			})
			<-room
		})
	}
	writes.Wait()
	return errors.Join(errs...)
}

// Log is what Read reads: a *bus.Bus.
type Log interface {
	FollowToEnd(ctx, life context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) (*bus.Follower, error)
}

// readAll hands everything to f that KEYS held at the call. It follows the stream:
// otherwise the end of a replica that lags would be taken for that of KEYS, and a copy
// for whole that is not.
func readAll(ctx context.Context, l Log, f func(bus.Message) error) (gaps []bus.Gap, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	follower, err := l.FollowToEnd(ctx, ctx, bus.Keys, 1, bus.FollowOptions{
		Handler: func(msg bus.Message) {
			if ctx.Err() != nil {
				return
			}
			if err := f(msg); err != nil {
				cancel(err)
			}
		},
		Lost: func(err error) { cancel(fmt.Errorf("KEYS changed while it was read: %w", err)) },
	})
	if follower != nil {
		follower.Stop()
		gaps = follower.Gaps()
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return gaps, err
}

// beingWritten is longer than a gateway takes from an entry's head to its last deal.
const beingWritten = time.Second

// Read hands every whole entry of KEYS that the known manifests prove to f, once: of a batch,
// all generations. It reads KEYS a second time for
// entries whose deals came before their heads, or that are being written.
func Read(ctx context.Context, l Log, known wire.ManifestSet, f func(*Entry) error) (Summary, error) {
	sum, gaps, err := read(ctx, l, known, f)
	sum.Damage.add(gaps)
	return sum, err
}

// read is Read that says what it met in KEYS' copies.
func read(
	ctx context.Context, l Log, known wire.ManifestSet, f func(*Entry) error,
) (sum Summary, gaps []bus.Gap, err error) {
	c := NewCollector(known)
	put := func(msg bus.Message) error {
		entry, head := wire.IsEntry(msg.Subject)
		if !entry {
			return nil // a manifest, or a succession
		}
		if e, err := c.Put(head, msg.Data); err == nil && e != nil {
			return f(e)
		}
		return nil
	}
	gaps, err = readAll(ctx, l, put)
	if sum = c.Summary(); err != nil || sum.Partial == 0 {
		return sum, gaps, err
	}
	before, lacking := sum, c.register.Lacking()
	select {
	case <-time.After(beingWritten):
	case <-ctx.Done():
		return before, nil, ctx.Err()
	}
	gaps, err = readAll(ctx, l, put)
	sum = c.Summary()
	sum.Dropped, sum.Foreign = before.Dropped, before.Foreign // the same ones once more
	for _, id := range lacking {
		if c.register.Get(id) != nil {
			sum.Damage.Partial++
		}
	}
	return sum, gaps, err
}
