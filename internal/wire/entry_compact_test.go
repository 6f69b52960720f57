package wire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// dealt is a batch of real deals, as they stand in the rounds.
type dealt struct {
	header BatchHeader
	params frost.Params
	deals  []*frost.Deal
	raw    [][]byte
}

func (f *fleet) dealt(t testing.TB, suite frost.Suite, k uint32, apart bool) *dealt {
	t.Helper()
	d := &dealt{header: BatchHeader{Client: "alice", Digest: [32]byte{1}, Suite: uint8(suite), K: k}}
	d.params = d.header.Params(f.m)
	d.params.Apart = apart
	for i := range f.m.N {
		deal, err := frost.NewDeal(d.params, i, &[32]byte{byte(i), byte(suite)})
		if err != nil {
			t.Fatal(err)
		}
		d.deals, d.raw = append(d.deals, deal), append(d.raw, EncodeDeal(d.header, deal))
	}
	return d
}

// compactEntry is an entry of real deals.
func (f *fleet) compactEntry(t testing.TB, suite frost.Suite, k uint32) (*EntryHead, [][]byte, *dealt) {
	t.Helper()
	d := f.dealt(t, suite, k, true)
	public, err := frost.Summarize(d.params, d.deals)
	if err != nil {
		t.Fatal(err)
	}
	kept, compact := EntryDeals(d.raw)
	if !compact {
		t.Fatal("no deal became compact")
	}
	return f.certified(NewEntryHead(f.m, d.header, public.PublicKeys, nil, DealDigests(kept), compact)), kept, d
}

// TestCompactDeal: what an entry has of a deal says all of it but the proofs, and has one
// encoding.
func TestCompactDeal(t *testing.T) {
	f := newFleet(t, 2, 3)
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		for i, body := range f.dealt(t, suite, 3, true).raw {
			header, want, err := DecodeDeal(body)
			if err != nil {
				t.Fatal(err)
			}
			kept, compact := EntryDeal(body)
			again, still := EntryDeal(kept)
			if !compact || !still || !bytes.Equal(again, kept) {
				t.Fatalf("%v: deal %d is not compact, or becomes another", suite, i)
			}
			if _, _, err := DecodeDeal(kept); err == nil {
				t.Errorf("%v: a compact deal is taken for one of the rounds", suite)
			}
			got, deal, err := DecodeEntryDeal(kept)
			if err != nil {
				t.Fatal(err)
			}
			want.Proofs = nil
			if got != header || !reflect.DeepEqual(deal, want) {
				t.Errorf("%v: %+v became %+v", suite, want, deal)
			}
			if h, err := DealHeader(kept); err != nil || h != header {
				t.Errorf("%v: header %+v, %v", suite, h, err)
			}
		}
		for _, body := range f.dealt(t, suite, 3, false).raw {
			if kept, compact := EntryDeal(body); compact || !bytes.Equal(kept, body) {
				t.Errorf("%v: a deal of the form before is changed", suite)
			}
			_, want, _ := DecodeDeal(body)
			if _, deal, err := DecodeEntryDeal(body); err != nil || !reflect.DeepEqual(deal, want) {
				t.Errorf("%v: a deal of the form before: %v", suite, err)
			}
		}
	}
}

func TestCompactDealRefused(t *testing.T) {
	f := newFleet(t, 2, 3)
	kept, _ := EntryDeal(f.dealt(t, frost.Secp256k1TR, 2, true).raw[0])
	for name, change := range map[string]func(*compactDeal){
		"another prefix":       func(d *compactDeal) { d.Points[0] = 4 },
		"x of no point":        func(d *compactDeal) { clear(d.Points[1:33]); d.Points[32] = 5 },
		"x over the prime":     func(d *compactDeal) { copy(d.Points[1:], bytes.Repeat([]byte{0xff}, 32)) },
		"half a point more":    func(d *compactDeal) { d.Points = append(d.Points, 2) },
		"a suite that is none": func(d *compactDeal) { d.Header.Suite = 9 },
	} {
		var d compactDeal
		if err := Decode(kept, MaxMessageSize, &d); err != nil {
			t.Fatal(err)
		}
		change(&d)
		if _, _, err := DecodeEntryDeal(Encode(&d)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, body := range map[string][]byte{
		"a byte more": append(bytes.Clone(kept), 0), "a byte less": kept[:len(kept)-1], "nothing": nil,
		"too large": append(bytes.Clone(kept), make([]byte, MaxMessageSize)...),
	} {
		if _, _, err := DecodeEntryDeal(body); err == nil {
			t.Errorf("%s is taken", name)
		}
		if got, _ := EntryDeal(body); !bytes.Equal(got, body) {
			t.Errorf("%s is changed", name)
		}
	}
}

// TestCompactEntry: a head of version 4 proves what one of version 1 proves, and a deal is
// its deal to the last bit.
func TestCompactEntry(t *testing.T) {
	f := newFleet(t, 2, 3)
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		head, kept, d := f.compactEntry(t, suite, 3)
		data := Encode(head)
		e, err := VerifyEntry(data, f.m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(Encode(&e.EntryHead), data) || !reflect.DeepEqual(e.EntryHead, *head) {
			t.Errorf("%+v became %+v", head, e.EntryHead)
		}
		plain := *head
		plain.Version = EntryVersion
		same, err := VerifyEntry(Encode(&plain), f.m)
		if err != nil || !same.Same(e) || !same.Continues(e) || !reflect.DeepEqual(same.Keys, e.Keys) {
			t.Errorf("a head of version 1 of the same: %v", err)
		}
		if saved := len(Encode(&plain)) - len(data); saved < 3*40 {
			t.Errorf("%d bytes less than version 1", saved)
		}
		for i, body := range kept {
			if err := e.VerifyDeal(i, body); err != nil {
				t.Error(err)
			}
			if e.VerifyDeal(i, d.raw[i]) == nil {
				t.Error("an entry takes a deal in another form than its digest names")
			}
			for at := range body {
				bent := bytes.Clone(body)
				bent[at] ^= 1 << (at % 8)
				if e.VerifyDeal(i, bent) == nil {
					t.Fatalf("byte %d is free", at)
				}
			}
		}
	}
}

func TestCompactEntryRefused(t *testing.T) {
	f := newFleet(t, 2, 3)
	head, _, _ := f.compactEntry(t, frost.Ed25519, 3)
	whole := Encode(head)
	for name, test := range map[string]struct {
		change func(*compactHead)
		want   string
	}{
		"a key less":       {func(h *compactHead) { h.PublicKeys = h.PublicKeys[32:] }, "the public keys"},
		"a byte more":      {func(h *compactHead) { h.PublicKeys = append(h.PublicKeys, 0) }, "the public keys"},
		"no suite":         {func(h *compactHead) { h.Header.Suite = 9 }, "the public keys"},
		"no keys":          {func(h *compactHead) { h.Header.K, h.PublicKeys = 0, []byte{} }, "header of 0 keys"},
		"too many keys":    {func(h *compactHead) { h.Header.K = 1 << 31 }, "the public keys"},
		"a key more":       {func(h *compactHead) { h.Header.K++ }, "the public keys"},
		"another key":      {func(h *compactHead) { h.PublicKeys[0] ^= 1 }, "certified something else"},
		"another owner":    {func(h *compactHead) { h.Header.Client = "bob" }, "certified something else"},
		"another deal":     {func(h *compactHead) { h.Deals[1][0]++ }, "certified something else"},
		"a deal less":      {func(h *compactHead) { h.Deals = h.Deals[1:] }, "2 deals"},
		"another manifest": {func(h *compactHead) { h.Origin[0]++ }, "another manifest"},
	} {
		var h compactHead
		if err := Decode(whole, MaxEntryHead, &h); err != nil {
			t.Fatal(err)
		}
		test.change(&h)
		if _, err := VerifyEntry(Encode(&h), f.m); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
	later := *head
	later.Version, later.Generation = EntryVersion, 1
	if _, err := VerifyEntry(Encode(&later), f.m); !errors.Is(err, ErrEntryVersion) {
		t.Errorf("a later generation: %v", err)
	}
	mixed := struct {
		compactHead
		Keys []EntryKey `cbor:"6,keyasint"`
	}{Keys: head.Keys}
	if err := Decode(whole, MaxEntryHead, &mixed.compactHead); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyEntry(Encode(&mixed), f.m); err == nil {
		t.Error("a head with keys in two forms is taken")
	}
	for cut := range whole {
		if _, err := VerifyEntry(whole[:cut], f.m); err == nil {
			t.Fatalf("cut to %d bytes it is taken", cut)
		}
	}
}

// TestEntrySize: of the largest batches a key of 2 of 3 takes no more than 530 bytes.
func TestEntrySize(t *testing.T) {
	f := newFleet(t, 2, 3)
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		const k = frost.MaxBatch
		size := suite.PointSize()
		head := f.certified(NewEntryHead(f.m, BatchHeader{Client: strings.Repeat("c", maxToken), Suite: uint8(suite), K: k},
			slices.Repeat([][]byte{make([]byte, suite.PublicKeySize())}, k), nil, [][32]byte{{1}, {2}, {3}}, true))
		total := len(Encode(head))
		for range 3 {
			box := make([]byte, k*frost.ScalarSize+16)
			kept, _ := EntryDeal(EncodeDeal(head.Header, &frost.Deal{
				Commitments: make([]byte, 2*k*size), Proofs: make([]byte, k*(size+32)), Shares: [][]byte{box, box, box}, ProofsHash: new([32]byte),
			}))
			total += len(kept)
		}
		if each := total / k; each > 530 {
			t.Errorf("%v: %d bytes a key", suite, each)
		}
	}
}

func FuzzEntryDeal(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		for _, apart := range []bool{false, true} {
			body := fleet.dealt(f, suite, 2, apart).raw[0]
			kept, _ := EntryDeal(body)
			f.Add(body)
			f.Add(kept)
			f.Add(kept[:len(kept)/2])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kept, compact := EntryDeal(data)
		if again, still := EntryDeal(kept); !bytes.Equal(again, kept) || still != compact {
			t.Fatalf("%x is kept as %x, and that as %x", data, kept, again)
		}
		h, deal, err := DecodeEntryDeal(data)
		if err != nil {
			return
		}
		if header, err := DealHeader(data); err != nil || header != h {
			t.Fatalf("%x has the headers %+v and %+v (%v)", data, h, header, err)
		}
		if !isCompact(data) {
			if !bytes.Equal(EncodeDeal(h, deal), data) {
				t.Fatalf("%x is read and encodes to %x", data, EncodeDeal(h, deal))
			}
			return
		}
		points, err := frost.CompactPoints(frost.Suite(h.Suite), deal.Commitments)
		if err != nil {
			t.Fatal(err)
		}
		again := Encode(&compactDeal{
			Header: h, Ephemeral: deal.Ephemeral, Shares: deal.Shares, Points: points, ProofsHash: *deal.ProofsHash,
		})
		if !bytes.Equal(again, data) {
			t.Fatalf("%x is read and encodes to %x", data, again)
		}
	})
}
