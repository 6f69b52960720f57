package ed25519batch

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// few are one by one as a rule; [checked] has them as a batch as well.
const few = 4

// strict is the verdict that this package has to have: verify_strict by crypto/ed25519.
func strict(sig *Signature) bool {
	if len(sig.PublicKey) != 32 || len(sig.Signature) != 64 {
		return false
	}
	for _, encoded := range [][]byte{sig.PublicKey, sig.Signature[:32]} {
		p, err := new(edwards25519.Point).SetBytes(encoded)
		if err != nil || !bytes.Equal(p.Bytes(), encoded) ||
			new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
			return false
		}
	}
	return ed25519.Verify(sig.PublicKey, sig.Message, sig.Signature)
}

// checked fails unless a batch has the verdict of all its signatures one by one.
func checked(t *testing.T, name string, batch []Signature) (bad []int) {
	t.Helper()
	var want []int
	for i := range batch {
		good := strict(&batch[i])
		if got := Good(&batch[i]); got != good {
			t.Errorf("%s, %d: good is %v, and crypto/ed25519 says %v", name, i, got, good)
		}
		if !good {
			want = append(want, i)
		}
	}
	if len(want) > 0 && allGood(batch) {
		t.Errorf("%s: %v are not good, and the batch passes", name, want)
	}
	if got := Verify(batch); !slices.Equal(got, want) {
		t.Errorf("%s: not good are %v, want %v", name, got, want)
	}
	return want
}

// small is k times a point of order 8.
func small(t testing.TB, k int) *edwards25519.Point {
	t.Helper()
	b, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	if err != nil {
		t.Fatal(err)
	}
	e, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	p := edwards25519.NewIdentityPoint()
	for range k {
		p.Add(p, e)
	}
	return p
}

func uniform(t testing.TB) *edwards25519.Scalar {
	t.Helper()
	var b [64]byte
	_, _ = rand.Read(b[:])
	s, err := new(edwards25519.Scalar).SetUniformBytes(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made is a signature by somebody who adds points of small order to key and nonce
// commitment. Without them it is good.
func made(t testing.TB, inKey, inNonce int) Signature {
	t.Helper()
	return madeOf(t, uniform(t), uniform(t), inKey, inNonce)
}

func madeOf(t testing.TB, a, r *edwards25519.Scalar, inKey, inNonce int) Signature {
	t.Helper()
	key := new(edwards25519.Point).ScalarBaseMult(a)
	nonce := new(edwards25519.Point).ScalarBaseMult(r)
	sig := Signature{
		PublicKey: key.Add(key, small(t, inKey)).Bytes(),
		Signature: append(nonce.Add(nonce, small(t, inNonce)).Bytes(), make([]byte, 32)...),
		Message:   make([]byte, 40),
	}
	_, _ = rand.Read(sig.Message)
	wide := challenge(&sig)
	k, err := new(edwards25519.Scalar).SetUniformBytes(wide[:])
	if err != nil {
		t.Fatal(err)
	}
	copy(sig.Signature[32:], k.MultiplyAdd(k, a, r).Bytes())
	return sig
}

func signed(t testing.TB, count int) []Signature {
	t.Helper()
	batch := make([]Signature, count)
	for i := range batch {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte(fmt.Sprint("message ", i))
		batch[i] = Signature{public, message, ed25519.Sign(private, message)}
	}
	return batch
}

func TestGoodBatches(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 2, 10, worthwhile - 1, worthwhile, 300} {
		batch := signed(t, count)
		if bad := checked(t, fmt.Sprint(count), batch); bad != nil {
			t.Fatalf("crypto/ed25519 refuses its own %v", bad)
		}
		if !allGood(batch) {
			t.Errorf("%d good ones do not pass as a batch", count)
		}
	}
	one := signed(t, 1)[0] // many times, and many by one key
	a := uniform(t)
	batch := []Signature{one, one, one, madeOf(t, a, uniform(t), 0, 0), madeOf(t, a, uniform(t), 0, 0)}
	if checked(t, "the same", batch) != nil || !allGood(batch) {
		t.Error("the same signature and the same key do not pass as a batch")
	}
}

// A signer or a gateway adds points of order 2, 4 and 8 to commitments: one, two and all,
// also so that their sum is the identity, with the sizes at which the test is another.
func TestSmallOrderInNonces(t *testing.T) {
	t.Parallel()
	for _, count := range []int{few, 9, 90, 300} {
		good := signed(t, count)
		for k := 1; k < 8; k++ {
			batch := slices.Clone(good)
			batch[mathrand.IntN(count)] = made(t, 0, k)
			if bad := checked(t, "one", batch); len(bad) != 1 {
				t.Fatalf("order %d on one commitment: crypto/ed25519 refuses %v", k, bad)
			}
			batch = slices.Clone(good)
			batch[0], batch[count-1] = made(t, 0, k), made(t, 0, 8-k)
			if bad := checked(t, "two that cancel", batch); len(bad) != 2 {
				t.Fatalf("%d and %d eighths on two commitments: crypto/ed25519 refuses %v", k, 8-k, bad)
			}
			for i := range batch {
				batch[i] = made(t, 0, []int{k, 8 - k}[i%2])
			}
			if bad := checked(t, "all", batch); len(bad) != count {
				t.Fatalf("%d eighths on all commitments: crypto/ed25519 refuses %d of %d", k, len(bad), count)
			}
		}
	}
}

// With a point of small order in the key, whether a signature is good depends on k, and on
// what is in the commitment.
func TestSmallOrderInKeys(t *testing.T) {
	t.Parallel()
	good, a, accepted, refused := signed(t, few), uniform(t), 0, 0
	for inKey := range 8 {
		for inNonce := range 8 {
			for range 4 {
				batch := slices.Clone(good)
				batch[1] = madeOf(t, a, uniform(t), inKey, inNonce)
				if bad := checked(t, fmt.Sprint(inKey, inNonce), batch); bad == nil {
					accepted++
				} else {
					refused++
				}
			}
		}
		many := make([]Signature, 90)
		for i := range many {
			many[i] = madeOf(t, a, uniform(t), inKey, i%8)
		}
		checked(t, "many", many)
	}
	if accepted < 8 || refused < 8 {
		t.Errorf("%d were accepted and %d refused: nothing was compared", accepted, refused)
	}
}

// One that is good although its key and its commitment are outside the prime-order group
// passes as part of a batch.
func TestSmallOrderThatCancels(t *testing.T) {
	t.Parallel()
	for k := 1; k < 8; k++ {
		batch := signed(t, 100)
		for batch[50] = made(t, k, 8-k); !strict(&batch[50]); {
			batch[50] = made(t, k, 8-k)
		}
		if checked(t, "cancels", batch) != nil || !allGood(batch) {
			t.Errorf("%d eighths in the key: not good in a batch", k)
		}
	}
}

// Keys and commitments of small order, in all encodings that some library takes.
func TestSmallOrderAlone(t *testing.T) {
	t.Parallel()
	var encodings [][]byte
	for k := range 8 {
		encodings = append(encodings, small(t, k).Bytes())
	}
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		encodings = append(encodings, b)
	}
	for _, e := range encodings {
		for _, other := range encodings {
			batch := signed(t, few)
			batch[0].PublicKey = e
			batch[1].Signature = append(bytes.Clone(e), make([]byte, 32)...)
			batch[2] = Signature{e, nil, append(bytes.Clone(other), make([]byte, 32)...)}
			if bad := checked(t, fmt.Sprintf("%x", e), batch); len(bad) != 3 {
				t.Fatalf("%x: crypto/ed25519 refuses %v", e, bad)
			}
		}
	}
}

var order = []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}

// plusOrder adds L to the 32 bytes of s.
func plusOrder(signature []byte) []byte {
	out, carry := bytes.Clone(signature), 0
	for i, b := range order {
		carry += int(out[32+i]) + int(b)
		out[32+i] = byte(carry)
		carry >>= 8
	}
	return out
}

// mutate changes a signature in one of several ways.
func mutate(sig Signature, how int, at uint) Signature {
	sig.PublicKey, sig.Message = bytes.Clone(sig.PublicKey), bytes.Clone(sig.Message)
	sig.Signature = bytes.Clone(sig.Signature)
	flip := func(b []byte) {
		if len(b) > 0 {
			b[at/8%uint(len(b))] ^= 1 << (at % 8)
		}
	}
	if len(sig.PublicKey) < 32 || len(sig.Signature) < 64 { // it was mutated before
		return sig
	}
	switch how {
	case 1:
		flip(sig.Signature)
	case 2:
		flip(sig.PublicKey)
	case 3:
		flip(sig.Message)
	case 4:
		sig.Signature = plusOrder(sig.Signature)
	case 5:
		sig.Signature = sig.Signature[:at%64]
	case 6:
		sig.PublicKey = sig.PublicKey[:at%32]
	case 7:
		sig.PublicKey[31] ^= 0x80
	case 8:
		sig.Signature[31] ^= 0x80
	case 9:
		sig.Message = append(sig.Message, byte(at))
	}
	return sig
}

const mutations = 10

func TestMutated(t *testing.T) {
	t.Parallel()
	const rounds = 80
	good := signed(t, few+2*rounds)
	for round := range rounds {
		batch := slices.Clone(good[:few+2*round])
		for range round % 5 {
			i := mathrand.IntN(len(batch))
			batch[i] = mutate(batch[i], mathrand.IntN(mutations), mathrand.Uint())
		}
		checked(t, "mutated", batch)
	}
}

// Errors that cancel without weights do not with them.
func TestErrorsThatCancel(t *testing.T) {
	t.Parallel()
	batch := signed(t, 6)
	delta := uniform(t)
	for i, by := range []*edwards25519.Scalar{delta, new(edwards25519.Scalar).Negate(delta)} {
		s, err := new(edwards25519.Scalar).SetCanonicalBytes(batch[i+1].Signature[32:])
		if err != nil {
			t.Fatal(err)
		}
		copy(batch[i+1].Signature[32:], s.Add(s, by).Bytes())
	}
	if bad := checked(t, "cancel", batch); !slices.Equal(bad, []int{1, 2}) {
		t.Errorf("crypto/ed25519 refuses %v", bad)
	}
}

// FuzzVerify compares a batch with crypto/ed25519: one signature of any bytes, and others that
// are mutated or have parts of small order.
func FuzzVerify(f *testing.F) {
	good := signed(f, 8)
	f.Add(good[0].PublicKey, good[0].Message, good[0].Signature, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(make([]byte, 32), []byte("x"), make([]byte, 64), []byte{0, 255, 17})
	f.Add(small(f, 1).Bytes(), []byte("x"), append(small(f, 3).Bytes(), make([]byte, 32)...), []byte{4, 9, 4, 9})
	f.Fuzz(func(t *testing.T, key, message, signature, how []byte) {
		batch := append(slices.Clone(good), Signature{key, message, signature})
		for i := 0; i+1 < len(how) && i < 12; i += 2 {
			at := int(how[i]) % len(good)
			if kind := how[i+1]; kind < 64 {
				batch[at] = made(t, int(kind)/8, int(kind)%8)
			} else {
				batch[at] = mutate(good[at], int(kind)%mutations, uint(how[i]))
			}
		}
		checked(t, "fuzz", batch)
	})
}

// BenchmarkVerify is by one key each; "single" is one by one, "library" with crypto/ed25519.
func BenchmarkVerify(b *testing.B) {
	for _, count := range []int{1, 128, 1000} {
		batch := signed(b, count)
		for name, run := range map[string]func() bool{
			"batch":   func() bool { return allGood(batch) },
			"single":  func() bool { return !slices.ContainsFunc(batch, func(s Signature) bool { return !Good(&s) }) },
			"library": func() bool { return !slices.ContainsFunc(batch, func(s Signature) bool { return !strict(&s) }) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, count), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !run() {
						b.Fatal("good ones are refused")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*count), "µs/signature")
			})
		}
	}
}
