// Package board holds what the log says of batches: of those in progress, by the
// rounds (Board), and of finished ones, by the register (Register). Workers and
// gateways feed it the same messages and read the same values.
//
// # Rounds
//
// A batch has one slot for each kind of message and node: a deal, a certificate,
// an abort. A slot's value is the valid message with the lowest stream sequence
// on its subject, whatever the order of arrival: a batch that is fetched again
// comes out as everybody else read it.
//
// Anybody who may write to the log can name batches that nobody will ever
// finish, so memory is bounded by author. Each node has an equal part of the
// board; where its messages take more, its own oldest ones go, in constant time,
// and nobody else's. What is dropped still stands in the log: a certificate for a
// batch whose deals are missing says so (Incomplete), and its reader fetches it
// again, once. A batch that the program works on is pinned and stays whole.
//
// # Register
//
// An entry is kept from its verified head until its last deal, and a deal only if a
// verified head names its digest. So memory is taken by batches that all nodes
// certified, and by nothing else, whoever writes to KEYS.
package board

import (
	"container/list"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// overhead is what a value costs beside its bytes, about, if it is the only one of
// its batch: maps, lists and structs, and the decoded form.
const overhead = 1024

// Board holds the batches. It is not safe for concurrent use.
type Board struct {
	opener   *wire.Opener
	manifest *wire.Manifest
	quota    int // bytes of each node's values in batches that are not pinned
	batches  map[string]*Batch
	quiet    *list.List   // batches that are not pinned, longest unheard of first
	values   []*list.List // by node: values in batches that are not pinned, oldest first
	used     []int        // by node: their bytes
	bytes    int          // of all values
	newest   time.Time    // of all messages
	evicted  []time.Time  // by node: newest when something of it was dropped last; zero if nothing was for a while
}

// New returns an empty board of a fleet that holds maxBytes of batches that are
// not pinned.
func New(m *wire.Manifest, o *wire.Opener, maxBytes int) *Board {
	b := &Board{
		opener: o, manifest: m, quota: maxBytes / m.N, batches: map[string]*Batch{},
		quiet: list.New(), used: make([]int, m.N), evicted: make([]time.Time, m.N),
	}
	for range m.N {
		b.values = append(b.values, list.New())
	}
	return b
}

// Put takes a message of the rounds. It returns the batch, and whether a slot of it has
// a new value: junk, copies and later messages change nothing. The batch is nil if
// the board holds nothing of it.
func (b *Board) Put(msg wire.LogMessage) (batch *Batch, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || slot.Kind.Resharing() || slot.Node >= b.manifest.N {
		return nil, false
	}
	if msg.Time.After(b.newest) {
		b.newest = msg.Time
	}
	batch = b.batches[slot.ID]
	if batch != nil && batch.precedes(slot, msg.Seq) {
		return batch, false
	}
	v := b.read(slot, msg)
	if v == nil {
		return batch, false
	}
	if batch == nil {
		batch = b.add(slot.ID)
	}
	b.store(batch, slot, v)
	if msg.Time.After(batch.lastTime) { // what is fetched again is old
		batch.lastTime = msg.Time
	}
	if batch.quiet != nil {
		b.quiet.MoveToBack(batch.quiet)
		b.evict(slot.Node)
	}
	return batch, true
}

// PutAgain takes a message of a batch that is being fetched again, from the rounds'
// beginning and in their order. A deal that stands in its slot now is the first one.
// changed is also true if that was not certain before.
func (b *Board) PutAgain(msg wire.LogMessage) (batch *Batch, changed bool) {
	batch, changed = b.Put(msg)
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || batch == nil || slot.Kind != wire.SlotDeal || !batch.unsure[slot.Node] {
		return batch, changed
	}
	if v := batch.values[key{slot.Kind, slot.Node}]; v != nil && v.seq == msg.Seq {
		delete(batch.unsure, slot.Node)
		changed = true
	}
	return batch, changed
}

// Get returns a batch, nil if the board holds nothing of it.
func (b *Board) Get(id string) *Batch { return b.batches[id] }

// Len counts the batches, and Bytes what their values take.
func (b *Board) Len() int { return len(b.batches) }

// Bytes is what all values take, in bytes, about.
func (b *Board) Bytes() int { return b.bytes }

// Pin returns the batch, new if need be, and keeps it whole until Unpin or Forget.
func (b *Board) Pin(id string, now time.Time) *Batch {
	batch := b.batches[id]
	if batch == nil {
		batch = b.add(id)
	}
	if batch.quiet == nil {
		return batch
	}
	b.quiet.Remove(batch.quiet)
	batch.quiet, batch.lastTime = nil, now
	for _, v := range batch.values {
		b.unlist(v)
	}
	return batch
}

// Unpin lets the board drop what the batch holds again.
func (b *Board) Unpin(id string) {
	batch := b.batches[id]
	if batch == nil || batch.quiet != nil {
		return
	}
	if len(batch.values) == 0 {
		delete(b.batches, id)
		return
	}
	batch.quiet = b.quiet.PushBack(batch)
	batch.Job, batch.Trace = "", ""
	for key, v := range batch.values {
		b.list(batch, key, v)
	}
	for node := range b.used {
		b.evict(node)
	}
}

// Forget drops a batch.
func (b *Board) Forget(id string) {
	batch := b.batches[id]
	if batch == nil {
		return
	}
	for _, v := range batch.values {
		b.unlist(v)
		b.bytes -= v.size()
	}
	if batch.quiet != nil {
		b.quiet.Remove(batch.quiet)
	}
	delete(b.batches, id)
}

// Doubt is for rounds whose messages count otherwise from now on: what was read is not
// what others read who read it now.
func (b *Board) Doubt() {
	b.Lost()
	for node := range b.evicted {
		b.evicted[node] = b.newest
	}
}

// Lost is for rounds that begin anew, and are read from there. What is not pinned is
// dropped, unless all nodes certified it, and nothing is certain of the rest.
func (b *Board) Lost() {
	for e := b.quiet.Front(); e != nil; {
		batch := e.Value.(*Batch)
		if e = e.Next(); batch.Certified() == nil {
			b.Forget(batch.ID)
		}
	}
	for _, batch := range b.batches {
		for node := range b.evicted {
			batch.doubt(node)
		}
	}
}

// Expire drops the batches that are not pinned and unheard of since the time. What was
// dropped before that for want of room is gone from the rounds as well.
func (b *Board) Expire(since time.Time) {
	for node, at := range b.evicted {
		if at.Before(since) {
			b.evicted[node] = time.Time{}
		}
	}
	for e := b.quiet.Front(); e != nil && e.Value.(*Batch).lastTime.Before(since); e = b.quiet.Front() {
		b.Forget(e.Value.(*Batch).ID)
	}
}

func (b *Board) add(id string) *Batch {
	batch := &Batch{ID: id, n: b.manifest.N, values: map[key]*value{}}
	for node, at := range b.evicted {
		if !at.IsZero() {
			batch.doubt(node)
		}
	}
	batch.quiet = b.quiet.PushBack(batch)
	b.batches[id] = batch
	return batch
}

// store makes v the value of a slot.
func (b *Board) store(batch *Batch, slot wire.Slot, v *value) {
	k := key{slot.Kind, slot.Node}
	if old := batch.values[k]; old != nil {
		b.unlist(old)
		b.bytes -= old.size()
	}
	batch.values[k] = v
	b.bytes += v.size()
	if batch.header == nil && v.header != nil {
		batch.header = v.header
	}
	if batch.quiet != nil {
		b.list(batch, k, v)
	}
}

// held is an element of a node's list.
type held struct {
	batch *Batch
	key   key
}

func (b *Board) list(batch *Batch, k key, v *value) {
	v.listed = b.values[k.node].PushBack(held{batch, k})
	v.author = k.node
	b.used[k.node] += v.size()
}

func (b *Board) unlist(v *value) {
	if v.listed != nil {
		b.values[v.author].Remove(v.listed)
		b.used[v.author] -= v.size()
		v.listed = nil
	}
}

// evict drops a node's oldest values while it is over its quota.
func (b *Board) evict(node int) {
	for b.used[node] > b.quota {
		h := b.values[node].Front().Value.(held)
		v := h.batch.values[h.key]
		b.unlist(v)
		b.bytes -= v.size()
		delete(h.batch.values, h.key)
		b.evicted[node] = b.newest
		h.batch.asked, h.batch.dropped = false, true // what is missing now was not asked for
		h.batch.doubt(node)
		if len(h.batch.values) == 0 {
			b.Forget(h.batch.ID)
		}
	}
}
