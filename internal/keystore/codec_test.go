package keystore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

func TestHeaderFits(t *testing.T) {
	r := sample(1, frost.MaxNodes, frost.MaxNodes, 1000, frost.Secp256k1TR)
	r.Owner = strings.Repeat("x", maxOwner)
	r.Generation, r.Reshare = 1<<32-1, []byte{1}
	raw, err := r.header().encode()
	if err != nil {
		t.Fatal(err)
	}
	if h, err := decodeHeader(raw); err != nil || *h != *r.header() {
		t.Fatalf("the largest header, %d bytes: %v", len(raw), err)
	}
}

func FuzzHeader(f *testing.F) {
	raw, err := sample(1, 3, 2, 4, frost.Ed25519).header().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	later, err := later(1, 7).header().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(later)
	f.Add([]byte{0x8a})
	f.Add([]byte{0x85})
	f.Add([]byte{0x9f, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := decodeHeader(data)
		if err != nil {
			return
		}
		again, err := h.encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("decoded, and encodes to other bytes: %v", err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	raw, err := encoder.Marshal(&cursor{StreamID: "KEYS", Seq: 7})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		var c cursor
		if decode(data, maxCursor, &c) != nil {
			return
		}
		if again, err := encoder.Marshal(&c); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("decoded, and encodes to other bytes: %v", err)
		}
	})
}

// FuzzEntry: nothing opens that this store did not seal, and what it sealed
// opens at its own index only.
func FuzzEntry(f *testing.F) {
	aead, err := newAEAD(&testSeal)
	if err != nil {
		f.Fatal(err)
	}
	s := &Store{aead: aead}
	r := sample(1, 3, 2, 4, frost.Ed25519)
	h := r.header()
	raw, err := h.encode()
	if err != nil {
		f.Fatal(err)
	}
	all, size := s.sealKeys(h, raw, r), h.entrySize()
	for i := range h.K {
		f.Add(all[i*size:(i+1)*size], i)
	}
	f.Fuzz(func(t *testing.T, entry []byte, i int) {
		if len(entry) != size || i < 0 || i >= h.K {
			return
		}
		key, ok := s.openEntry(h, raw, entry, i)
		if ok != bytes.Equal(entry, all[i*size:(i+1)*size]) {
			t.Fatalf("entry opens: %t", ok)
		}
		if ok && !bytes.Equal(key.Share.Expose(), r.Shares.Expose()[i*32:(i+1)*32]) {
			t.Fatal("another share came out")
		}
	})
}

func FuzzChecked(f *testing.F) {
	f.Add(checked([]byte("deal")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		value, ok := unchecked(data, 100)
		if ok && (!bytes.Equal(checked(value), data) || len(value) > 100) {
			t.Fatal("a checksum passed that is none")
		}
		if _, ok := unchecked(checked(data), len(data)); !ok {
			t.Fatal("a right checksum did not pass")
		}
	})
}
