package board_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// reader is a board and the log that it reads.
type reader struct {
	*board.Board
	f   *wiretest.Fleet
	seq uint64
	now time.Time
}

func newReader(t testing.TB, n, maxBytes int) *reader {
	f := wiretest.New(t, 1, n, nil)
	return &reader{Board: board.New(f.Manifest, wire.NewOpener(f.Manifest, f.Access), maxBytes), f: f, now: wiretest.Start}
}

// header names a batch by a number.
func header(i int) wire.BatchHeader {
	return wire.BatchHeader{Client: "alice", Digest: [32]byte{byte(i), byte(i >> 8)}, Suite: 1, K: 1}
}

func (r *reader) id(h wire.BatchHeader) string { return wire.ShortID(h.Context(r.f.Manifest)) }

// message seals a body for a slot of the batch, next in the log.
func (r *reader) message(kind wire.SlotKind, node int, h wire.BatchHeader, body []byte) wire.LogMessage {
	r.seq++
	slot := wire.Slot{Kind: kind, ID: r.id(h), Node: node}
	return wire.LogMessage{Subject: slot.String(), Seq: r.seq, Time: r.now, Data: r.f.Seal(slot, body)}
}

func (r *reader) deal(node int, h wire.BatchHeader, size int) wire.LogMessage {
	return r.message(wire.SlotDeal, node, h, r.f.Deal(h, size))
}

func TestBatch(t *testing.T) {
	r, h := newReader(t, 3, 1<<20), header(1)
	for node := range 3 {
		if b, changed := r.Put(r.deal(node, h, 100)); !changed || b.AllDeals() != (node == 2) || *b.Header() != h {
			t.Fatalf("deal of node %d: changed %v, all deals %v", node, changed, b.AllDeals())
		}
	}
	b := r.Get(r.id(h))
	if b.Incomplete() {
		t.Error("a batch with all its deals is incomplete")
	}
	for node, root := range []byte{1, 2, 1} {
		r.Put(r.message(wire.SlotCert, node, h, r.f.Certificate(node, h, root)))
	}
	if b.Certified() != nil || b.Missing(wire.SlotCert) != nil {
		t.Error("certificates of two roots certify")
	}
	r.Put(r.message(wire.SlotAbort, 2, h, r.f.Abort(h, "second")))
	r.Put(r.message(wire.SlotAbort, 1, h, r.f.Abort(h, "first")))
	if node, abort := b.Abort(); node != 1 || abort.Reason != "first" {
		t.Errorf("abort of node %d: %+v", node, abort)
	}
	if got := b.Missing(wire.SlotAbort); !slices.Equal(got, []int{0}) {
		t.Errorf("missing aborts: %v", got)
	}
	r.Forget(b.ID)
	if r.Len()+r.Bytes() != 0 {
		t.Errorf("after Forget: %d batches, %d bytes", r.Len(), r.Bytes())
	}
}

func TestCertified(t *testing.T) {
	r, h := newReader(t, 3, 1<<20), header(1)
	for node := range 3 {
		b, _ := r.Put(r.message(wire.SlotCert, node, h, r.f.Certificate(node, h, 7)))
		if got := b.Certified(); (got != nil) != (node == 2) {
			t.Errorf("%d certificates: %v", node+1, got)
		}
		if b.Incomplete() != (node == 0) {
			t.Errorf("certificate %d without deals: the batch must be fetched again once", node)
		}
	}
}

// The value of a slot is the first valid message of the log, whatever the order
// in which messages arrive.
func TestLowestSequenceWins(t *testing.T) {
	r, h := newReader(t, 2, 1<<20), header(1)
	first, second := r.deal(0, h, 10), r.deal(0, h, 20)
	r.Put(second)
	if b, changed := r.Put(first); !changed || len(b.Deals()[0]) >= len(second.Data) || !bytes.Equal(b.Deals()[0], r.f.Deal(h, 10)) {
		t.Error("an earlier message did not replace a later one")
	}
	for _, m := range []wire.LogMessage{first, second} {
		if _, changed := r.Put(m); changed {
			t.Errorf("sequence %d changed the slot again", m.Seq)
		}
	}
}

func TestJunk(t *testing.T) {
	r, h := newReader(t, 2, 1<<20), header(1)
	good := r.deal(0, h, 10)
	bend := func(change func(*wire.LogMessage)) wire.LogMessage {
		m := good
		m.Data = bytes.Clone(m.Data)
		change(&m)
		return m
	}
	for name, m := range map[string]wire.LogMessage{
		"no envelope":              bend(func(m *wire.LogMessage) { m.Data = []byte("x") }),
		"nothing":                  bend(func(m *wire.LogMessage) { m.Data = nil }),
		"another node's slot":      bend(func(m *wire.LogMessage) { m.Subject = wire.Slot{Kind: wire.SlotDeal, ID: r.id(h), Node: 1}.String() }),
		"a node too many":          bend(func(m *wire.LogMessage) { m.Subject = wire.Slot{Kind: wire.SlotDeal, ID: r.id(h), Node: 2}.String() }),
		"a bent byte":              bend(func(m *wire.LogMessage) { m.Data[len(m.Data)/2] ^= 1 }),
		"a signing slot":           bend(func(m *wire.LogMessage) { m.Subject = wire.Slot{Kind: wire.SlotShare, ID: r.id(h)}.String() }),
		"no slot":                  bend(func(m *wire.LogMessage) { m.Subject = "dkg.x" }),
		"long after":               bend(func(m *wire.LogMessage) { m.Time = m.Time.Add(time.Hour) }),
		"another batch's abort":    r.message(wire.SlotAbort, 0, h, r.f.Abort(header(2), "")),
		"another batch's cert":     r.message(wire.SlotCert, 0, h, r.f.Certificate(0, header(2), 1)),
		"another node's cert":      r.message(wire.SlotCert, 0, h, r.f.Certificate(1, h, 1)),
		"a certificate of nothing": r.message(wire.SlotCert, 0, h, []byte{1}),
	} {
		if b, changed := r.Put(m); b != nil || changed || r.Len()+r.Bytes() != 0 {
			t.Errorf("%s opens a batch", name)
		}
	}
	// A deal that is not one still fills its slot: its author said it.
	if _, changed := r.Put(r.message(wire.SlotDeal, 0, h, []byte("x"))); !changed {
		t.Error("a malformed deal is not seen")
	}
	r.Put(r.deal(1, h, 10))
	if _, culprit := board.Decode(r.Get(r.id(h)).Deals(), h); culprit != 0 {
		t.Errorf("culprit %d, want 0", culprit)
	}
}

// A certificate whose envelope no longer opens counts: it proves itself.
func TestStaleCertificate(t *testing.T) {
	r, h := newReader(t, 1, 1<<20), header(1)
	m := r.message(wire.SlotCert, 0, h, r.f.Certificate(0, h, 1))
	m.Time = m.Time.Add(24 * time.Hour)
	if _, changed := r.Put(m); !changed {
		t.Error("it does not count")
	}
}

// One node's flood takes its own part of the board and drops its own messages.
func TestFloodOfOneNode(t *testing.T) {
	const size, n = 4000, 4
	r := newReader(t, n, n*10*size)
	honest := header(0)
	for node := 1; node < n; node++ {
		r.Put(r.deal(node, honest, size))
	}
	for i := 1; i <= 300; i++ {
		r.Put(r.deal(0, header(i), size))
		if r.Bytes() > n*10*size {
			t.Fatalf("after %d deals the board holds %d bytes", i, r.Bytes())
		}
	}
	if got := r.Get(r.id(honest)).Missing(wire.SlotDeal); !slices.Equal(got, []int{0}) {
		t.Errorf("the flood dropped others' deals: missing %v", got)
	}
	if r.Len() > 11 || r.Get(r.id(header(300))) == nil || r.Get(r.id(header(1))) != nil {
		t.Errorf("%d batches are left; want the newest of the flood", r.Len())
	}
}

// Made-up batches with small messages count what they cost, too.
func TestFloodOfSmallMessages(t *testing.T) {
	r := newReader(t, 2, 100_000)
	for i := range 500 {
		r.Put(r.message(wire.SlotAbort, 0, header(i), r.f.Abort(header(i), "")))
	}
	if r.Len() > 100 {
		t.Errorf("%d batches", r.Len())
	}
}

// What the board counts is what the values cost.
func TestBytesAreThoseOfMemory(t *testing.T) {
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for what, body := range map[string]func(r *reader, h wire.BatchHeader) (wire.SlotKind, []byte){
		"short aborts": func(r *reader, h wire.BatchHeader) (wire.SlotKind, []byte) {
			return wire.SlotAbort, r.f.Abort(h, "")
		},
		"long aborts": func(r *reader, h wire.BatchHeader) (wire.SlotKind, []byte) {
			return wire.SlotAbort, r.f.Abort(h, strings.Repeat("x", 400))
		},
		"certificates": func(r *reader, h wire.BatchHeader) (wire.SlotKind, []byte) {
			return wire.SlotCert, r.f.Certificate(0, h, 1)
		},
		"deals": func(r *reader, h wire.BatchHeader) (wire.SlotKind, []byte) {
			return wire.SlotDeal, r.f.Deal(h, 10)
		},
	} {
		r := newReader(t, 1, 64<<20)
		before := heap()
		for i := range 1000 {
			kind, body := body(r, header(i))
			r.Put(r.message(kind, 0, header(i), body))
		}
		if used := heap() - before; used > r.Bytes()*13/10 {
			t.Errorf("%s: %d bytes are counted, %d used", what, r.Bytes(), used)
		}
		runtime.KeepAlive(r)
	}
}

// A pinned batch stays whole; unpinned, it may go.
func TestPin(t *testing.T) {
	const size = 4000
	r, h := newReader(t, 2, 2*3*size), header(0)
	r.Put(r.deal(0, h, size))
	r.Pin(r.id(h), r.now)
	for i := 1; i < 20; i++ {
		r.Put(r.deal(0, header(i), size))
	}
	if r.Get(r.id(h)).Missing(wire.SlotDeal)[0] != 1 {
		t.Fatal("a pinned batch lost its deal")
	}
	r.Expire(r.now.Add(time.Hour))
	if r.Len() != 1 || r.Get(r.id(h)) == nil {
		t.Fatalf("%d batches after Expire, want the pinned one", r.Len())
	}
	for i := 1; i < 20; i++ {
		r.Put(r.deal(0, header(i), size))
	}
	r.Unpin(r.id(h))
	for i := 20; i < 40; i++ {
		r.Put(r.deal(0, header(i), size))
	}
	if r.Get(r.id(h)) != nil {
		t.Error("an unpinned batch outlives the quota")
	}
	r.Pin("unknown", r.now)
	r.Unpin("unknown")
	r.Forget("unknown")
	if r.Get("unknown") != nil {
		t.Error("an empty batch outlives Unpin")
	}
}

func TestExpire(t *testing.T) {
	r := newReader(t, 2, 1<<20)
	for i := range 3 {
		r.Put(r.deal(0, header(i), 10))
		r.now = r.now.Add(time.Minute)
	}
	r.Put(r.deal(1, header(0), 10)) // news of the oldest
	r.Expire(wiretest.Start.Add(2 * time.Minute))
	if r.Get(r.id(header(1))) != nil || r.Get(r.id(header(0))) == nil || r.Get(r.id(header(2))) == nil {
		t.Error("Expire must drop what was unheard of longest, and only that")
	}
}

// After any sequence of calls, the board's counts are those of an empty one once
// everything is forgotten.
func TestCountsBalance(t *testing.T) {
	r := newReader(t, 3, 60_000)
	for i := range 400 {
		h := header(i % 17)
		switch i % 7 {
		case 0, 1, 2:
			r.Put(r.deal(i%3, h, 50*(i%20)))
		case 3:
			r.Put(r.message(wire.SlotCert, i%3, h, r.f.Certificate(i%3, h, 1)))
		case 4:
			r.Pin(r.id(h), r.now)
		case 5:
			r.Unpin(r.id(header((i + 3) % 17)))
		case 6:
			if i%4 == 0 {
				r.Forget(r.id(h))
			}
		}
	}
	for i := range 17 {
		r.Unpin(r.id(header(i)))
	}
	if r.Bytes() > 60_000 {
		t.Errorf("%d bytes, nothing pinned", r.Bytes())
	}
	for i := range 17 {
		r.Forget(r.id(header(i)))
	}
	if r.Len()+r.Bytes() != 0 {
		t.Errorf("%d batches, %d bytes are left", r.Len(), r.Bytes())
	}
	r.Expire(r.now.Add(time.Hour)) // no element of what is gone
}

func FuzzPut(f *testing.F) {
	r, h := newReader(f, 2, 1<<20), header(1)
	for _, m := range []wire.LogMessage{r.deal(0, h, 10), r.message(wire.SlotCert, 0, h, r.f.Certificate(0, h, 1))} {
		f.Add(m.Subject, m.Data)
	}
	f.Add(fmt.Sprintf("dkg.%s.abort.1", r.id(h)), []byte{0xa0})
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		r.Put(wire.LogMessage{Subject: subject, Seq: 1, Time: r.now, Data: data})
		if r.Bytes() > 1<<20 {
			t.Fatal("over the bound")
		}
	})
}

// BenchmarkEviction is a flood by one node against a full board of n others'
// batches: the cost of a message must not grow with n.
func BenchmarkEviction(b *testing.B) {
	for _, others := range []int{10, 1000} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			r := newReader(b, 2, 1<<20)
			for i := range others {
				r.Put(r.message(wire.SlotAbort, 1, header(i), r.f.Abort(header(i), "")))
			}
			var flood []wire.LogMessage
			for i := range 4000 {
				h := header(5000 + i)
				flood = append(flood, r.message(wire.SlotAbort, 0, h, r.f.Abort(h, "")))
			}
			for i := 0; b.Loop(); i++ {
				r.Put(flood[i%len(flood)])
			}
		})
	}
}

// A node that floods the board makes it drop the node's first deal, and then writes
// a second one. What is in the slot then is not what everybody else read there.
func TestSecondDealAfterEviction(t *testing.T) {
	const size = 4000
	r, h := newReader(t, 2, 2*3*size), header(0)
	first := r.deal(0, h, size)
	r.Put(first)
	r.Put(r.deal(1, h, size))
	for i := 1; i < 4; i++ {
		r.Put(r.deal(0, header(i), size))
	}
	r.Put(r.deal(0, h, size/2))
	b, _ := r.Put(r.message(wire.SlotCert, 1, h, r.f.Certificate(1, h, 1)))
	if !b.AllDeals() || !b.Incomplete() {
		t.Fatal("the batch is not fetched again")
	}
	if b.Incomplete() {
		t.Error("it is fetched again twice")
	}
	if _, changed := r.Put(first); !changed || !bytes.Equal(b.Deals()[0], r.f.Deal(h, size)) {
		t.Error("the first deal is not the slot's value")
	}
}
