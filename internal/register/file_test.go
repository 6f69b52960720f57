package register_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// entries makes n entries of a fleet.
func entries(t testing.TB, f *wiretest.Fleet, n int) (all []*register.Entry) {
	t.Helper()
	for i := range n {
		h := wire.BatchHeader{Client: "alice", Digest: [32]byte{byte(i)}, Suite: 1, K: 2}
		var deals [][]byte
		for node := range f.Manifest.N {
			deals = append(deals, append(f.Deal(h, 50), byte(node)))
		}
		e, err := register.NewEntry(f.Manifest, f.Entry(h, deals), deals)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func file(t testing.TB, m *wire.Manifest, all ...*register.Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := register.NewWriter(&out, wire.NewLineage(m))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(data []byte, m *wire.Manifest) (ids []string, sum register.Summary, err error) {
	sum, err = register.ReadFile(bytes.NewReader(data), wire.NewLineage(m), register.Reading{
		Entry:   func(e *register.Entry) error { ids = append(ids, e.ID); return nil },
		Dropped: func(error) {},
	})
	return ids, sum, err
}

func TestFile(t *testing.T) {
	f, foreign := wiretest.New(t, 2, 3, nil), wiretest.New(t, 2, 3, nil)
	all := entries(t, f, 3)
	data := file(t, f.Manifest, all[0], all[1], all[0], all[2])
	ids, sum, err := read(data, f.Manifest)
	if err != nil || sum != (register.Summary{Entries: 3, Keys: 6}) ||
		!slices.Equal(ids, []string{all[0].ID, all[1].ID, all[2].ID}) {
		t.Errorf("%v, %+v, %v", ids, sum, err)
	}
	if _, sum, err := read(data, foreign.Manifest); err != nil || sum != (register.Summary{Dropped: 4, Foreign: 4}) {
		t.Errorf("under another manifest: %+v, %v", sum, err)
	}
	mixed := file(t, f.Manifest, all[0], entries(t, foreign, 1)[0], all[1])
	if _, sum, err := read(mixed, f.Manifest); err != nil ||
		sum != (register.Summary{Entries: 2, Keys: 4, Dropped: 1, Foreign: 1}) {
		t.Errorf("with a foreign entry: %+v, %v", sum, err)
	}
	bent := bytes.Clone(data)
	bent[bytes.Index(bent, all[1].Deals[2])] ^= 1
	if _, sum, err := read(bent, f.Manifest); err != nil || sum != (register.Summary{Entries: 2, Keys: 4, Partial: 1}) {
		t.Errorf("with a bent deal: %+v, %v", sum, err)
	}
}

// Whatever is missing or wrong about the file itself is an error that says so.
func TestFileRefused(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	data := file(t, f.Manifest, entries(t, f, 1)...)
	for cut := range len(data) {
		if _, _, err := read(data[:cut], f.Manifest); err == nil {
			t.Fatalf("%d of %d bytes are taken for a whole file", cut, len(data))
		}
	}
	if _, _, err := read(data[:len(data)-1], f.Manifest); !errors.Is(err, register.ErrFileCut) {
		t.Error(err)
	}
	all := file(t, f.Manifest, entries(t, f, 2)...)
	first := bytes.Index(all, []byte("h\x00"))
	second := first + 1 + bytes.Index(all[first+1:], []byte("h\x00\x00"))
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"two files", append(bytes.Clone(data), data...), register.ErrFileGoes},
		{"one entry taken out", append(bytes.Clone(all[:first]), all[second:]...), register.ErrFileCount},
		{"a count of other size", append(bytes.Clone(data[:len(data)-13]), 'e', 0, 0, 0, 0), register.ErrFileCount},
	} {
		if _, _, err := read(test.data, f.Manifest); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	later := bytes.Clone(data)
	binary.BigEndian.PutUint32(later[bytes.IndexByte(later, '\n')+1:], 3)
	if _, _, err := read(later, f.Manifest); err == nil || !strings.Contains(err.Error(), "format 3") {
		t.Error(err)
	}
	start := data[:bytes.IndexByte(data, '\n')+5]
	for _, record := range []string{"x\x00\x00\x00\x00", "h\xff\xff\xff\xff", "d\x7f\x00\x00\x00", "e\x00\x00\x00\x09"} {
		if _, _, err := read(append(bytes.Clone(start), record...), f.Manifest); err == nil ||
			!strings.Contains(err.Error(), "damaged") {
			t.Errorf("%q: %v", record, err)
		}
	}
}

func TestNewEntryRefuses(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	e := entries(t, f, 1)[0]
	swapped := [][]byte{e.Deals[1], e.Deals[0], e.Deals[2]}
	for name, deals := range map[string][][]byte{"none": nil, "one less": e.Deals[1:], "in another order": swapped} {
		if _, err := register.NewEntry(f.Manifest, e.Head, deals); err == nil {
			t.Errorf("deals: %s", name)
		}
	}
}

func FuzzFile(f *testing.F) {
	fleet := wiretest.New(f, 1, 1, nil)
	data := file(f, fleet.Manifest, entries(f, fleet, 2)...)
	f.Add(data)
	f.Add(data[:len(data)/2])
	changed := holdertest.Change(f, fleet)
	var out bytes.Buffer
	w, err := register.NewWriter(&out, changed.Lineage)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Write(changed.Entries[5]), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole []*register.Entry
		known := wire.NewLineage(fleet.Manifest)
		_, _ = register.ReadFile(bytes.NewReader(data), wire.NewLineage(fleet.Manifest), register.Reading{
			Entry:   func(e *register.Entry) error { whole = append(whole, e); return nil },
			Lineage: func(l *wire.Lineage) error { known = l; return nil },
			Dropped: func(error) {},
		})
		for _, e := range whole {
			if _, err := register.NewEntry(known, e.Head, e.Deals); err != nil {
				t.Fatal(err)
			}
		}
	})
}
