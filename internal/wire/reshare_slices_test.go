package wire

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// However many nodes there are, a batch of the largest size moves to them: in few slices, each of
// which fits a message.
func TestEveryFleetHasSlices(t *testing.T) {
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		for n := 1; n <= MaxNodes; n++ {
			for threshold := 1; threshold <= n; threshold++ {
				next := &Manifest{N: n, T: threshold}
				for _, k := range []int{1, 2, 3, frost.MaxBatch/2 + 1, frost.MaxBatch - 1, frost.MaxBatch} {
					r := &Reshare{Header: BatchHeader{Suite: uint8(suite), K: uint32(k)}, PerSlice: PerSlice(suite, k, n, threshold)}
					if err := r.checkSlices(next); err != nil {
						t.Fatalf("%v, %d of %d, %d keys: %v", suite, threshold, n, k, err)
					}
					if fits := dealSize(suite, k, n, threshold) <= MaxReshareDeal; fits != (r.PerSlice == 0) {
						t.Fatalf("%v, %d of %d, %d keys: slices of %d", suite, threshold, n, k, r.PerSlice)
					}
				}
			}
		}
	}
	equal(t, "keys of a slice", PerSlice(frost.Secp256k1TR, frost.MaxBatch, MaxNodes, MaxNodes), 167)
}

// The bound on a deal's size holds for the largest one.
func TestReshareDealSize(t *testing.T) {
	f := newFleet(t, 1, 1)
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		for _, shape := range [][3]int{{1, 1, 1}, {1, MaxNodes, MaxNodes}, {167, MaxNodes, MaxNodes}, {1000, 2, 28}, {1000, 1, 50}} {
			k, threshold, n := shape[0], shape[1], shape[2]
			r := f.reshare(f)
			r.Header = BatchHeader{Client: strings.Repeat("c", 64), Suite: uint8(suite), K: frost.MaxBatch, Part: 1 << 31, Attempt: 1 << 31}
			r.From, r.To, r.PerSlice, r.Dealers = 1<<31, 1<<32-1, 1<<31, make([]byte, MaxNodes)
			d := &frost.ReshareDeal{Commitments: make([]byte, k*(threshold-1)*suite.PointSize())}
			for range n {
				d.Shares = append(d.Shares, make([]byte, k*frost.ScalarSize+16))
			}
			size, most := len(EncodeReshareDeal(r, MaxSlices-1, d)), dealSize(suite, k, n, threshold)
			if size > most || most-size > 1<<10+n*32 {
				t.Errorf("%v, %d keys to %d of %d: %d bytes, and the bound is %d", suite, k, threshold, n, size, most)
			}
		}
	}
}

// Slices are all keys, each once, in their order, and everybody has the same ones. A batch in one
// slice is dealt in the attempt's own name, as before there were slices.
func TestSlices(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	seen := map[[32]byte]bool{}
	for _, test := range []struct {
		k, per uint32
		want   [][2]int
	}{
		{3, 0, [][2]int{{0, 3}}},
		{3, 1, [][2]int{{0, 1}, {1, 2}, {2, 3}}},
		{3, 2, [][2]int{{0, 2}, {2, 3}}},
		{4, 2, [][2]int{{0, 2}, {2, 4}}},
		{1000, 250, [][2]int{{0, 250}, {250, 500}, {500, 750}, {750, 1000}}},
	} {
		r := f.reshare(g)
		r.Header.K, r.PerSlice = test.k, test.per
		if err := r.Check(f.m, g.m); err != nil {
			t.Fatal(err)
		}
		all := r.Slices()
		equal(t, "slices", len(all), len(test.want))
		equal(t, "count", r.SliceCount(), len(test.want))
		for i, s := range all {
			equal(t, "keys", [2]int{s.First, s.End}, test.want[i])
			if seen[s.Context] {
				t.Errorf("%d keys in slices of %d: the context of slice %d is another one's", test.k, test.per, i)
			}
			seen[s.Context] = true
			p := r.Params(s, f.m, g.m)
			equal(t, "keys of the parameters", p.K, s.End-s.First)
			equal(t, "their context", p.Context, s.Context)
		}
		if (all[0].ID() == r.ID()) != (test.per == 0) {
			t.Errorf("%d keys in slices of %d: the first slice has id %s, and the attempt %s", test.k, test.per, all[0].ID(), r.ID())
		}
		if back := must(DecodeReshare(Encode(r))); back.Context() != r.Context() || back.PerSlice != test.per {
			t.Errorf("read back: %+v", back)
		}
		deal := EncodeReshareDeal(r, len(all)-1, &frost.ReshareDeal{})
		if _, slice, _, err := DecodeReshareDeal(deal); err != nil || slice != len(all)-1 {
			t.Errorf("slice %d: %v", slice, err)
		}
	}
}

// A task whose slices are too many, too large, or no slices, is refused, before anything is held
// for them.
func TestSlicesRefused(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	for name, test := range map[string]struct {
		k, per uint32
		next   [2]int
		want   string
	}{
		"one slice with a size": {3, 3, [2]int{3, 4}, "2 to 6 slices"},
		"larger than the batch": {3, 1 << 31, [2]int{3, 4}, "2 to 6 slices"},
		"too many":              {7, 1, [2]int{3, 4}, "2 to 6 slices"},
		"far too many":          {1000, 1, [2]int{3, 4}, "2 to 6 slices"},
		"too large":             {1000, 0, [2]int{30, 40}, "a message takes"},
		"too large slices":      {1000, 900, [2]int{30, 40}, "a message takes"},
	} {
		r := f.reshare(g)
		r.Header.K, r.PerSlice = test.k, test.per
		next := *g.m
		next.T, next.N = test.next[0], test.next[1]
		if err := r.checkSlices(&next); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
	r := f.reshare(g)
	if r.PerSlice = 3; r.Check(f.m, g.m) == nil {
		t.Error("the task is taken")
	}
}

// The entry of a batch that moved in slices has a format of its own, and all deals.
func TestSlicedEntry(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	known := f.followedBy(g)
	r := f.reshare(g)
	whole := must(VerifyEntry(Encode(g.moved(r)), known))
	r.PerSlice = 1
	moved := func(change func(*EntryHead)) error {
		_, err := VerifyEntry(Encode(g.moved(r, change)), known)
		return err
	}
	six := [][32]byte{{1}, {2}, {3}, {4}, {5}, {6}}
	e, err := VerifyEntry(Encode(g.moved(r, func(h *EntryHead) { h.Deals = six })), known)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "format", e.Version, SlicedVersion)
	equal(t, "context", e.Context, r.Context())
	equal(t, "format of one slice", whole.Version, LaterVersion)
	if e.Same(whole) || !e.Continues(whole) {
		t.Error("the slices are of no account, or make other keys")
	}
	for name, test := range map[string]struct {
		change func(*EntryHead)
		want   string
	}{
		"a deal of each dealer": {func(*EntryHead) {}, "2 deals; want 3, 4 and 6"},
		"a deal less":           {func(h *EntryHead) { h.Deals = six[1:] }, "5 deals"},
		"a slice twice":         {func(h *EntryHead) { h.Deals = append([][32]byte{{2}}, six[1:]...) }, "there twice"},
		"too many slices":       {func(h *EntryHead) { h.Header.K, h.Deals = 7, six }, "slices"},
		"format of one slice":   {func(h *EntryHead) { h.Version, h.Deals = LaterVersion, six }, "format 2"},
		"no slices":             {func(h *EntryHead) { h.PerSlice = 0 }, "format 3"},
		"of generation 0":       {func(h *EntryHead) { h.Generation, h.Version = 0, EntryVersion }, "1 keys a slice"},
	} {
		if err := moved(test.change); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
}
