package board_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// registry is a register and the KEYS that it reads.
type registry struct {
	*board.Register
	f    *wiretest.Fleet
	seq  uint64
	now  time.Time
	done map[string][32]byte
}

func newRegistry(t testing.TB, n, maxBytes int) *registry {
	r := &registry{f: wiretest.New(t, 1, n, nil), now: wiretest.Start, done: map[string][32]byte{}}
	r.Register = board.NewRegister(maxBytes, func(ref wire.BatchRef) ([32]byte, bool) {
		transcript, ok := r.done[ref.ID]
		return transcript, ok
	})
	r.Tick(r.now)
	return r
}

// entry is an entry of batch i with deals of a size; salt makes others of them.
func (r *registry) entry(i, size int, salt byte) (head []byte, deals [][]byte) {
	for node := range r.f.Manifest.N {
		deals = append(deals, bytes.Repeat([]byte{byte(i), byte(node), salt}, size/3+1))
	}
	return r.f.Entry(header(i), deals), deals
}

func (r *registry) id(i int) string { return wire.ShortID(header(i).Context(r.f.Manifest)) }

func (r *registry) ref(i int) wire.BatchRef { return wire.BatchRef{ID: r.id(i)} }

func (r *registry) put(subject string, data []byte) (*board.Entry, error) {
	r.seq++
	return r.Put(board.Read(r.f.Manifest, wire.LogMessage{Subject: subject, Seq: r.seq, Time: r.now, Data: data}, board.Kept{}))
}

// write puts messages under subjects of their kinds, which name some other batch.
func (r *registry) write(t *testing.T, head []byte, deals ...[]byte) (last *board.Entry) {
	t.Helper()
	var err error
	if head != nil {
		if last, err = r.put(wire.EntryHeadSubject("elsewhere", 0), head); err != nil {
			t.Fatal(err)
		}
	}
	for _, deal := range deals {
		if last, err = r.put(wire.EntryDealSubject("elsewhere", 0, 9), deal); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// Ids come from headers and deals are found by their digests: subjects say nothing.
func TestRegister(t *testing.T) {
	r := newRegistry(t, 3, 1<<20)
	head, deals := r.entry(1, 100, 0)
	for i, deal := range deals {
		if e := r.write(t, nil, deal); e != nil || r.Bytes() != 0 {
			t.Fatal("a deal without a head is kept")
		}
		_ = i
	}
	if e := r.write(t, head); e.ID != r.id(1) || e.Whole() || r.FirstSeq(99) != 4 {
		t.Errorf("head: %+v, first sequence %d", e, r.FirstSeq(99))
	}
	if e := r.write(t, nil, deals[2], deals[0]); e.Whole() {
		t.Error("whole without a deal")
	}
	if e := r.write(t, head, deals[0]); e != nil {
		t.Error("the same once more is news")
	}
	e := r.write(t, nil, deals[1])
	if e == nil || !e.Whole() || !slices.EqualFunc(e.Raw(), deals, bytes.Equal) {
		t.Fatalf("%+v", e)
	}
	r.Forget(e.Ref())
	if r.Len()+r.Bytes() != 0 || r.FirstSeq(99) != 99 {
		t.Errorf("after Forget: %d entries, %d bytes", r.Len(), r.Bytes())
	}
	r.done[e.ID] = e.Transcript
	if e := r.write(t, head, deals...); e != nil || r.Len() != 0 {
		t.Error("an entry that was taken is read once more")
	}
	if e := r.write(t, nil, deals...); e != nil || r.Bytes() != 0 {
		t.Error("deals of an entry that was taken are kept")
	}
}

// For who keeps KEYS whole, a copy under another subject is none: nobody finds it there.
func TestRegisterPlaced(t *testing.T) {
	r := newRegistry(t, 2, 1<<20)
	r.Placed()
	head, deals := r.entry(1, 100, 0)
	if e := r.write(t, head, deals...); e != nil || r.Len() != 0 {
		t.Error("a head counts under another batch's subject")
	}
	put := func(subject string, data []byte) *board.Entry {
		e, err := r.put(subject, data)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	put(wire.EntryHeadSubject(r.id(1), 0), head)
	put(wire.EntryDealSubject(r.id(1), 0, 0), deals[0])
	for _, subject := range []string{
		wire.EntryDealSubject(r.id(1), 0, 0), wire.EntryDealSubject(r.id(1), 1, 1), wire.EntryDealSubject(r.id(2), 0, 1),
	} {
		if e := put(subject, deals[1]); e != nil {
			t.Errorf("a deal counts under %s", subject)
		}
	}
	if e := put(wire.EntryDealSubject(r.id(1), 0, 1), deals[1]); e == nil || !e.Whole() {
		t.Errorf("its own subject: %+v", e)
	}
}

// Junk takes no memory and stops nothing.
func TestRegisterJunk(t *testing.T) {
	r, foreign := newRegistry(t, 3, 1<<20), newRegistry(t, 3, 1<<20)
	head, deals := r.entry(1, 100, 0)
	other, _ := foreign.entry(2, 100, 0)
	for name, junk := range map[string][]byte{
		"nothing": nil, "no head": []byte("x"), "a deal": deals[0], "another fleet's": other, "cut": head[:len(head)-1],
	} {
		if e, err := r.put(wire.EntryHeadSubject(r.id(1), 0), junk); err == nil || e != nil || r.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, subject := range []string{"manifest.x", "x", wire.EntryDealSubject(r.id(1), 0, 0)} {
		if e, err := r.put(subject, head); err != nil || e != nil || r.Len() != 0 {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if e := r.write(t, head, deals...); !e.Whole() {
		t.Error("junk before it hides an entry")
	}
}

// Two valid entries for one batch: nobody knows which are its keys.
func TestRegisterConflict(t *testing.T) {
	for _, taken := range []bool{false, true} {
		r := newRegistry(t, 3, 1<<20)
		head, deals := r.entry(1, 100, 0)
		rival, _ := r.entry(1, 100, 1)
		e := r.write(t, head, deals...)
		if taken {
			r.done[e.ID] = e.Transcript
			r.Forget(e.Ref())
		}
		_, err := r.put("entry.x.0.head", rival)
		var conflict *board.ConflictError
		if !errors.As(err, &conflict) || conflict.ID != e.ID || !r.Refused(e.ID) || r.Len()+r.Bytes() != 0 {
			t.Fatalf("taken %v: %v", taken, err)
		}
		if e := r.write(t, head, deals...); e != nil {
			t.Error("a refused batch is read")
		}
	}
}

// Deals are bounded; what is dropped is asked for again, and the newest stays.
func TestRegisterEvicts(t *testing.T) {
	const size, max = 3000, 10_000
	r := newRegistry(t, 3, max)
	for i := range 20 {
		head, deals := r.entry(i, size, 0)
		r.write(t, head, deals[:2]...)
		if r.Bytes() > max {
			t.Fatalf("%d bytes", r.Bytes())
		}
	}
	head, deals := r.entry(20, 4*size, 0)
	if e := r.write(t, head, deals...); !e.Whole() {
		t.Error("an entry over the bound is never whole")
	}
	r.Forget(r.ref(20))
	r.Tick(r.now.Add(time.Minute))
	if late := r.Late(); len(late) != 20 {
		t.Errorf("%d entries are asked for", len(late))
	}
	for i := range 20 {
		_, deals := r.entry(i, size, 0)
		if e := r.write(t, nil, deals...); e == nil || !e.Whole() {
			t.Fatalf("entry %d is not whole when it comes again", i)
		}
		r.Forget(r.ref(i))
	}
	if r.Len()+r.Bytes() != 0 {
		t.Errorf("%d entries, %d bytes are left", r.Len(), r.Bytes())
	}
}

// What is late is asked for at growing intervals.
func TestRegisterLate(t *testing.T) {
	r := newRegistry(t, 3, 1<<20)
	head, deals := r.entry(1, 100, 0)
	r.write(t, head, deals[0])
	asked := 0
	for range 60 * 60 {
		r.now = r.now.Add(time.Second)
		r.Tick(r.now)
		asked += len(r.Late())
	}
	if asked < 5 || asked > 15 {
		t.Errorf("asked %d times in an hour", asked)
	}
}

// What certificates prove against their signers.
func TestFalseCertificate(t *testing.T) {
	r, h := newReader(t, 3, 1<<20), header(1)
	for node := range 3 {
		r.Put(r.deal(node, h, 100+node))
	}
	b := r.Get(r.id(h))
	transcript, ok := b.Transcript()
	if want := wire.Transcript(wire.DealDigests(b.Deals())); !ok || transcript != want {
		t.Errorf("transcript %x, want %x", transcript, want)
	}
	certify := func(node int, transcript [32]byte, root byte) {
		c := wire.Certificate{
			Context: h.Context(r.f.Manifest), Transcript: transcript, Root: [32]byte{root}, Node: uint32(node),
		}
		c.Attestation = r.f.Attest(node, [][32]byte{c.Leaf(r.f.Manifest)}, 0)
		r.Put(r.message(wire.SlotCert, node, h, wire.Encode(&c)))
	}
	certify(0, transcript, 1)
	if got := b.FalseCertificate(); got != -1 {
		t.Errorf("node %d is blamed for the truth", got)
	}
	certify(2, [32]byte{9}, 1)
	if got := b.FalseCertificate(); got != 2 {
		t.Errorf("blamed: %d, want 2", got)
	}
	certify(1, transcript, 7)
	if roots := b.Roots(); len(roots) != 3 || roots[1] != [32]byte{7} {
		t.Errorf("roots %v", roots)
	}
	flooded, h3 := newReader(t, 3, 30_000), header(3)
	for i := range 10 {
		flooded.Put(flooded.deal(0, header(100+i), 4000))
	}
	for node := range 3 {
		flooded.Put(flooded.deal(node, h3, 10))
		if node > 0 {
			flooded.Put(flooded.message(wire.SlotCert, node, h3, flooded.f.Certificate(node, h3, 1)))
		}
	}
	if b := flooded.Get(flooded.id(h3)); !b.AllDeals() || b.FalseCertificate() != -1 {
		t.Error("blamed by a board that dropped another's deals")
	}
	// A flood does not hide the flooder's own lie.
	b, _ = flooded.Put(flooded.message(wire.SlotCert, 0, h3, flooded.f.Certificate(0, h3, 1)))
	if got := b.FalseCertificate(); got != 0 {
		t.Errorf("blamed: %d, want 0, who flooded the board and lies", got)
	}
	missing, h2 := newReader(t, 3, 1<<20), header(2)
	missing.Put(missing.message(wire.SlotCert, 0, h2, missing.f.Certificate(0, h2, 1)))
	if got := missing.Get(missing.id(h2)).FalseCertificate(); got != -1 {
		t.Error("blamed without the deals")
	}
}

// A deal of KEYS that the rounds' board has, as entries have it, is taken by its bytes: what
// differs in one is hashed, and is no deal of the entry.
func TestHeldDeal(t *testing.T) {
	rounds, h := newReader(t, 2, 1<<20), header(1)
	for node := range 2 {
		rounds.Put(rounds.deal(node, h, 100+node))
	}
	batch := rounds.Get(rounds.id(h))
	if got := batch.Kept(2); got.Body() != nil {
		t.Error("a deal of no node")
	}
	bent := bytes.Clone(batch.Kept(1).Body())
	bent[len(bent)-1] ^= 1
	register := board.NewRegister(1<<20, func(wire.BatchRef) (transcript [32]byte, ok bool) { return transcript, false })
	put := func(subject string, data []byte, held board.Kept) *board.Entry {
		e, err := register.Put(board.Read(rounds.f.Manifest, wire.LogMessage{Subject: subject, Seq: 1, Data: data}, held))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := put(wire.EntryHeadSubject(batch.ID, 0), rounds.f.Entry(h, batch.Deals()), board.Kept{})
	for i, step := range []struct {
		data []byte
		held board.Kept
		want bool
	}{
		{bent, batch.Kept(1), false},
		{bytes.Clone(batch.Kept(1).Body()), batch.Kept(1), true},
		{batch.Kept(0).Body(), batch.Kept(1), true}, // of another place: hashed
	} {
		if got := put(wire.EntryDealSubject(batch.ID, 0, 1), step.data, step.held); (got != nil) != step.want {
			t.Errorf("step %d: taken: %v", i, got != nil)
		}
	}
	if !e.Whole() || &e.Raw()[1][0] != &batch.Kept(1).Body()[0] {
		t.Error("the deal that the board has is kept twice")
	}
}
