package wire

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// inPlaceSamples are messages and what is nearly one.
func inPlaceSamples() (all [][]byte) {
	long := bytes.Repeat([]byte{7}, 70_000)
	h := BatchHeader{Client: "alice", Digest: [32]byte{1}, Part: 300, Attempt: 24, Suite: 1, K: 1 << 20}
	for _, e := range []Envelope{
		{Body: long, Signature: make([]byte, 64), Delegation: long[:300]},
		{Body: []byte{1}, Signature: make([]byte, 64), Gateway: "gw"},
		{Body: []byte{}, Signature: nil, Delegation: []byte{1}, Gateway: "é"},
		{},
	} {
		all = append(all, Encode(&e))
	}
	for _, d := range []frost.Deal{
		{Ephemeral: [32]byte{9}, Commitments: long, Proofs: long[:24], Shares: [][]byte{long[:23], {}, nil}},
		{Shares: [][]byte{}},
		{Proofs: long[:9], ProofsHash: &[32]byte{}},
		{},
	} {
		all = append(all, EncodeDeal(h, &d), EncodeDeal(BatchHeader{}, &d))
	}
	for _, good := range all[:len(all):len(all)] {
		all = append(all, append(bytes.Clone(good), 0), good[:len(good)-1])
		for at := range min(len(good), 120) {
			for _, bit := range []byte{1, 0x18, 0x20, 0x80} {
				bad := bytes.Clone(good)
				bad[at] ^= bit
				all = append(all, bad)
			}
		}
	}
	return append(all,
		nil, []byte{0xa0}, []byte{0xa2, 1, 0x58, 1, 7, 2, 0x40}, // a length that has a shorter form
		[]byte{0xa2, 1, 0x5f, 0x41, 7, 0xff, 2, 0x40},       // a length that is left open
		[]byte{0xa2, 2, 0x40, 1, 0x40},                      // another order
		[]byte{0xa3, 1, 0x40, 2, 0x40, 3, 0x40},             // an empty field that is left out
		[]byte{0xa3, 1, 0x40, 2, 0x40, 4, 0x62, 0xff, 0xfe}, // no UTF-8
		[]byte{0xa3, 1, 0x40, 2, 0x40, 5, 0x40},             // an unknown field
		[]byte{0xa2, 1, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x40},
		[]byte{0xa5, 1, 0xa0, 2, 0x40, 3, 0x40, 4, 0x40, 5, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0},
	)
}

// sameAsDecode fails where what is read in place is not what Decode reads.
func sameAsDecode(t *testing.T, data []byte) {
	t.Helper()
	var e Envelope
	want := Decode(data, MaxMessageSize, &e)
	got, err := decodeEnvelope(data, MaxMessageSize)
	if (want == nil) != (err == nil) || err == nil && !reflect.DeepEqual(*got, e) {
		t.Fatalf("envelope %.200x: in place %+v, %v; Decode: %+v, %v", data, got, err, e, want)
	}
	var b dealBody
	want = Decode(data, MaxMessageSize, &b)
	deal, err := decodeDealBody(data)
	if (want == nil) != (err == nil) || err == nil && !reflect.DeepEqual(*deal, b) {
		t.Fatalf("deal %.200x: in place %+v, %v; Decode: %+v, %v", data, deal, err, b, want)
	}
}

func TestInPlace(t *testing.T) {
	t.Parallel()
	for _, data := range inPlaceSamples() {
		sameAsDecode(t, data)
	}
	if _, err := decodeEnvelope(Encode(&Envelope{Body: make([]byte, 100)}), 100); err == nil {
		t.Error("a message over the limit was read")
	}
}

func FuzzInPlace(f *testing.F) {
	for _, data := range inPlaceSamples() {
		if len(data) < 2000 {
			f.Add(data)
		}
	}
	f.Fuzz(sameAsDecode)
}

// TestInPlaceCopiesNothing: however long a deal is, reading it takes little memory of its own.
func TestInPlaceCopiesNothing(t *testing.T) {
	long := make([]byte, 300_000)
	deal := EncodeDeal(BatchHeader{Client: "alice"}, &frost.Deal{Commitments: long, Proofs: long, Shares: [][]byte{long}})
	message := Encode(&Envelope{Body: deal, Signature: make([]byte, 64)})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e, err := decodeEnvelope(message, MaxMessageSize)
	if err == nil {
		_, _, err = DecodeDeal(e.Body)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err != nil || took > uint64(len(long)) {
		t.Errorf("%d bytes are allocated for a deal of %d: %v", took, len(deal), err)
	}
}
