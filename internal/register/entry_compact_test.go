package register_test

import (
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// compactEntry is a compact entry of a fleet, and its deals as they stood in the rounds.
func compactEntry(t *testing.T, f *wiretest.Fleet, suite uint8) (*register.Entry, [][]byte) {
	t.Helper()
	head, kept, rounds := f.Compact(wire.BatchHeader{Client: "alice", Digest: [32]byte{suite, 77}, Suite: suite, K: 2})
	e, err := register.NewEntry(f.Manifest, head, kept)
	if err != nil {
		t.Fatal(err)
	}
	return e, rounds
}

// TestCompactEntries: files, KEYS and nodes' storage hold entries of all formats side by side.
func TestCompactEntries(t *testing.T) {
	f, b, a := onBus(t)
	all := entries(t, f, 3)
	for _, suite := range []uint8{1, 2} {
		e, rounds := compactEntry(t, f, suite)
		if _, err := register.NewEntry(f.Manifest, e.Head, rounds); err == nil {
			t.Error("deals of the rounds are taken for those of a compact entry")
		}
		all = append(all, e)
	}
	want := register.Summary{Entries: 5, Compact: 2, Keys: 10}
	ids, sum, err := read(file(t, f.Manifest, all...), f.Manifest)
	if err != nil || sum != want || len(ids) != 5 {
		t.Errorf("a file has %+v, %v; want %+v", sum, err, want)
	}
	holdertest.Start(t, f, b, 1, all)
	refilled, err := register.Refill(t.Context(), b, f.Manifest, []*register.Asker{a}, func(int, int, *register.Entry, error) {})
	if err != nil || refilled.Restored != 5 {
		t.Errorf("%+v, %v", refilled, err)
	}
	if _, sum := inKeys(t, f, b); sum != want {
		t.Errorf("KEYS has %+v, want %+v", sum, want)
	}
}

// TestAnswerCompact: a node keeps its own deal with the proofs, and the others' without, and
// answers with what the entry has.
func TestAnswerCompact(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	for _, suite := range []uint8{1, 2} {
		for name, full := range map[string]func(i int) bool{
			"its own with proofs": func(i int) bool { return i == 0 },
			"all with proofs":     func(int) bool { return true },
			"rebuilt":             func(int) bool { return false },
		} {
			e, rounds := compactEntry(t, f, suite)
			dir := t.TempDir()
			s, err := keystore.Open(dir, &[32]byte{1})
			if err != nil {
				t.Fatal(err)
			}
			r := holdertest.Record(e, f.Manifest)
			r.Deals = slices.Clone(r.Deals)
			for i := range r.Deals {
				if full(i) {
					r.Deals[i] = rounds[i]
				}
			}
			if err := s.PutRecovered(r); err != nil {
				t.Fatal(err)
			}
			ask := &wire.Ask{Kind: wire.AskHead, Holding: wire.NewHolding(e.ID, e.Transcript)}
			held, err := register.AnswerEntry(s, f.Manifest, f.Manifest, ask)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := wire.VerifyEntry(held.Data, f.Manifest); err != nil || !got.Same(e.Entry) || got.Version != wire.CompactVersion {
				t.Errorf("%s: head %v", name, err)
			}
			for i := range e.Deals {
				ask := &wire.Ask{Kind: wire.AskDeal, Holding: ask.Holding, Deal: uint32(i)}
				if held, err := register.AnswerEntry(s, f.Manifest, f.Manifest, ask); err != nil || e.VerifyDeal(i, held.Data) != nil {
					t.Errorf("%s: deal %d: %v", name, i, err)
				}
			}
			_ = s.Close()
			sum, err := register.ReadStorage(dir, f.Manifest, f.Manifest, func(*register.Entry) error { return nil },
				func(err error) { t.Error(err) })
			if want := (register.Summary{Entries: 1, Compact: 1, Keys: 2}); err != nil || sum != want {
				t.Errorf("%s: %+v, %v", name, sum, err)
			}
		}
	}
}
