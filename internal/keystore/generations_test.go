package keystore

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// later is a generation of batch i, of other shares and fewer deals.
func later(i int, generation uint32) *Record {
	r := sample(i, 3, 2, 4, frost.Secp256k1TR)
	r.Generation, r.Context = generation, [32]byte(stream(32, "resharing", i, generation))
	r.Transcript = [32]byte(stream(32, "transcript", i, generation))
	r.Reshare = stream(300, "reshare", i, generation)
	r.Commitments = stream(len(r.Commitments), "points", i, generation)
	r.Shares = secret.New(stream(4*32, "shares", i, generation))
	r.Deals = r.Deals[:2]
	for j := range r.Certificates {
		r.Certificates[j] = stream(200, "cert", i, j, generation)
	}
	return r
}

// signsWith fails the test unless the key that signs is of this record.
func signsWith(t *testing.T, s *Store, r *Record, complete bool) {
	t.Helper()
	for i := range r.K {
		key, err := s.Key(r.Batch, i)
		if err != nil {
			t.Fatal(err)
		}
		if key.Generation != r.Generation || key.MadeBy != r.MadeBy || key.Transcript != r.Transcript || key.Complete != complete ||
			!bytes.Equal(key.Share.Expose(), r.Shares.Expose()[i*32:(i+1)*32]) {
			t.Fatalf("key %d is of generation %d, complete: %t; want %d, %t", i, key.Generation, key.Complete, r.Generation, complete)
		}
	}
}

// same fails the test unless a record is stored as it is.
func same(t *testing.T, s *Store, r *Record, complete bool) {
	t.Helper()
	got, err := s.Batch(r.ref())
	if err != nil {
		t.Fatal(err)
	}
	head := got.header()
	head.Deals = len(r.Deals)
	if *head != *r.header() || !bytes.Equal(got.Reshare, r.Reshare) || got.Complete != complete ||
		!bytes.Equal(got.Commitments, r.Commitments) || complete && !equal(got.Certificates, r.Certificates) {
		t.Fatalf("%s is not as stored", r.ref())
	}
	if deals, err := s.Deals(r.ref()); err != nil || !equal(deals, r.Deals) {
		t.Fatalf("%s: its deals are not as stored: %v", r.ref(), err)
	}
	c, err := s.Copy(r.ref())
	if err != nil || c.Ref != r.ref() || !bytes.Equal(c.Reshare, r.Reshare) || !equal(c.Deals, r.Deals) ||
		!equal(c.PublicKeys, r.PublicKeys) || (c.Certificates != nil) != complete {
		t.Fatalf("%s: its copy is not as stored: %v", r.ref(), err)
	}
}

// The highest generation signs that all nodes certified, whatever else is stored of the
// batch, and after a restart as well.
func TestGenerations(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	zero, first, third := sample(1, 3, 2, 4, frost.Secp256k1TR), later(1, 1), later(1, 3)
	neighbour := later(2, 2)
	steps := []struct {
		name     string
		do       func() error
		signs    *Record
		complete bool
		pending  int
	}{
		{"generation 0", func() error { return s.Certify(zero) }, zero, false, 1},
		{"a later one", func() error { return s.Certify(first) }, first, false, 2},
		{"0 is complete", func() error { return s.Complete(zero.ref(), zero.Certificates) }, zero, true, 1},
		{"another batch", func() error { return s.PutRecovered(neighbour) }, zero, true, 1},
		{"the highest", func() error { return s.Certify(third) }, zero, true, 2},
		{"1 is complete", func() error { return s.Complete(first.ref(), first.Certificates) }, first, true, 1},
		{"1 is recovered", func() error { return s.PutRecovered(first) }, first, true, 1},
		{"3 is recovered", func() error { return s.PutRecovered(third) }, third, true, 0},
		{"1 once more", func() error { return s.Certify(first) }, third, true, 0},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for range 2 { // as it is, and after a restart
			signsWith(t, s, step.signs, step.complete)
			if refs, err := s.Pending(); err != nil || len(refs) != step.pending {
				t.Fatalf("%s: %d pending, %v", step.name, len(refs), err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
		}
	}
	for _, r := range []*Record{zero, first, third, neighbour} {
		same(t, s, r, true)
		if ref, err := s.Find(r.Batch, [16]byte(r.Transcript[:])); err != nil || ref != r.ref() {
			t.Errorf("%s is found as %s, %v", r.ref(), ref, err)
		}
	}
	if _, err := s.Find(zero.Batch, [16]byte{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a transcript of none: %v", err)
	}
	if batches, keys := s.Stats(); batches != 2 || keys != 8 {
		t.Errorf("%d batches, %d keys", batches, keys)
	}
	var refs []Ref
	err := s.Known(func(ref Ref, _, madeBy [32]byte, complete, moved bool) {
		if refs = append(refs, ref); !complete || moved || ref.Batch == zero.Batch && madeBy != zero.Transcript {
			t.Errorf("%s: complete %t, moved %t", ref, complete, moved)
		}
	})
	if err != nil || len(refs) != 4 || refs[0] != zero.ref() || refs[1] != first.ref() || refs[2] != third.ref() {
		t.Errorf("%v, %v", refs, err)
	}
	_ = s.Close()
	copies := 0
	if err := Copies(dir, func(c *Copy) error { copies++; return nil }); err != nil || copies != 4 {
		t.Errorf("%d copies, %v", copies, err)
	}
}

// Certify-once holds of each generation for itself.
func TestOtherTranscriptOfAGeneration(t *testing.T) {
	s := open(t, t.TempDir())
	if err := errors.Join(s.Certify(later(1, 1)), s.Certify(later(1, 2))); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Record){
		"transcript": func(r *Record) { r.Transcript[0]++ },
		"context":    func(r *Record) { r.Context[0]++ },
	} {
		r := later(1, 1)
		change(r)
		if err := errors.Join(s.Certify(r)); !errors.Is(err, ErrOtherTranscript) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Record){
		"resharing": func(r *Record) { r.Reshare[0]++ },
		"origin":    func(r *Record) { r.MadeBy[0]++ },
		"deals":     func(r *Record) { r.Deals = r.Deals[:1] },
	} {
		r := later(1, 1)
		change(r)
		if err := s.Certify(r); err == nil {
			t.Errorf("another %s is taken", name)
		}
	}
	same(t, s, later(1, 1), false)
}

func TestBadGenerations(t *testing.T) {
	s := open(t, t.TempDir())
	for name, spoil := range map[string]func(*Record){
		"0 with a resharing":      func(r *Record) { r.Generation, r.MadeBy = 0, r.Transcript },
		"0 of another transcript": func(r *Record) { r.Generation, r.Reshare = 0, nil },
		"no resharing":            func(r *Record) { r.Reshare = nil },
		"a huge resharing":        func(r *Record) { r.Reshare = make([]byte, maxReshare+1) },
		"no deals":                func(r *Record) { r.Deals = nil },
		"too many deals":          func(r *Record) { r.Deals = make([][]byte, maxDeals+1) },
	} {
		r := later(1, 1)
		spoil(r)
		for i := range r.Deals {
			r.Deals[i] = []byte{1}
		}
		if err := errors.Join(s.Certify(r), s.PutRecovered(r)); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
}

// What was sealed for one generation does not open as another one's.
func TestGenerationOfAnother(t *testing.T) {
	for name, change := range map[string]func(*header){
		"generation": func(h *header) { h.Generation = 2 },
		"origin":     func(h *header) { h.MadeBy[0]++ },
		"resharing":  func(h *header) { h.Reshare[0]++ },
		"deals":      func(h *header) { h.Deals++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			r := later(1, 1)
			if err := s.PutRecovered(r); err != nil {
				t.Fatal(err)
			}
			if err := s.update(func(tx *bolt.Tx) error {
				b, err := s.find(tx, r.ref())
				if err != nil {
					return err
				}
				values := map[part][]byte{
					partKeys: bytes.Clone(b.get(partKeys, 0)), partComplete: bytes.Clone(b.get(partComplete, 0)),
				}
				if err := b.data.Delete(headerKey(r.ref())); err != nil {
					return err
				}
				change(b.h)
				if b.raw, err = b.h.encode(); err != nil {
					return err
				}
				for p, v := range values {
					if err := b.put(p, 0, v); err != nil {
						return err
					}
				}
				return b.putHeader()
			}); err != nil {
				t.Fatal(err)
			}
			s.refuses(t, r.Batch)
		})
	}
}

// Shares gives what was sealed, of a generation that all nodes certified and that has not
// moved on.
func TestShares(t *testing.T) {
	s := open(t, t.TempDir())
	zero, first := sample(1, 3, 2, 4, frost.Secp256k1TR), later(1, 1)
	if err := errors.Join(s.PutRecovered(zero), s.Certify(first)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Shares(first.ref()); !errors.Is(err, ErrIncomplete) {
		t.Errorf("not complete: %v", err)
	}
	if _, err := s.Shares(Ref{zero.Batch, 7}); !errors.Is(err, ErrUnknown) {
		t.Errorf("not stored: %v", err)
	}
	if err := s.Complete(first.ref(), first.Certificates); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Record{zero, first} {
		shares, err := s.Shares(r.ref())
		if err != nil || !bytes.Equal(shares.Expose(), r.Shares.Expose()) {
			t.Errorf("%s: other shares, %v", r.ref(), err)
		}
	}
	s.tamper(t, zero.Batch, func(_ *bolt.Tx, b *batch) error {
		all := bytes.Clone(b.get(partKeys, 0))
		all[len(all)-1] ^= 1
		return b.put(partKeys, 0, all)
	})
	if _, err := s.Shares(zero.ref()); !errors.Is(err, ErrDamaged) {
		t.Errorf("the last share is damaged: %v", err)
	}
	if err := s.MarkMoved(zero.Batch); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Shares(first.ref()); !errors.Is(err, ErrMoved) {
		t.Errorf("moved: %v", err)
	}
}

// A batch that has moved signs nothing any more, after a restart and if it is recovered
// later, and others do.
func TestMoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	moved, late, stays := sample(1, 3, 2, 4, frost.Ed25519), sample(2, 3, 2, 4, frost.Ed25519), sample(3, 3, 2, 4, frost.Ed25519)
	if err := errors.Join(s.PutRecovered(moved), s.PutRecovered(stays)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(s.MarkMoved(moved.Batch), s.MarkMoved(late.Batch)); err != nil {
			t.Fatal(err)
		}
	}
	if s.MarkMoved("x") == nil {
		t.Error("no id is taken")
	}
	_ = s.Close()
	s = open(t, dir)
	if err := s.PutRecovered(late); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Record{moved, late} {
		if _, err := s.Key(r.Batch, 0); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v", r.ref(), err)
		}
	}
	check(t, s, stays, true)
	if _, err := s.Copy(moved.ref()); err != nil {
		t.Errorf("its copy of the register is gone: %v", err)
	}
	if err := s.Known(func(ref Ref, _, _ [32]byte, complete, is bool) {
		if !complete || is != (ref != stays.ref()) {
			t.Errorf("%s: complete %t, moved %t", ref, complete, is)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// What a program of format 1 reads and writes did not change by a byte, and the file says
// format 2 once it has what such a program does not know.
func TestFormats(t *testing.T) {
	// A header as releases before generations wrote it.
	const old = "8a782030303030303030303030303030303030303030303030303030303030303030375820" +
		"0100000000000000000000000000000000000000000000000000000000000000" + "5820" +
		"0200000000000000000000000000000000000000000000000000000000000000" +
		"01030204016770616c6963653150" + "03000000000000000000000000000000"
	h := &header{founding: founding{
		Batch: batchID(7), Context: [32]byte{1}, Transcript: [32]byte{2}, Suite: 1, N: 3, T: 2, K: 4, Index: 1, Owner: "palice1",
		Nonce: [noncePrefix]byte{3},
	}, MadeBy: [32]byte{2}, Deals: 3}
	raw, err := h.encode()
	if err != nil || hex.EncodeToString(raw) != old {
		t.Errorf("a header of generation 0 is %x, %v", raw, err)
	}
	if got, err := decodeHeader(raw); err != nil || *got != *h {
		t.Errorf("%+v, %v", got, err)
	}

	version := func(s *Store) (v byte) {
		if err := s.view(func(tx *bolt.Tx) error { v = tx.Bucket(bucketMeta).Get(keyVersion)[3]; return nil }); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, newer := range map[string]func(*Store) error{
		"a later generation": func(s *Store) error { return s.Certify(later(1, 1)) },
		"a batch that moved": func(s *Store) error { return s.MarkMoved(batchID(1)) },
	} {
		s := open(t, t.TempDir())
		if err := errors.Join(s.PutRecovered(sample(1, 3, 2, 4, frost.Secp256k1TR)), s.Refuse(batchID(2))); err != nil {
			t.Fatal(err)
		}
		if v := version(s); v != 1 {
			t.Errorf("format %d without any", v)
		}
		if err := newer(s); err != nil {
			t.Fatal(err)
		}
		if v := version(s); v != 2 {
			t.Errorf("%s: format %d", name, v)
		}
	}
}

// A keystore that the release before generations wrote is read: two batches, of which the
// first is complete (see testdata/README.md).
func TestOldStore(t *testing.T) {
	if order.Uint32([]byte{1, 0, 0, 0}) != 1 {
		t.Skip("the file is of a machine with another byte order")
	}
	packed, err := os.Open("testdata/format1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, dirWith(t, data))
	for i, complete := range []bool{true, false} {
		r := sample(i, 3, 2, 4, frost.Secp256k1TR)
		r.Cert = []byte("certificate")
		for j := range r.Deals {
			r.Deals[j] = r.Deals[j][:200]
		}
		check(t, s, r, complete)
		signsWith(t, s, r, complete)
	}
	if refused, err := s.Refused(); err != nil || strings.Join(refused, "") != batchID(9) {
		t.Errorf("refused: %v, %v", refused, err)
	}
	if id, seq, err := s.Cursor(); err != nil || id != "KEYS" || seq != 17 {
		t.Errorf("cursor %s %d, %v", id, seq, err)
	}
	if err := s.PutRecovered(later(0, 1)); err != nil {
		t.Fatal(err)
	}
	signsWith(t, s, later(0, 1), true)
	same(t, s, later(0, 1), true)
}
