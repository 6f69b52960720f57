package bip340

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

const vectorFile = "../../../../shared/vectors/bip340/bip340.csv"

type vector struct {
	name string
	sig  Signature
	want bool
}

func vectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open(vectorFile)
	if os.IsNotExist(err) {
		t.Skip("no official vectors at ../shared/vectors: nothing to check against")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	for _, r := range rows[1:] {
		sig := Signature{PublicKey: unhex(t, r[2]), Message: unhex(t, r[4]), Signature: unhex(t, r[5])}
		out = append(out, vector{r[0] + " " + r[7], sig, r[6] == "TRUE"})
	}
	if len(out) < 19 {
		t.Fatalf("only %d vectors", len(out))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			if got := Verify(v.sig.PublicKey, v.sig.Message, v.sig.Signature); got != v.want {
				t.Fatalf("Verify says %v", got)
			}
			bad := BatchVerify([]Signature{v.sig})
			if (len(bad) == 0) != v.want {
				t.Fatalf("a batch of one says %v", bad)
			}
		})
	}
}

// Every vector in one batch: the invalid ones are named, and only they.
func TestVectorsBatch(t *testing.T) {
	all := vectors(t)
	var batch []Signature
	var want []int
	for i, v := range all {
		batch = append(batch, v.sig)
		if !v.want {
			want = append(want, i)
		}
	}
	checkBad(t, batch, want)
}

// signed makes n valid signatures with another implementation.
func signed(t testing.TB, n int) []Signature {
	t.Helper()
	out := make([]Signature, n)
	for i := range out {
		seed := sha256.Sum256([]byte("key " + strconv.Itoa(i)))
		key, _ := btcec.PrivKeyFromBytes(seed[:])
		msg := sha256.Sum256([]byte("message " + strconv.Itoa(i)))
		sig, err := schnorr.Sign(key, msg[:])
		if err != nil {
			t.Fatal(err)
		}
		out[i] = Signature{PublicKey: schnorr.SerializePubKey(key.PubKey()), Message: msg[:], Signature: sig.Serialize()}
	}
	return out
}

func checkBad(t *testing.T, batch []Signature, want []int) {
	t.Helper()
	got := BatchVerify(batch)
	if len(got) != len(want) {
		t.Fatalf("bad signatures: got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("bad signatures: got %v, want %v", got, want)
		}
	}
}

func TestBatchNamesTheBad(t *testing.T) {
	checkBad(t, nil, nil)
	good := signed(t, 9)
	checkBad(t, good, nil)
	spoil := map[string]func(*Signature){
		"r":            func(s *Signature) { s.Signature = flip(s.Signature, 3) },
		"s":            func(s *Signature) { s.Signature = flip(s.Signature, 60) },
		"message":      func(s *Signature) { s.Message = flip(s.Message, 0) },
		"key":          func(s *Signature) { s.PublicKey = good[0].PublicKey },
		"short":        func(s *Signature) { s.Signature = s.Signature[:63] },
		"short key":    func(s *Signature) { s.PublicKey = s.PublicKey[:31] },
		"s is order":   func(s *Signature) { s.Signature = append(bytes.Clone(s.Signature[:32]), order...) },
		"r over field": func(s *Signature) { s.Signature = append(bytes.Repeat([]byte{255}, 32), s.Signature[32:]...) },
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			batch := signed(t, 9)
			f(&batch[4])
			f(&batch[8])
			checkBad(t, batch, []int{4, 8})
		})
	}
}

// Two errors that cancel out without weights do not with them.
func TestErrorsDoNotCancel(t *testing.T) {
	batch := signed(t, 3)
	for i, delta := range []byte{1, 255} { // s+1 here and s-1 there
		p, ok := parse(&batch[i+1])
		if !ok {
			t.Fatal("a valid signature does not parse")
		}
		one := p.s.Bytes()
		one[31] += delta // the test's signatures do not carry
		batch[i+1].Signature = append(bytes.Clone(p.r[:]), one...)
	}
	checkBad(t, batch, []int{1, 2})
}

var order, _ = hex.DecodeString(strings.ToLower("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"))

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// btcec's verifier is the oracle. It takes messages of 32 bytes only.
func FuzzVerify(f *testing.F) {
	for _, s := range signed(f, 3) {
		f.Add(s.PublicKey, s.Message, s.Signature)
		f.Add(s.PublicKey, s.Message, flip(s.Signature, 33))
		f.Add(flip(s.PublicKey, 1), s.Message, s.Signature)
	}
	f.Fuzz(func(t *testing.T, key, msg, sig []byte) {
		got := Verify(key, msg, sig)
		if bad := BatchVerify([]Signature{{PublicKey: key, Message: msg, Signature: sig}}); (len(bad) == 0) != got {
			t.Fatalf("Verify %v, batch %v", got, bad)
		}
		if len(msg) != 32 {
			return
		}
		want := false
		if pk, err := schnorr.ParsePubKey(key); err == nil {
			if s, err := schnorr.ParseSignature(sig); err == nil {
				want = s.Verify(msg, pk)
			}
		}
		if got != want {
			t.Fatalf("we say %v, btcec says %v", got, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := signed(b, 1)[0]
	for b.Loop() {
		Verify(s.PublicKey, s.Message, s.Signature)
	}
}

func BenchmarkBatchVerify(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		batch := signed(b, n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if BatchVerify(batch) != nil {
					b.Fatal("valid batch refused")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/item")
		})
	}
}

// The points that a caller knows change no verdict, right or wrong.
func TestKnownPoints(t *testing.T) {
	other := vartime.Generator()
	for _, batch := range [][]Signature{signed(t, 1), signed(t, 3)} {
		for name, change := range map[string]func(s *Signature){
			"valid":         func(*Signature) {},
			"bad signature": func(s *Signature) { s.Signature = flip(s.Signature, 40) },
			"bad nonce":     func(s *Signature) { s.Signature = flip(s.Signature, 3) },
			"bad message":   func(s *Signature) { s.Message = flip(s.Message, 3) },
		} {
			s := batch[0]
			key, _ := vartime.LiftX((*[32]byte)(s.PublicKey), false)
			nonce, _ := vartime.LiftX((*[32]byte)(s.Signature[:32]), false)
			odd, oddNonce := key.Negate(), nonce.Negate()
			change(&s)
			for points, known := range map[string][2]*vartime.Point{
				"none": {}, "right": {&key, &nonce}, "odd": {&odd, &oddNonce}, "others": {&other, &other},
				"identities": {new(vartime.Point), new(vartime.Point)}, "swapped": {&nonce, &key},
			} {
				s.Key, s.Nonce = known[0], known[1]
				bad := BatchVerify(append([]Signature{s}, batch[1:]...))
				if (len(bad) == 0) != (name == "valid") {
					t.Errorf("%s, points %s, batch of %d: bad signatures %v", name, points, len(batch), bad)
				}
			}
		}
	}
}
