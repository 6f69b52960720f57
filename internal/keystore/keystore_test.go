package keystore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

func TestLifeOfABatch(t *testing.T) {
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		t.Run(suite.String(), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			r := sample(7, 5, 3, 20, suite)
			if _, err := s.Batch(r.ref()); !errors.Is(err, ErrUnknown) {
				t.Fatalf("unknown batch: %v", err)
			}
			steps := []struct {
				name     string
				do       func() error
				complete bool
				pending  int
			}{
				{"certify", func() error { return s.Certify(r) }, false, 1},
				{"certify again", func() error { return s.Certify(r) }, false, 1},
				{"certificate", func() error { r.Cert = []byte("mine"); return s.SetCert(r.ref(), r.Cert) }, false, 1},
				{"other certificate", func() error { r.Cert = []byte("mine 2"); return s.SetCert(r.ref(), r.Cert) }, false, 1},
				{"complete", func() error { return s.Complete(r.ref(), r.Certificates) }, true, 0},
				{"complete again", func() error { return s.Complete(r.ref(), nil) }, true, 0},
				{"certify when complete", func() error { return s.Certify(r) }, true, 0},
				{"recover when complete", func() error { return s.PutRecovered(r) }, true, 0},
			}
			for _, step := range steps {
				if err := step.do(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				for range 2 { // as it is, and after a restart
					check(t, s, r, step.complete)
					pending, err := s.Pending()
					if err != nil || len(pending) != step.pending {
						t.Fatalf("%s: %d pending, %v", step.name, len(pending), err)
					}
					if b, k := s.Stats(); b != 1 || k != 20 {
						t.Fatalf("%s: stats %d, %d", step.name, b, k)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, dir)
				}
			}
		})
	}
}

func TestRecovered(t *testing.T) {
	s := open(t, t.TempDir())
	fresh, certified := sample(1, 3, 2, 4, frost.Ed25519), sample(2, 3, 2, 4, frost.Ed25519)
	if err := s.Certify(certified); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Record{fresh, certified} {
		if err := s.PutRecovered(r); err != nil {
			t.Fatal(err)
		}
		check(t, s, r, true)
	}
	r := sample(3, 3, 2, 4, frost.Ed25519)
	r.Certificates = r.Certificates[:2]
	if err := s.PutRecovered(r); err == nil {
		t.Fatal("took 2 certificates for 3 nodes")
	}
	if b, k := s.Stats(); b != 2 || k != 8 {
		t.Fatalf("stats %d, %d", b, k)
	}
}

// TestOtherTranscript: certify-once holds, whatever state the batch is in and
// across a restart.
func TestOtherTranscript(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := sample(1, 3, 2, 4, frost.Secp256k1TR)
	if err := s.Certify(r); err != nil {
		t.Fatal(err)
	}
	other := sample(1, 3, 2, 4, frost.Secp256k1TR)
	other.Transcript[0] ^= 1
	other.MadeBy = other.Transcript
	otherContext := sample(1, 3, 2, 4, frost.Secp256k1TR)
	otherContext.Context[0] ^= 1
	sizes := sample(1, 3, 2, 5, frost.Secp256k1TR)
	for _, complete := range []bool{false, true} {
		if complete {
			if err := s.Complete(r.ref(), r.Certificates); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Close()
		s = open(t, dir)
		for _, bad := range []*Record{other, otherContext} {
			for _, put := range []func(*Record) error{s.Certify, s.PutRecovered} {
				if err := put(bad); !errors.Is(err, ErrOtherTranscript) {
					t.Fatalf("another transcript gave %v", err)
				}
			}
		}
		if err := s.Certify(sizes); err == nil || errors.Is(err, ErrOtherTranscript) {
			t.Fatalf("one transcript with other sizes gave %v", err)
		}
		check(t, s, r, complete)
	}
}

func TestBadRecords(t *testing.T) {
	s := open(t, t.TempDir())
	tests := map[string]func(*Record){
		"batch":            func(r *Record) { r.Batch = "../../etc" },
		"upper case":       func(r *Record) { r.Batch = strings.Repeat("A", 32) },
		"suite":            func(r *Record) { r.Suite = 3 },
		"threshold":        func(r *Record) { r.T = 0 },
		"threshold over n": func(r *Record) { r.T = 4 },
		"nodes":            func(r *Record) { r.N = frost.MaxNodes + 1 },
		"no keys":          func(r *Record) { r.K = 0 },
		"many keys":        func(r *Record) { r.K = 1001 },
		"index":            func(r *Record) { r.Index = 3 },
		"negative index":   func(r *Record) { r.Index = -1 },
		"owner":            func(r *Record) { r.Owner = strings.Repeat("x", 257) },
		"owner not UTF-8":  func(r *Record) { r.Owner = "\xff" },
		"deals":            func(r *Record) { r.Deals = r.Deals[1:] },
		"empty deal":       func(r *Record) { r.Deals[1] = nil },
		"huge deal":        func(r *Record) { r.Deals[1] = make([]byte, maxDeal+1) },
		"public keys":      func(r *Record) { r.PublicKeys = r.PublicKeys[1:] },
		"public key":       func(r *Record) { r.PublicKeys[2] = r.PublicKeys[2][1:] },
		"commitments":      func(r *Record) { r.Commitments = r.Commitments[64:] },
		"shares":           func(r *Record) { r.Shares = nil },
		"certificate":      func(r *Record) { r.Cert = make([]byte, maxCert+1) },
	}
	for name, spoil := range tests {
		r := sample(1, 3, 2, 4, frost.Secp256k1TR)
		spoil(r)
		if err := errors.Join(s.Certify(r), s.PutRecovered(r)); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	if b, _ := s.Stats(); b != 0 {
		t.Fatalf("%d batches stored", b)
	}
	for _, err := range []error{s.SetCert(Ref{Batch: batchID(9)}, []byte("x")), s.Complete(Ref{Batch: batchID(9)}, nil)} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("unknown batch gave %v", err)
		}
	}
	if err := s.SetCert(Ref{Batch: batchID(9)}, nil); err == nil {
		t.Error("stored an empty certificate")
	}
}

func TestKeyIndex(t *testing.T) {
	s := open(t, t.TempDir())
	r := sample(1, 3, 2, 4, frost.Ed25519)
	if err := s.Certify(r); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{-1, 4, math.MaxInt/2 + 1} {
		if _, err := s.Key(r.Batch, i); !errors.Is(err, ErrUnknown) {
			t.Errorf("key %d gave %v", i, err)
		}
	}
	if _, err := s.Key("x", 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("key of batch x gave %v", err)
	}
}

func TestDeal(t *testing.T) {
	s := open(t, t.TempDir())
	r := sample(1, 3, 2, 4, frost.Ed25519)
	if err := s.Certify(r); err != nil {
		t.Fatal(err)
	}
	for i, want := range r.Deals {
		if got, err := s.Deal(r.ref(), i); err != nil || !bytes.Equal(got, want) {
			t.Errorf("deal %d: %d bytes, %v", i, len(got), err)
		}
	}
	if _, err := s.Deal(r.ref(), r.N); !errors.Is(err, ErrUnknown) {
		t.Errorf("a deal too many: %v", err)
	}
	if _, err := s.Deal(Ref{Batch: batchID(9)}, 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("no such batch: %v", err)
	}
}

func TestCursor(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if id, seq, err := s.Cursor(); id != "" || seq != 0 || err != nil {
		t.Fatalf("new store: %q %d %v", id, seq, err)
	}
	if err := errors.Join(s.SetCursor("KEYS@1", 5), s.SetCursor("KEYS@2", 1<<63)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetCursor(strings.Repeat("x", maxCursor), 5); err == nil {
		t.Fatal("stored a huge cursor")
	}
	_ = s.Close()
	if id, seq, err := open(t, dir).Cursor(); id != "KEYS@2" || seq != 1<<63 || err != nil {
		t.Fatalf("%q %d %v", id, seq, err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(dir, &testSeal)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), filepath.Join(dir, FileName)) {
		t.Fatalf("second Open gave %v", err)
	}
	if err := s.Certify(sample(1, 3, 2, 4, frost.Ed25519)); err != nil {
		t.Fatalf("the first store suffered: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Key(batchID(1), 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("Key after Close gave %v", err)
	}
	if err := s.SetCursor("x", 1); !errors.Is(err, ErrClosed) {
		t.Fatalf("SetCursor after Close gave %v", err)
	}
	open(t, dir)
}

func TestWrongSealKey(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := sample(1, 3, 2, 4, frost.Ed25519)
	if err := s.Certify(r); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	_, err := Open(dir, &[32]byte{9})
	if !errors.Is(err, ErrSealKey) || !strings.Contains(err.Error(), dir) ||
		!strings.Contains(err.Error(), "rebuilt from KEYS") {
		t.Fatalf("wrong seal key gave %v", err)
	}
	check(t, open(t, dir), r, false) // and nothing was changed or left locked
}

// TestRemoved: a store whose file went away must not let the node certify;
// a new process starts with an empty one.
func TestRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir)
	if err := s.Certify(sample(1, 3, 2, 4, frost.Ed25519)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Certify(sample(2, 3, 2, 4, frost.Ed25519)); !errors.Is(err, ErrGone) {
		t.Fatalf("Certify into a removed store gave %v", err)
	}
	next := open(t, dir)
	if b, _ := next.Stats(); b != 0 {
		t.Fatalf("%d batches in a new store", b)
	}
	if err := s.Certify(sample(3, 3, 2, 4, frost.Ed25519)); !errors.Is(err, ErrGone) {
		t.Fatalf("Certify into a replaced store gave %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("directory: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, FileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("file: %v, %v", info.Mode(), err)
	}
}

// TestNoShareInTheFile looks for every share, in bytes and in text.
func TestNoShareInTheFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := sample(1, 3, 2, 30, frost.Secp256k1TR)
	if err := errors.Join(s.Certify(r), s.Complete(r.ref(), r.Certificates)); err != nil {
		t.Fatal(err)
	}
	check(t, s, r, true)
	_ = s.Close()
	file := image(t, dir)
	if !bytes.Contains(file, r.PublicKeys[0]) {
		t.Fatal("the search finds nothing at all")
	}
	secrets := append([][]byte{testSeal[:]}, r.Shares.Expose())
	for _, s := range secrets {
		for i := 0; i+8 <= len(s); i += 8 {
			if bytes.Equal(s[i:i+8], make([]byte, 8)) {
				continue
			}
			if bytes.Contains(file, s[i:i+8]) || bytes.Contains(file, []byte(hex.EncodeToString(s[i:i+8]))) {
				t.Fatalf("byte %d of a secret is in the file", i)
			}
		}
	}
}

func TestConcurrency(t *testing.T) {
	s := open(t, t.TempDir())
	const batches = 12
	var all sync.WaitGroup
	for i := range batches {
		r := sample(i, 3, 2, 5, frost.Ed25519)
		for range 2 { // both write, one finds it done
			all.Go(func() {
				if err := errors.Join(s.Certify(r), s.Complete(r.ref(), r.Certificates)); err != nil {
					t.Error(err)
				}
				check(t, s, r, true)
			})
		}
		all.Go(func() {
			_, err := s.Pending()
			if err := errors.Join(err, s.SetCursor("KEYS", uint64(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, k := s.Stats(); b != batches || k != batches*5 {
		t.Fatalf("stats %d, %d", b, k)
	}
}

// TestCloseDuringCalls: a call ends well or with ErrClosed.
func TestCloseDuringCalls(t *testing.T) {
	s := open(t, t.TempDir())
	r := sample(1, 3, 2, 5, frost.Ed25519)
	if err := s.Certify(r); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := uint64(0); ; n++ {
				_, err := s.Key(r.Batch, i)
				if err == nil {
					err = s.SetCursor("KEYS", n)
				}
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// What only needs to know a public key gets no share with it, and no public key that was not sealed: what
// is counted of a job depends on it.
func TestPublicKeyIsProven(t *testing.T) {
	s := open(t, t.TempDir())
	r := sample(1, 3, 2, 5, frost.Secp256k1TR)
	if err := errors.Join(s.Certify(r), s.Complete(r.ref(), r.Certificates)); err != nil {
		t.Fatal(err)
	}
	whole, err := s.Key(r.Batch, 3)
	if err != nil {
		t.Fatal(err)
	}
	whole.Share, whole.Commitments = nil, nil
	if got, err := s.PublicKey(r.Batch, 3); err != nil || !reflect.DeepEqual(got, whole) {
		t.Errorf("the public key is %+v, %v, want %+v", got, err, whole)
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		b, err := s.find(tx, r.ref())
		if err != nil {
			return err
		}
		all, size := bytes.Clone(b.get(partKeys, 0)), b.h.entrySize()
		copy(all[3*size:], all[2*size:][:b.h.suite().PublicKeySize()]) // another key in its place
		return b.put(partKeys, 0, all)
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func(string, int) (*Key, error){"whole": s.Key, "public": s.PublicKey} {
		if got, err := get(r.Batch, 3); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: a key in the place of another one: %+v, %v", name, got, err)
		}
		if _, err := get(r.Batch, 2); err != nil {
			t.Errorf("%s: the key beside it: %v", name, err)
		}
	}
	if _, err := s.PublicKey(r.Batch, 5); !errors.Is(err, ErrUnknown) {
		t.Errorf("a key that is none: %v", err)
	}
	if err := s.MarkMoved(r.Batch); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublicKey(r.Batch, 2); !errors.Is(err, ErrMoved) {
		t.Errorf("a key that has moved: %v", err)
	}
}

func BenchmarkKey(b *testing.B) {
	for _, c := range []struct {
		name  string
		n, th int
	}{{"2of3", 3, 2}, {"16of24", 24, 16}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, b.TempDir())
			for i := range 20 {
				r := sample(i, c.n, c.th, 385, frost.Secp256k1TR)
				if err := errors.Join(s.Certify(r), s.Complete(r.ref(), r.Certificates)); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			for b.Loop() {
				key, err := s.Key(batchID(i%20), i%385)
				if err != nil {
					b.Fatal(err)
				}
				key.Share.Wipe()
				i++
			}
		})
	}
}

func BenchmarkCertify(b *testing.B) {
	s := open(b, b.TempDir())
	i := 0
	for b.Loop() {
		b.StopTimer()
		r := sample(i, 3, 2, 1000, frost.Secp256k1TR)
		b.StartTimer()
		if err := s.Certify(r); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
