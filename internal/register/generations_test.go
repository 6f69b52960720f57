package register_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// all is the summary of what a changed fleet has.
var all = register.Summary{Entries: 6, Later: 3, Keys: 6}

func chain(l *wire.Lineage) (all [][32]byte) {
	for _, m := range l.Chain() {
		all = append(all, m.Hash())
	}
	return all
}

// A file proves its entries by any one of the fleet's manifests, whatever else they are of.
func TestFileOfGenerations(t *testing.T) {
	c := holdertest.Change(t, wiretest.New(t, 2, 3, nil))
	var out bytes.Buffer
	w, err := register.NewWriter(&out, c.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for i, f := range c.Fleets {
		var learned *wire.Lineage
		sum, err := register.ReadFile(bytes.NewReader(out.Bytes()), wire.NewLineage(f.Manifest), register.Reading{
			Lineage: func(l *wire.Lineage) error { learned = l; return nil },
			Entry:   func(*register.Entry) error { return nil },
			Dropped: func(err error) { t.Error(err) },
		})
		if err != nil || sum != all || sum.Batches() != 3 {
			t.Errorf("manifest %d: %+v, %v", i, sum, err)
		}
		if !slices.Equal(chain(learned), chain(c.Lineage)) || len(learned.Proofs()) != 2 {
			t.Errorf("manifest %d: the file tells of %d manifests, %d proofs", i, len(learned.Chain()), len(learned.Proofs()))
		}
	}
	// By another fleet's manifest, though it is of the same name, nothing counts.
	foreign := wiretest.New(t, 2, 3, nil)
	if _, sum, err := read(out.Bytes(), foreign.Manifest); err != nil || sum.Entries != 0 || sum.Dropped != 8 || sum.Foreign != 6 {
		t.Errorf("another fleet: %+v, %v", sum, err)
	}
	// Nodes that approved too few, or nothing, leave their manifest's entries unproven.
	for name, bad := range map[string][]byte{
		"too few":   c.Fleets[0].Succession(c.Fleets[1].Manifest, false, 0, 1),
		"strangers": foreign.Succession(c.Fleets[1].Manifest, false),
		"bent":      append(bytes.Clone(c.Successions[0][:len(c.Successions[0])-1]), c.Successions[0][len(c.Successions[0])-1]^1),
	} {
		size := func(b []byte) []byte {
			return []byte{byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}
		}
		data := bytes.Replace(out.Bytes(), append(size(c.Successions[0]), c.Successions[0]...), append(size(bad), bad...), 1)
		ids, sum, err := read(data, c.Fleets[0].Manifest)
		if err != nil || len(ids) != 3 || sum.Foreign != 3 || sum.Dropped != 5 {
			t.Errorf("%s: %v, %+v, %v", name, ids, sum, err)
		}
	}
}

// A file of the first format has no manifests, and may have none.
func TestFirstFormat(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	data := file(t, f.Manifest, entries(t, f, 2)...)
	end := bytes.IndexByte(data, '\n') + 5
	heads := bytes.Index(data, []byte("h\x00\x00"))
	old := slices.Concat(data[:end-1], []byte{1}, data[heads:])
	if ids, sum, err := read(old, f.Manifest); err != nil || len(ids) != 2 || sum != (register.Summary{Entries: 2, Keys: 4}) {
		t.Errorf("%v, %+v, %v", ids, sum, err)
	}
	mixed := slices.Concat(data[:end-1], []byte{1}, data[end:])
	if _, _, err := read(mixed, f.Manifest); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("with a manifest: %v", err)
	}
	behind := slices.Concat(data[:len(data)-13], data[end:heads], data[len(data)-13:])
	if _, _, err := read(behind, f.Manifest); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a manifest behind entries: %v", err)
	}
}

// Generations of one batch that are not of the same keys: the nodes of a manifest lied, and
// what came first is not joined by what came later.
func TestOtherKeysInALaterGeneration(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	c := holdertest.Change(t, f)
	zero := c.Entries[0]
	r := f.Reshare(zero.Entry, c.Fleets[1].Manifest, 9)
	keys := slices.Clone(zero.Keys)
	keys[0].PublicKey = bytes.Clone(keys[0].PublicKey)
	keys[0].PublicKey[5]++
	deals := wiretest.ReshareDeals(r, 50)
	lie, err := register.NewEntry(c.Lineage, c.Fleets[1].Later(r, keys, deals), deals)
	if err != nil {
		t.Fatal(err)
	}
	collector := register.NewCollector(c.Lineage)
	put := func(e *register.Entry) (whole *register.Entry, err error) {
		whole, err = collector.Put(true, e.Head)
		for _, deal := range e.Deals {
			if err == nil {
				whole, err = collector.Put(false, deal)
			}
		}
		return whole, err
	}
	if e, err := put(zero); err != nil || e == nil {
		t.Fatal(err)
	}
	var conflict *board.ConflictError
	if e, err := put(lie); e != nil || !errors.As(err, &conflict) || conflict.ID != zero.ID {
		t.Errorf("%v, %v", e, err)
	}
	if sum := collector.Summary(); sum != (register.Summary{Entries: 1, Keys: 2, Dropped: 1}) {
		t.Errorf("%+v", sum)
	}
}

// Store writes each generation under its own subjects, and takes no other one's for it.
func TestStoreGenerations(t *testing.T) {
	c := holdertest.Change(t, wiretest.New(t, 2, 3, nil))
	zero, first := c.Entries[1], c.Entries[4]
	s := &slots{log: map[string][][]byte{wire.EntryHeadSubject(first.ID, 1): {zero.Head}}}
	for range 2 {
		c.Store(t, s)
	}
	if got := s.log[wire.EntryHeadSubject(first.ID, 1)]; len(got) != 2 || !bytes.Equal(got[1], first.Head) {
		t.Errorf("%d messages under the head of generation 1", len(got))
	}
	if got := s.log[wire.EntryDealSubject(c.Entries[5].ID, 4, 1)]; len(got) != 1 || !bytes.Equal(got[0], c.Entries[5].Deals[1]) {
		t.Errorf("%d messages under a deal of generation 4", len(got))
	}
	// Heads: 3, 2 and 1; deals: of 3 nodes each, then of 2 dealers each, once in two slices; manifests and successions.
	if len(s.log) != 6+9+8+3+2 {
		t.Errorf("%d subjects", len(s.log))
	}
}

// Lineage finds what belongs to any of a fleet's manifests, in whatever order it stands in
// KEYS and whatever stands beside it.
func TestLineage(t *testing.T) {
	f, b, _ := onBus(t)
	c := holdertest.Change(t, f)
	put := func(subject string, data []byte) {
		t.Helper()
		if _, err := b.Publish(t.Context(), subject, data, nil); err != nil {
			t.Fatal(err)
		}
	}
	lineage := func(i int) *wire.Lineage {
		t.Helper()
		l, err := register.Lineage(t.Context(), b, c.Fleets[i].Manifest)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	want := chain(c.Lineage)
	for i := range want {
		if got := chain(lineage(i)); !slices.Equal(got, want[i:i+1]) {
			t.Errorf("with nothing in KEYS, manifest %d has %d", i, len(got))
		}
	}
	stranger := wiretest.New(t, 2, 3, nil)
	usurper := f.Next(t, 1, 1)
	for i := range want {
		put(wire.ManifestSubject(want[i]), []byte("junk"))
		put(wire.ManifestSubject(want[i]), encoded(t, stranger.Manifest))
		put(wire.SuccessionSubject(want[i]), []byte("junk"))
	}
	put(wire.SuccessionSubject(want[1]), stranger.Succession(c.Fleets[1].Manifest, false))
	put(wire.SuccessionSubject(usurper.Manifest.Hash()), f.Succession(usurper.Manifest, false, 0, 1))
	put(wire.SuccessionSubject(want[2]), c.Successions[1])
	put(wire.SuccessionSubject(want[1]), c.Successions[0])
	if got := chain(lineage(0)); !slices.Equal(got, want) {
		t.Errorf("the founding manifest leads to %d", len(got))
	}
	if got := chain(lineage(2)); !slices.Equal(got, want[2:]) {
		t.Errorf("without manifests the last one has %d", len(got))
	}
	put(wire.ManifestSubject(want[1]), encoded(t, c.Fleets[1].Manifest))
	put(wire.ManifestSubject(want[0]), encoded(t, f.Manifest))
	for i := range want {
		l := lineage(i)
		if !slices.Equal(chain(l), want) || len(l.Proofs()) != 2 || l.Fork() != nil {
			t.Errorf("manifest %d: %d manifests, %d proofs, fork %v", i, len(l.Chain()), len(l.Proofs()), l.Fork())
		}
	}
	put(wire.SuccessionSubject(usurper.Manifest.Hash()), f.Succession(usurper.Manifest, true, 0, 2))
	for i := range want {
		if l := lineage(i); (l.Fork() != nil) != (i == 0) { // the configuration of later ones settled it
			t.Errorf("manifest %d: two successors of the founding one: fork %v", i, l.Fork())
		}
	}
}

func encoded(t *testing.T, m *wire.Manifest) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Nodes of all manifests bring back what they hold.
func TestRefillGenerations(t *testing.T) {
	f, b, a := onBus(t)
	c := holdertest.Change(t, f)
	askers := []*register.Asker{a}
	for _, next := range c.Fleets[1:] {
		a, err := register.NewAsker(b, next.Manifest, func() *wire.Access { return nil })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		askers = append(askers, a)
	}
	holdertest.Start(t, f, b, 1, c.Entries[:3])
	holdertest.Start(t, c.Fleets[1], b, 1, c.Entries[3:5])
	holdertest.Start(t, c.Fleets[2], b, 4, c.Entries[5:]) // the founding fleet has no such node
	tell := func(_, _ int, _ *register.Entry, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, want := range []int{6, 0} {
		sum, err := register.Refill(t.Context(), b, c.Lineage, askers, tell)
		if err != nil || sum.Restored != want || sum.Unproven != 0 || len(sum.Nodes) != 12 {
			t.Fatalf("%+v, %v; want %d restored", sum, err, want)
		}
		for i, n := range sum.Nodes {
			if answers := i == 1 || i == 4 || i == 11; (n.Error == "") != answers {
				t.Errorf("node %d of epoch %d: %q", n.Node, n.Epoch, n.Error)
			}
		}
	}
	if sum, err := register.Read(t.Context(), b, c.Lineage, func(*register.Entry) error { return nil }); err != nil || sum != all {
		t.Errorf("KEYS has %+v, %v", sum, err)
	}
}

// Compacting keeps the manifests, also one that nodes may still approve, and what proves that
// one follows another; and it goes on by the file alone once KEYS is gone.
func TestCompactGenerations(t *testing.T) {
	defer register.ListenFor(10 * time.Millisecond)()
	f, b, a := onBus(t)
	c := holdertest.Change(t, f)
	c.Store(t, b)
	proposed := c.Fleets[2].Next(t, 2, 2)
	if _, err := b.Publish(t.Context(), wire.ManifestSubject(proposed.Manifest.Hash()), encoded(t, proposed.Manifest), nil); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{wire.ManifestSubject([32]byte{1}), wire.SuccessionSubject([32]byte{1})} {
		if _, err := b.Publish(t.Context(), subject, []byte("junk"), nil); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	run := func(pinned *wire.Manifest, end func(string) error) error {
		t.Helper()
		l := wire.NewLineage(pinned)
		if there, err := b.Exists(t.Context(), bus.Keys); err != nil {
			t.Fatal(err)
		} else if there {
			if l, err = register.Lineage(t.Context(), b, pinned); err != nil {
				t.Fatal(err)
			}
		}
		one := &register.Compaction{Dir: dir, Bus: b, Lineage: l, Tell: func(string) {}, Entry: func(*register.Entry) {}}
		one.EndAt(end)
		sum, err := one.Run(t.Context(), a)
		if err == nil && sum != all {
			t.Errorf("%+v", sum)
		}
		return err
	}
	if err := run(f.Manifest, func(step string) error {
		if step == "create KEYS" {
			return errKilled
		}
		return nil
	}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if there, err := b.Exists(t.Context(), bus.Keys); err != nil || there {
		t.Fatalf("KEYS is there: %t, %v", there, err)
	}
	if err := run(c.Fleets[1].Manifest, nil); err != nil {
		t.Fatal(err)
	}
	l, err := register.Lineage(t.Context(), b, c.Fleets[2].Manifest)
	if err != nil || !slices.Equal(chain(l), chain(c.Lineage)) || len(l.Proofs()) != 2 {
		t.Errorf("%d manifests and %d proofs are left, %v", len(l.Chain()), len(l.Proofs()), err)
	}
	for filter, want := range map[string]int{wire.Manifests: 4, wire.Successions: 2, "entry.>": 6 + 9 + 8} {
		if stored, err := b.Slots(t.Context(), bus.Keys, filter); err != nil || len(stored) != want {
			t.Errorf("%s: %d messages, want %d, %v", filter, len(stored), want, err)
		}
	}
}

// A node answers for the very generation that it is asked for, from what it keeps of it.
func TestAnswerGenerations(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	c := holdertest.Change(t, f)
	next := c.Fleets[1]
	dir := t.TempDir()
	s, err := keystore.Open(dir, &[32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	// Two attempts at moving batch 0, of which the node saw both finished, and the second entry of
	// batch 1 that it never saw finished.
	second := holdertest.Later(t, f, next, 2, 0, c.Lineage, c.Entries[:2])
	for _, e := range []*register.Entry{c.Entries[3], second[0]} {
		if err := s.PutRecovered(holdertest.Record(e, next.Manifest)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Certify(holdertest.Record(second[1], next.Manifest)); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*register.Entry{c.Entries[3], second[0]} {
		ask := &wire.Ask{Kind: wire.AskHead, Number: 7, Holding: wire.NewHolding(e.ID, e.Transcript)}
		held, err := register.AnswerEntry(s, next.Manifest, c.Lineage, ask)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.VerifyEntry(held.Data, c.Lineage)
		if err != nil || !got.Same(e.Entry) || held.Number != 7 {
			t.Errorf("generation %d: %v", e.Generation, err)
		}
		for i := range e.Deals {
			ask := &wire.Ask{Kind: wire.AskDeal, Holding: ask.Holding, Deal: uint32(i)}
			if held, err := register.AnswerEntry(s, next.Manifest, c.Lineage, ask); err != nil || e.VerifyDeal(i, held.Data) != nil {
				t.Errorf("generation %d, deal %d: %v", e.Generation, i, err)
			}
		}
		ask = &wire.Ask{Kind: wire.AskDeal, Holding: ask.Holding, Deal: uint32(len(e.Deals))}
		if held, err := register.AnswerEntry(s, next.Manifest, c.Lineage, ask); err != nil || held.Data != nil {
			t.Errorf("a deal too many: %d bytes, %v", len(held.Data), err)
		}
	}
	for name, e := range map[string]*register.Entry{"not finished": second[1], "not held": c.Entries[4]} {
		ask := &wire.Ask{Kind: wire.AskHead, Holding: wire.NewHolding(e.ID, e.Transcript)}
		if held, err := register.AnswerEntry(s, next.Manifest, c.Lineage, ask); err == nil {
			t.Errorf("%s: an answer of %d bytes", name, len(held.Data))
		}
	}
	_ = s.Close()
	var ids []string
	sum, err := register.ReadStorage(dir, next.Manifest, c.Lineage, func(e *register.Entry) error {
		ids = append(ids, e.ID)
		return nil
	}, func(err error) { t.Error(err) })
	want := register.Summary{Entries: 2, Later: 1, Keys: 2, Partial: 1}
	if err != nil || sum != want || len(ids) != 2 {
		t.Errorf("%+v, %v; want %+v", sum, err, want)
	}
}
