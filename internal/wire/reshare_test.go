package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// reshare is an attempt at moving a batch of three keys from f to g.
func (f *fleet) reshare(g *fleet) *Reshare {
	h := BatchHeader{Client: "alice", Digest: [32]byte{7}, Suite: uint8(frost.Secp256k1TR), K: 3}
	made := Transcript([][32]byte{{1}, {2}, {3}})
	r := &Reshare{
		Version: ReshareVersion, Origin: f.m.Hash(), Header: h, Made: made, Base: made, Source: f.m.Hash(), Manifest: g.m.Hash(), To: 1,
	}
	for i := range f.m.T {
		r.Dealers = append(r.Dealers, byte(i))
	}
	return r
}

// moved is the entry of an attempt, as all nodes of f certify it.
func (f *fleet) moved(r *Reshare, change ...func(*EntryHead)) *EntryHead {
	var keys [][]byte
	for i := range int(r.Header.K) {
		keys = append(keys, bytes.Repeat([]byte{2, byte(i)}, 17)[:33])
	}
	var deals [][32]byte
	for i := range r.Dealers {
		deals = append(deals, [32]byte{9, byte(i)})
	}
	head := NewLaterHead(r, EntryKeys(keys, r.Header.Client, r.Made), nil, deals)
	for _, c := range change {
		c(head)
	}
	head.Certificates = nil
	for i := range f.m.N {
		c := Certificate{
			Context: head.Reshare().Context(), Generation: head.Generation, Transcript: Transcript(head.Deals),
			Root: KeyRoot(head.Keys), Node: uint32(i),
		}
		c.Attestation = f.attestOne(i, c.Leaf(f.m))
		head.Certificates = append(head.Certificates, Encode(&c))
	}
	return head
}

func (f *fleet) followedBy(g *fleet) *Lineage {
	return must(NewLineage(f.m).WithSuccession(f.succession(g.m, true, 0, 1)))
}

func TestReshareCheck(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	if err := f.reshare(g).Check(f.m, g.m); err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{f.reshare(g).Context(): true}
	for name, change := range map[string]func(*Reshare){
		"origin":   func(r *Reshare) { r.Origin[0]++ },
		"header":   func(r *Reshare) { r.Header.Part++ },
		"made":     func(r *Reshare) { r.Made[0]++ },
		"base":     func(r *Reshare) { r.Base[0]++ },
		"source":   func(r *Reshare) { r.Source[0]++ },
		"manifest": func(r *Reshare) { r.Manifest[0]++ },
		"from":     func(r *Reshare) { r.From++ },
		"to":       func(r *Reshare) { r.To++ },
		"dealers":  func(r *Reshare) { r.Dealers = []byte{1, 2} },
	} {
		r := f.reshare(g)
		change(r)
		if seen[r.Context()] {
			t.Errorf("%s is not in the context", name)
		}
		seen[r.Context()] = true
		back, err := DecodeReshare(Encode(r))
		if err != nil || back.Context() != r.Context() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Reshare){
		"another format":      func(r *Reshare) { r.Version = 2 },
		"no later generation": func(r *Reshare) { r.To = 0 },
		"of later to earlier": func(r *Reshare) { r.From, r.To = 3, 2 },
		"too few dealers":     func(r *Reshare) { r.Dealers = r.Dealers[1:] },
		"too many dealers":    func(r *Reshare) { r.Dealers = []byte{0, 1, 2} },
		"a dealer twice":      func(r *Reshare) { r.Dealers = []byte{1, 1} },
		"no dealer":           func(r *Reshare) { r.Dealers = []byte{0, 3} },
		"another transcript":  func(r *Reshare) { r.Base[0]++ },
		"made elsewhere":      func(r *Reshare) { r.Origin[0]++ },
		"no keys":             func(r *Reshare) { r.Header.K = 0 },
		"no owner":            func(r *Reshare) { r.Header.Client = "" },
		"too many keys":       func(r *Reshare) { r.Header.K = frost.MaxBatch + 1 },
		"no suite":            func(r *Reshare) { r.Header.Suite = 3 },
	} {
		r := f.reshare(g)
		if change(r); r.Check(f.m, g.m) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if f.reshare(g).Check(g.m, f.m) == nil || f.reshare(g).Check(f.m, newFleet(t, 3, 4).m) == nil {
		t.Error("keys move to a manifest that does not follow")
	}
}

func TestLaterEntry(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	known := f.followedBy(g)
	r := f.reshare(g)
	e, err := VerifyEntry(Encode(g.moved(r)), known)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", e.ID, r.BatchID())
	equal(t, "context", e.Context, r.Context())
	equal(t, "made by", e.MadeBy, r.Made)
	if again := must(VerifyEntry(Encode(g.moved(r)), known)); !e.Same(again) || !e.Continues(again) {
		t.Error("other certificates make another entry")
	}
	for name, test := range map[string]struct {
		head *EntryHead
		want string
	}{
		"another chain code": {g.moved(r, func(h *EntryHead) { h.Keys[1].ChainCode[0]++ }), "key 1"},
		"another owner":      {g.moved(r, func(h *EntryHead) { h.Keys[1].Owner = "bob" }), "key 1"},
		"a key less":         {g.moved(r, func(h *EntryHead) { h.Keys = h.Keys[1:] }), "2 keys"},
		"a deal more":        {g.moved(r, func(h *EntryHead) { h.Deals = append(h.Deals, [32]byte{5}) }), "3 deals"},
		"another dealer":     {g.moved(r, func(h *EntryHead) { h.Dealers = []byte{1} }), "dealers"},
		"by the old nodes":   {f.moved(r), "certificates"},
		"generation 0":       {g.moved(r, func(h *EntryHead) { h.Generation = 0 }), "generation 0"},
		"format of before":   {g.moved(r, func(h *EntryHead) { h.Version = EntryVersion }), "generation 1"},
		"unknown source":     {g.moved(r, func(h *EntryHead) { h.Source[0]++ }), "another manifest"},
		"unknown manifest":   {g.moved(r, func(h *EntryHead) { h.Manifest[0]++ }), "another manifest"},
		"not the next one":   {g.moved(r, func(h *EntryHead) { h.Source = h.Manifest }), "do not fit"},
	} {
		if _, err := VerifyEntry(Encode(test.head), known); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
	if _, err := VerifyEntry(Encode(g.moved(r)), f.m); !errors.Is(err, ErrOtherFleet) {
		t.Errorf("by a manifest that nobody approved: %v", err)
	}
	certified := g.moved(r)
	certified.Dealers = []byte{1, 2}
	if _, err := VerifyEntry(Encode(certified), known); err == nil {
		t.Error("certificates of another attempt are taken")
	}
	first := Entry{EntryHead: EntryHead{Generation: 0}, ID: e.ID, MadeBy: e.MadeBy, Root: e.Root}
	stolen := first
	stolen.Root[0]++
	if !e.Continues(&first) || e.Continues(&stolen) {
		t.Error("other keys continue a batch, or its own do not")
	}
}

func FuzzReshare(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	g := fleet.next(1, 1)
	r := fleet.reshare(g)
	f.Add(Encode(r))
	f.Add(EncodeReshareDeal(r, 0, &frost.ReshareDeal{Commitments: []byte{1}, Shares: [][]byte{{2}}}))
	f.Add(mustJSON(Pace{Version: PaceVersion, Manifest: make(HexBytes, 32), Run: true}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := DecodeReshare(data); err == nil {
			if !bytes.Equal(Encode(r), data) {
				t.Fatalf("%x is read and encodes to %x", data, Encode(r))
			}
			if r.Check(fleet.m, g.m) == nil && (len(r.Dealers) != fleet.m.T || r.To == 0) {
				t.Fatal("an attempt without its dealers")
			}
		}
		if r, slice, d, err := DecodeReshareDeal(data); err == nil && !bytes.Equal(EncodeReshareDeal(r, slice, d), data) {
			t.Fatalf("%x is another deal", data)
		}
		if p, err := ParsePace(data); err == nil && len(p.Manifest) != 32 {
			t.Fatal("a pace for no manifest")
		}
	})
}
