package keystore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

var testSeal = [32]byte{1, 2, 3}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, &testSeal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func batchID(i int) string { return fmt.Sprintf("%032x", i) }

// stream gives n bytes that depend on the names.
func stream(n int, names ...any) []byte {
	out := make([]byte, 0, n+32)
	for i := uint64(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(fmt.Sprint(names...)), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// sample is batch i, filled with bytes that are easy to find in a file.
func sample(i, n, th, k int, suite frost.Suite) *Record {
	r := &Record{
		Batch: batchID(i), Context: [32]byte(stream(32, "ctx", i)), Transcript: [32]byte(stream(32, "transcript", i)),
		Suite: uint8(suite), N: n, T: th, K: k, Index: i % n, Owner: "client-" + batchID(i)[30:],
		Commitments: stream(k*th*suite.PointSize(), "points", i),
		Shares:      secret.New(stream(k*32, "shares", i)),
	}
	r.MadeBy = r.Transcript
	for j := range n {
		r.Deals = append(r.Deals, stream(1000+j, "deal", i, j))
		r.Certificates = append(r.Certificates, stream(200, "cert", i, j))
	}
	for j := range k {
		r.PublicKeys = append(r.PublicKeys, stream(suite.PublicKeySize(), "key", i, j))
	}
	return r
}

// check compares everything that the store gives of a batch with r.
func check(t testing.TB, s *Store, r *Record, complete bool) {
	t.Helper()
	got, err := s.Batch(r.ref())
	if err != nil {
		t.Fatal(err)
	}
	head := got.header()
	head.Deals = len(r.Deals)
	if *head != *r.header() || got.Complete != complete || !bytes.Equal(got.Commitments, r.Commitments) ||
		!equal(got.PublicKeys, r.PublicKeys) || !bytes.Equal(got.Cert, r.Cert) || got.Shares != nil || got.Deals != nil {
		t.Fatalf("batch %s is not as stored", r.Batch)
	}
	if complete && !equal(got.Certificates, r.Certificates) || !complete && got.Certificates != nil {
		t.Fatalf("batch %s: certificates are not as stored", r.Batch)
	}
	deals, err := s.Deals(r.ref())
	if err != nil || !equal(deals, r.Deals) {
		t.Fatalf("batch %s: deals are not as stored: %v", r.Batch, err)
	}
	size := r.T * frost.Suite(r.Suite).PointSize()
	for i := range r.K {
		key, err := s.Key(r.Batch, i)
		if err != nil {
			t.Fatal(err)
		}
		if key.Suite != frost.Suite(r.Suite) || key.N != r.N || key.T != r.T || key.Index != r.Index ||
			key.Owner != r.Owner || key.Complete != complete || !bytes.Equal(key.PublicKey, r.PublicKeys[i]) ||
			!bytes.Equal(key.Commitments, r.Commitments[i*size:(i+1)*size]) ||
			!bytes.Equal(key.Share.Expose(), stream(r.K*32, "shares", int(batchNumber(r.Batch)))[i*32:(i+1)*32]) {
			t.Fatalf("key %d of batch %s is not as stored", i, r.Batch)
		}
		key.Share.Wipe()
	}
}

func batchNumber(id string) (n int64) {
	_, _ = fmt.Sscanf(id, "%x", &n)
	return n
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// image reads the database file.
func image(t testing.TB, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// dirWith makes a storage directory with the given database file.
func dirWith(t testing.TB, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Deals gives the raw deals of a generation of a batch in the order of their dealers.
func (s *Store) Deals(ref Ref) (deals [][]byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		deals, err = s.getAll(b, partDeal, b.h.Deals, maxDeal)
		for _, d := range deals {
			s.touch(tx, int64(len(d)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return deals, nil
}
