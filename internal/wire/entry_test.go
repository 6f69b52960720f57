package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// entryParts are a head's parts before anybody certifies them.
func (f *fleet) entryParts() (BatchHeader, [][]byte, [][]byte) {
	h := BatchHeader{Client: "alice", Digest: [32]byte{1}, Suite: uint8(frost.Ed25519), K: 3}
	var keys, deals [][]byte
	for i := range h.K {
		keys = append(keys, bytes.Repeat([]byte{byte(i + 1)}, 32))
	}
	for i := range f.m.N {
		deals = append(deals, EncodeDeal(h, &frost.Deal{Ephemeral: [32]byte{byte(i)}}))
	}
	return h, keys, deals
}

// certified has every node certify a head as it stands.
func (f *fleet) certified(head *EntryHead) *EntryHead {
	head.Certificates = nil
	for i := range f.m.N {
		c := Certificate{
			Context: head.Header.Context(f.m), Transcript: Transcript(head.Deals), Root: KeyRoot(head.Keys), Node: uint32(i),
		}
		c.Attestation = f.attestOne(i, c.Leaf(f.m))
		head.Certificates = append(head.Certificates, Encode(&c))
	}
	return head
}

func (f *fleet) entry() (*EntryHead, [][]byte) {
	h, keys, deals := f.entryParts()
	return f.certified(NewEntryHead(f.m, h, keys, nil, DealDigests(deals), false)), deals
}

func TestEntry(t *testing.T) {
	f := newFleet(t, 2, 3)
	head, deals := f.entry()
	e, err := VerifyEntry(Encode(head), f.m)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != ShortID(head.Header.Context(f.m)) || e.Transcript != Transcript(DealDigests(deals)) || len(e.PublicKeys()) != 3 {
		t.Errorf("%+v", e)
	}
	for i, deal := range deals {
		if err := e.VerifyDeal(i, deal); err != nil {
			t.Error(err)
		}
		if e.VerifyDeal((i+1)%3, deal) == nil || e.VerifyDeal(i, append(bytes.Clone(deal), 0)) == nil {
			t.Error("another deal is taken")
		}
	}
	if e.VerifyDeal(-1, deals[0]) == nil || e.VerifyDeal(3, deals[0]) == nil {
		t.Error("a dealer outside the fleet is taken")
	}
	again, err := VerifyEntry(Encode(f.certified(head)), f.m) // other signatures
	if err != nil || !again.Same(e) {
		t.Errorf("certified again it is not the same: %v", err)
	}
}

// What an entry must not prove: each change is made to a head that verifies, and where
// it can be, certified by all nodes.
func TestEntryRefused(t *testing.T) {
	f, foreign := newFleet(t, 2, 3), newFleet(t, 2, 3)
	for name, test := range map[string]struct {
		change    func(*EntryHead)
		certified bool // all nodes sign what was changed
		want      string
	}{
		"another format":        {func(h *EntryHead) { h.Version = 5 }, true, "its format is 5"},
		"a later generation":    {func(h *EntryHead) { h.Generation = 1 }, true, "format 1 and generation 1"},
		"another manifest":      {func(h *EntryHead) { h.Manifest = foreign.m.Hash() }, true, "another manifest"},
		"another origin":        {func(h *EntryHead) { h.Origin = foreign.m.Hash() }, true, "another manifest"},
		"a key less":            {func(h *EntryHead) { h.Keys = h.Keys[1:] }, true, "2 keys"},
		"no keys":               {func(h *EntryHead) { h.Header.K, h.Keys = 0, nil }, true, "header of 0 keys"},
		"no suite":              {func(h *EntryHead) { h.Header.Suite = 9 }, true, "suite 9"},
		"an owner that is none": {func(h *EntryHead) { h.Header.Client = "a.b" }, true, `client "a.b"`},
		"another owner":         {func(h *EntryHead) { h.Keys[1].Owner = "bob" }, true, "key 1"},
		"another index":         {func(h *EntryHead) { h.Keys[1].Index = 2 }, true, "key 1"},
		"a short key":           {func(h *EntryHead) { h.Keys[1].PublicKey = h.Keys[1].PublicKey[1:] }, true, "key 1"},
		"another chain code":    {func(h *EntryHead) { h.Keys[2].ChainCode[0]++ }, true, "key 2"},
		"another key":           {func(h *EntryHead) { h.Keys[0].PublicKey[0]++ }, false, "node 0 certified something else"},
		"a deal twice":          {func(h *EntryHead) { h.Deals[1] = h.Deals[0] }, true, "deal 1 is there twice"},
		"another deal":          {func(h *EntryHead) { h.Deals[1][0]++ }, false, "key 0"},
		"a deal less":           {func(h *EntryHead) { h.Deals = h.Deals[1:] }, true, "2 deals"},
		"another job":           {func(h *EntryHead) { h.Header.Digest[0]++ }, false, "certified something else"},
		"a certificate less":    {func(h *EntryHead) { h.Certificates = h.Certificates[1:] }, false, "2 certificates"},
		"one node's certificate twice": {
			func(h *EntryHead) { h.Certificates[1] = h.Certificates[0] }, false, "certificate of node 1",
		},
		"an unsigned certificate": {func(h *EntryHead) {
			var c Certificate
			must(0, Decode(h.Certificates[2], MaxAttestation, &c))
			c.Attestation.Signature[9]++
			h.Certificates[2] = Encode(&c)
		}, false, "certificate of node 2"},
		"certificates of another fleet": {func(h *EntryHead) {
			other := *h
			h.Certificates = foreign.certified(&other).Certificates
		}, false, "certificate of node 0"},
	} {
		head, _ := f.entry()
		test.change(head)
		if test.certified {
			head = f.certified(head)
		}
		if _, err := VerifyEntry(Encode(head), f.m); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
	head, _ := f.entry()
	data := Encode(head)
	for _, junk := range [][]byte{nil, {0xa0}, data[:len(data)-1], append(data, 0), make([]byte, MaxEntryHead+1)} {
		if _, err := VerifyEntry(junk, f.m); err == nil {
			t.Errorf("%d bytes of junk are taken", len(junk))
		}
	}
	later := struct {
		Version uint32 `cbor:"1,keyasint"`
		New     string `cbor:"99,keyasint"`
	}{CompactVersion + 1, "field"}
	if _, err := VerifyEntry(Encode(later), f.m); !errors.Is(err, ErrEntryVersion) {
		t.Errorf("a later format with a new field: %v", err)
	}
}

// The largest entry fits: 1,000 keys of 128 nodes, with the longest names.
func TestEntryFits(t *testing.T) {
	att := &Attestation{Index: 1<<16 - 1, Size: 1 << 16, Signature: make([]byte, 80)}
	for range maxAttestPath {
		att.Path = append(att.Path, make([]byte, 32))
	}
	head := EntryHead{Version: EntryVersion, Header: BatchHeader{Client: strings.Repeat("c", maxToken), K: frost.MaxBatch}}
	for i := range frost.MaxBatch {
		head.Keys = append(head.Keys, EntryKey{Index: uint32(i), Owner: head.Header.Client, PublicKey: make([]byte, 33)})
	}
	for i := range MaxNodes {
		head.Certificates = append(head.Certificates, Encode(&Certificate{Node: uint32(i), Attestation: att}))
		head.Deals = append(head.Deals, [32]byte{byte(i)})
	}
	if size := len(Encode(&head)); size > MaxEntryHead {
		t.Errorf("%d bytes", size)
	}
}

func TestEntrySubjects(t *testing.T) {
	for subject, want := range map[string][2]bool{
		EntryHeadSubject(testBatch, 0): {true, true}, EntryDealSubject(testBatch, 0, 7): {true, false},
		ManifestSubject([32]byte{}): {false, false}, "dkg.x.deal.0": {false, false},
	} {
		if entry, head := IsEntry(subject); entry != want[0] || entry && head != want[1] {
			t.Errorf("%s: %v, %v", subject, entry, head)
		}
	}
}

func FuzzEntry(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	head, _ := fleet.entry()
	data := Encode(head)
	f.Add(data)
	f.Add(data[:len(data)/2])
	head.Version = 2
	f.Add(Encode(head))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := VerifyEntry(data, fleet.m)
		if err != nil {
			return
		}
		if !bytes.Equal(Encode(&e.EntryHead), data) || e.ID != ShortID(e.Header.Context(fleet.m)) {
			t.Fatalf("%x is read and encodes to %x", data, Encode(&e.EntryHead))
		}
	})
}
