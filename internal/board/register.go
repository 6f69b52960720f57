package board

import (
	"bytes"
	"container/list"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Register reads entries from KEYS. It is not safe for concurrent use.
type Register struct {
	max     int                      // bytes of deals that wait for others
	done    Done                     // entries that the program has already
	entries map[wire.BatchRef]*Entry // verified heads that lack deals, or were not taken yet
	of      map[string][]*Entry      // the same, by batch
	order   *list.List               // of *Entry, oldest head first
	wanted  map[[32]byte]want        // by digest: deals that a head names and that did not come yet
	refused map[string]bool          // ids with two valid entries
	placed  bool                     // parts of an entry count under their own subjects alone
	bytes   int
	now     time.Time
}

// Done tells the transcript of a generation of a batch that the program has already.
type Done func(ref wire.BatchRef) (transcript [32]byte, ok bool)

// Message is a message of KEYS that was read: what it proves, or why it is dropped.
type Message struct {
	seq     uint64
	subject string
	data    []byte
	entry   *wire.Entry // of a head
	digest  [32]byte    // of a deal
	err     error
}

// Read reads a message of KEYS. It verifies n signatures of a head, or hashes a deal,
// so machines have it done before their steps. held is what the program has of the same deal, if
// anything: the same bytes need no hash, and are not kept twice.
func Read(known wire.ManifestSet, msg wire.LogMessage, held Kept) Message {
	read := Message{seq: msg.Seq, subject: msg.Subject, data: msg.Data}
	switch entry, head := wire.IsEntry(msg.Subject); {
	case !entry:
	case head:
		read.entry, read.err = wire.VerifyEntry(msg.Data, known)
	case len(held.body) > 0 && bytes.Equal(held.body, msg.Data):
		read.data, read.digest = held.body, held.digest
	default:
		read.digest = wire.DealDigest(msg.Data)
	}
	return read
}

// Head is the entry that the message proves, nil if it is none's head.
func (m Message) Head() *wire.Entry {
	if m.err != nil {
		return nil
	}
	return m.entry
}

type want struct {
	entry *Entry
	index int
}

// Entry is an entry that is being read.
type Entry struct {
	*wire.Entry
	seq     uint64 // of its head
	deals   [][]byte
	missing int
	listed  *list.Element
	look    time.Time     // when it is to be read once more
	pause   time.Duration // after that
}

// Ref names the entry's generation of its batch.
func (e *Entry) Ref() wire.BatchRef { return wire.BatchRef{ID: e.ID, Generation: e.Generation} }

// Raw are the entry's deals, in index order: of a later generation, in that of its dealers.
func (e *Entry) Raw() [][]byte { return e.deals }

// Whole reports whether all deals are there.
func (e *Entry) Whole() bool { return e.missing == 0 }

// NewRegister returns a reader that has seen nothing. done tells of entries that
// need not be read again.
func NewRegister(maxBytes int, done Done) *Register {
	return &Register{
		max: maxBytes, done: done, entries: map[wire.BatchRef]*Entry{}, of: map[string][]*Entry{}, order: list.New(),
		wanted: map[[32]byte]want{}, refused: map[string]bool{},
	}
}

// Placed has parts of entries count under their own subjects alone. It is for who sees to it that
// KEYS has entries whole: who needs an entry later, as the next manifest's nodes do, looks under
// these subjects, and finds no copy that stands under another one.
func (r *Register) Placed() *Register {
	r.placed = true
	return r
}

func (r *Register) stands(msg Message, subject string) bool {
	return !r.placed || msg.subject == subject
}

// ConflictError says that all nodes certified two entries for one generation of a batch,
// or other keys in a later one. Its keys must not be used: nobody knows which ones they are.
type ConflictError struct{ ID string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("batch %s has two valid entries: all nodes certified both", e.ID)
}

// Put takes a message of KEYS. It returns the entry that the message added to, nil if
// it is no news. An error is why a message was dropped: junk, or a *ConflictError.
func (r *Register) Put(msg Message) (*Entry, error) {
	switch {
	case msg.err != nil:
		return nil, msg.err
	case msg.entry != nil:
		return r.putHead(msg)
	}
	return r.putDeal(msg), nil
}

func (r *Register) putHead(msg Message) (*Entry, error) {
	e := msg.entry
	if r.refused[e.ID] {
		return nil, nil
	}
	ref := wire.BatchRef{ID: e.ID, Generation: e.Generation}
	done, known := r.done(ref)
	old := r.entries[ref]
	if known && done == e.Transcript || old != nil && old.Same(e) {
		return nil, nil // once more: what it says is known, whoever says so
	}
	if known || old != nil || !r.continues(e) {
		r.Refuse(e.ID)
		return nil, &ConflictError{ID: e.ID}
	}
	if !r.stands(msg, wire.EntryHeadSubject(e.ID, e.Generation)) {
		return nil, nil
	}
	added := &Entry{Entry: e, seq: msg.seq, deals: make([][]byte, len(e.Deals)), missing: len(e.Deals)}
	r.entries[ref] = added
	r.of[e.ID] = append(r.of[e.ID], added)
	added.listed = r.order.PushBack(added)
	for i, digest := range e.Deals {
		r.wanted[digest] = want{added, i}
	}
	added.waits(r.now)
	return added, nil
}

// continues reports whether an entry is of the same keys as the other generations of its
// batch that are held.
func (r *Register) continues(e *wire.Entry) bool {
	return !slices.ContainsFunc(r.of[e.ID], func(other *Entry) bool { return !e.Continues(other.Entry) })
}

// putDeal takes a deal that some head names. Whatever else stands there is of no use
// to anybody, and no fault of its writer: an entry that is stored twice leaves some.
func (r *Register) putDeal(msg Message) *Entry {
	w, ok := r.wanted[msg.digest]
	if !ok || !r.stands(msg, wire.EntryDealSubject(w.entry.ID, w.entry.Generation, w.index)) {
		return nil
	}
	delete(r.wanted, msg.digest)
	w.entry.deals[w.index] = msg.data
	w.entry.missing--
	w.entry.waits(r.now)
	r.bytes += len(msg.data)
	r.evict(w.entry)
	return w.entry
}

// evict lets go of the deals of other entries, the oldest first, while there are too
// many. They are read again.
func (r *Register) evict(keep *Entry) {
	for el := r.order.Front(); el != nil && r.bytes > r.max; el = el.Next() {
		if e := el.Value.(*Entry); e != keep {
			r.drop(e)
		}
	}
}

// drop forgets an entry's deals.
func (r *Register) drop(e *Entry) {
	for i, body := range e.deals {
		if body != nil {
			r.bytes -= len(body)
			e.deals[i] = nil
			e.missing++
			r.wanted[e.Deals[i]] = want{e, i}
		}
	}
}

// Get returns an entry that is being read, nil if there is none.
func (r *Register) Get(ref wire.BatchRef) *Entry { return r.entries[ref] }

// Of are the generations of a batch that are being read.
func (r *Register) Of(id string) []*Entry { return r.of[id] }

// Refused reports whether a batch has two valid entries.
func (r *Register) Refused(id string) bool { return r.refused[id] }

// Refuse refuses a batch of which another valid entry was found elsewhere.
func (r *Register) Refuse(id string) {
	r.refused[id] = true
	for _, e := range slices.Clone(r.of[id]) {
		r.Forget(e.Ref())
	}
}

// Forget lets go of an entry: its program has taken it.
func (r *Register) Forget(ref wire.BatchRef) {
	e := r.entries[ref]
	if e == nil {
		return
	}
	delete(r.entries, ref)
	if rest := slices.DeleteFunc(r.of[ref.ID], func(o *Entry) bool { return o == e }); len(rest) > 0 {
		r.of[ref.ID] = rest
	} else {
		delete(r.of, ref.ID)
	}
	r.order.Remove(e.listed)
	for i, body := range e.deals {
		r.bytes -= len(body)
		delete(r.wanted, e.Deals[i])
	}
}

// FirstSeq is the lowest sequence of the heads that are held, or next if that is
// lower or there are none: who reads on from there misses nothing.
func (r *Register) FirstSeq(next uint64) uint64 {
	for _, e := range r.entries {
		next = min(next, e.seq)
	}
	return next
}

// Lacking lists the entries that lack deals.
func (r *Register) Lacking() (refs []wire.BatchRef) {
	for ref, e := range r.entries {
		if !e.Whole() {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Len counts the entries that are held, and Bytes what their deals take.
func (r *Register) Len() int { return len(r.entries) }

// Bytes is what all deals take that are held.
func (r *Register) Bytes() int { return r.bytes }

// The pause before an entry that lacks deals is read once more: its gateway writes
// the head first, or may have ended in between.
const (
	minLook = 3 * time.Second
	maxLook = time.Hour
)

func (e *Entry) waits(now time.Time) { e.look, e.pause = now.Add(minLook), minLook }

// Tick tells the time by the program's clock.
func (r *Register) Tick(now time.Time) { r.now = now }

// Late lists the entries that have lacked deals for a while, each now and then.
func (r *Register) Late() (ids []string) {
	now := r.now
	for el := r.order.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*Entry); !e.Whole() && !now.Before(e.look) {
			e.pause = min(2*e.pause, maxLook)
			e.look = now.Add(e.pause)
			ids = append(ids, e.ID)
		}
	}
	return ids
}
