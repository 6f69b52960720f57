package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// claimed are good signatures, each by its own key, made by the libraries.
func claimed(t testing.TB, suite string, count int) *claims {
	t.Helper()
	c := &claims{suite: suite, branches: newBranches()}
	for i := range count {
		item := &SignItem{Key: fmt.Sprintf("%032x.%d", 7, i), Message: make([]byte, 32)}
		_, _ = rand.Read(item.Message)
		one := claim{at: i, item: item, key: &outputKey{}}
		if suite == SuiteEd25519 {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			one.publicKey, one.signature = public, ed25519.Sign(private, item.Message)
		} else {
			private, err := btcec.NewPrivateKey()
			if err != nil {
				t.Fatal(err)
			}
			sig, err := schnorr.Sign(private, item.Message)
			if err != nil {
				t.Fatal(err)
			}
			one.publicKey, one.signature = schnorr.SerializePubKey(private.PubKey()), sig.Serialize()
		}
		c.of = append(c.of, one)
	}
	return c
}

// spoiled is a copy of claims in which some are changed.
func (c *claims) spoiled(change func(i int, one *claim)) *claims {
	out := *c
	out.of = slices.Clone(c.of)
	for i := range out.of {
		one := &out.of[i]
		item := *one.item
		item.Message = bytes.Clone(item.Message)
		one.item, one.publicKey, one.signature = &item, bytes.Clone(one.publicKey), bytes.Clone(one.signature)
		change(i, one)
	}
	return &out
}

// sameVerdict fails unless a job's signatures are judged as the libraries judge each of them.
func (c *claims) sameVerdict(t *testing.T) {
	t.Helper()
	var bad []int
	for i := range c.of {
		if c.ask(&c.of[i]) != nil {
			bad = append(bad, i)
		}
	}
	if got := c.bad(); !slices.Equal(got, bad) {
		t.Fatalf("%s: bad are %v, and a library says %v", c.suite, got, bad)
	}
	for _, share := range []float64{defaultRecheck, 1} {
		rechecked, err := c.verify(share)
		if (err == nil) != (len(bad) == 0) || errors.Is(err, ErrDisagreement) {
			t.Fatalf("%s: %d are bad: %v", c.suite, len(bad), err)
		}
		if rechecked < min(1, len(c.of)) || share == 1 && rechecked != len(c.of) {
			t.Errorf("%d of %d were checked again at a share of %v", rechecked, len(c.of), share)
		}
		for _, i := range bad[:min(len(bad), maxNamed)] {
			if want := fmt.Sprintf("item %d, key %s: ", i, c.of[i].item.Key); !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name item %d", err, i)
			}
		}
		if more := len(bad) - maxNamed; more > 0 && !strings.Contains(err.Error(), fmt.Sprintf("%d others", more)) {
			t.Errorf("%q does not say how many more", err)
		}
		if err != nil && strings.Count(err.Error(), "item ") != min(len(bad), maxNamed) {
			t.Errorf("%q names others than %v", err, bad)
		}
	}
}

// changeOne changes a signature in one of many ways, of which some change nothing.
func changeOne(one *claim, other *claim, how, at int) {
	flip := func(b []byte) {
		if len(b) > 0 {
			b[at/8%len(b)] ^= 1 << (at % 8)
		}
	}
	switch how % 10 {
	case 0:
		flip(one.signature)
	case 1:
		flip(one.publicKey)
	case 2:
		flip(one.item.Message)
	case 3:
		one.signature = one.signature[:at%len(one.signature)]
	case 4:
		one.publicKey = one.publicKey[:at%len(one.publicKey)]
	case 5:
		one.item.Message = append(one.item.Message, byte(at))
	case 6:
		one.signature = other.signature
	case 7:
		copy(one.signature[at%32:], bytes.Repeat([]byte{255}, 32))
	case 8:
		one.publicKey = make([]byte, 32)
	}
}

// A job's signatures get the verdict of the libraries, whatever is wrong with them.
func TestSameVerdict(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{SuiteSecp256k1TR, SuiteEd25519} {
		for _, count := range []int{0, 1, 2, 20, 140} {
			good := claimed(t, suite, count)
			good.sameVerdict(t)
			for round := range 12 {
				good.spoiled(func(i int, one *claim) {
					if mathrand.IntN(count) <= round {
						changeOne(one, &good.of[(i+1)%count], mathrand.IntN(10), mathrand.IntN(512))
					}
				}).sameVerdict(t)
			}
		}
	}
	unknown := claimed(t, SuiteEd25519, 3)
	unknown.suite = "none"
	unknown.sameVerdict(t)
}

func FuzzSameVerdict(f *testing.F) {
	f.Add(true, []byte{1, 0, 7}, []byte("key"), []byte("signature"))
	f.Add(false, []byte{5, 6, 1, 2, 3, 9}, make([]byte, 32), make([]byte, 64))
	all := map[bool]*claims{true: claimed(f, SuiteSecp256k1TR, 6), false: claimed(f, SuiteEd25519, 6)}
	f.Fuzz(func(t *testing.T, secp bool, how, key, signature []byte) {
		good := all[secp]
		changed := good.spoiled(func(i int, one *claim) {
			if i == 0 && len(key) > 0 {
				one.publicKey, one.signature = key, signature
			} else if 2*i < len(how) && len(one.publicKey) > 0 {
				changeOne(one, &good.of[(i+1)%6], int(how[2*i-1]), int(how[2*i])*2)
			}
		})
		changed.sameVerdict(t)
	})
}

// Where the project's own code and a library don't agree, nothing of the result is taken,
// and nobody is accused: whichever of the two it is that finds a signature good.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	good := claimed(t, SuiteSecp256k1TR, 20)
	bad := good.spoiled(func(i int, one *claim) {
		if i == 11 {
			one.signature[40] ^= 1
		}
	})
	for name, judged := range map[string]func() (int, error){
		"good for the library alone": func() (int, error) { return good.judge([]int{11}, defaultRecheck) },
		"bad for the library alone":  func() (int, error) { return bad.judge(nil, 1) },
	} {
		_, err := judged()
		if !errors.Is(err, ErrDisagreement) || !strings.Contains(err.Error(), "item 11, key ") {
			t.Fatalf("%s: %v", name, err)
		}
		if errors.Is(err, ErrSignature) {
			t.Errorf("%s: it says that the signature is bad: %v", name, err)
		}
		unproved := unproven("job", "gateway", err)
		if _, accused := errors.AsType[*ProofError](unproved); accused || !errors.Is(unproved, ErrDisagreement) {
			t.Errorf("%s: the gateway is accused: %v", name, unproved)
		}
	}
	if _, err := bad.judge([]int{11}, defaultRecheck); !errors.Is(err, ErrSignature) || errors.Is(err, ErrDisagreement) {
		t.Errorf("both find it bad: %v", err)
	}
	private, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	other := good.spoiled(func(_ int, one *claim) { one.item.PublicKey = private.PubKey().SerializeCompressed() })
	if _, err := other.judge(nil, defaultRecheck); !errors.Is(err, ErrDisagreement) {
		t.Errorf("the signatures are good, and the output keys are others than the library's: %v", err)
	}
	if k := otherwise(outputKey{suite: SuiteSecp256k1TR, key: make([]byte, 32)}); !errors.Is(k.err, ErrDisagreement) {
		t.Errorf("the library alone has an output key: %v", k.err)
	}
	if err := sameAddress("bitcoin", "regtest", private.PubKey().SerializeCompressed(), "bcrt1p", true); !errors.Is(err,
		ErrDisagreement) {
		t.Errorf("the library has another address: %v", err)
	}
}

// A gateway that refuses all items of a job but one does not spare that one's output key the
// library, which has not computed it as for a job of one item.
func TestOneOfManyIsChecked(t *testing.T) {
	t.Parallel()
	c := claimed(t, SuiteSecp256k1TR, 1)
	private, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	one := &c.of[0]
	one.item.PublicKey = private.PubKey().SerializeCompressed()
	generator := vartime.Generator()
	*one.key = outputKey{suite: c.suite, key: one.publicKey, point: &generator}
	if n, err := c.verify(defaultRecheck); n != 1 || !errors.Is(err, ErrDisagreement) {
		t.Errorf("the output key is another than the library's: %d, %v", n, err)
	}
}

// At least one is chosen, all at a share of 1, as many as the share says on average, and
// never the same ones.
func TestChosen(t *testing.T) {
	t.Parallel()
	count := func(places []bool) (n int) {
		for _, c := range places {
			if c {
				n++
			}
		}
		return n
	}
	if len(chosen(0, 1)) != 0 || count(chosen(1, 1e-12)) != 1 || count(chosen(1000, 1)) != 1000 {
		t.Error("the extremes are wrong")
	}
	once := map[int]bool{}
	for range 200 {
		places := chosen(50, 1e-12)
		if count(places) != 1 {
			t.Fatalf("%d are chosen of 50", count(places))
		}
		once[slices.Index(places, true)] = true
	}
	if len(once) < 25 { // a place is left out with a probability of 0.018
		t.Errorf("in 200 jobs only %d places of 50 were chosen", len(once))
	}
	if n := count(chosen(100_000, 0.01)); n < 700 || n > 1300 { // nine standard deviations
		t.Errorf("%d are chosen of 100,000 at 0.01", n)
	}
}

// Many output keys at once are those that btcd's library computes one by one, with their
// points, whatever is in the items.
func TestOutputKeysAtOnce(t *testing.T) {
	t.Parallel()
	var items []SignItem
	for i := range 12 {
		private, err := btcec.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		public, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		secp, chainCode := private.PubKey().SerializeCompressed(), bytes.Repeat([]byte{byte(i)}, 32)
		items = append(items, SignItem{}, SignItem{PublicKey: secp}, SignItem{PublicKey: public},
			SignItem{PublicKey: secp, ScriptRoot: chainCode}, SignItem{PublicKey: secp, Path: "0/7", ChainCode: chainCode},
			SignItem{PublicKey: secp, Path: "0/7", ChainCode: chainCode, ScriptRoot: message(3)},
			SignItem{PublicKey: public, Path: "1", ChainCode: chainCode}, SignItem{PublicKey: secp})
	}
	items = append(items, SignItem{PublicKey: items[1].PublicKey, ScriptRoot: []byte{1}},
		SignItem{PublicKey: bytes.Repeat([]byte{2}, 33), Path: "x", ChainCode: message(1)}, SignItem{PublicKey: append([]byte{4}, message(1)...)},
		SignItem{PublicKey: append([]byte{2}, bytes.Repeat([]byte{255}, 32)...)},
		SignItem{PublicKey: items[1].PublicKey, Path: "0'/1", ChainCode: message(1)})
	keys, failed := outputKeys(newBranches(), items), 0
	for i, it := range items {
		want, got := libraryKey(newBranches(), it), keys[i]
		if got.suite != want.suite || (got.err == nil) != (want.err == nil) || errors.Is(got.err, ErrDisagreement) {
			t.Fatalf("item %d: %+v, want %+v", i, got, want)
		}
		if want.err != nil {
			failed++
			continue
		}
		if !bytes.Equal(got.key, want.key) {
			t.Errorf("item %d: key %x, want %x", i, got.key, want.key)
		}
		if got.point == nil != (len(it.PublicKey) != 33) {
			t.Errorf("item %d: its point is %v", i, got.point)
		} else if got.point != nil {
			if x := got.point.X(); !bytes.Equal(x[:], want.key) {
				t.Errorf("item %d: the point of %x", i, x)
			}
		}
	}
	if failed != 5 {
		t.Errorf("%d of the last five have no key", failed)
	}
}

func TestRecheckOfConfig(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	if c.recheck != defaultRecheck {
		t.Errorf("a share of %v by default", c.recheck)
	}
	for _, share := range []float64{-0.1, 1.1, math.NaN()} {
		cfg := Config{Recheck: share}
		if err := cfg.check(); err == nil || !strings.Contains(err.Error(), "from 0 to 1") {
			t.Errorf("a share of %v: %v", share, err)
		}
	}
	for share, want := range map[float64]int{0.001: 1, 1: 5} {
		all := s.connect(Config{URL: s.url, Recheck: share})
		keys, err := all.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 5})
		if err != nil {
			t.Fatal(err)
		}
		var items []SignItem
		for i, k := range keys.Keys {
			items = append(items, SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(byte(i))})
		}
		got, err := all.Sign(t.Context(), SignRequest{Items: items})
		if err != nil || got.Rechecked != want {
			t.Errorf("%d of 5 were checked again at a share of %v, want %d: %v", got.Rechecked, share, want, err)
		}
	}
}

// BenchmarkVerifyJob is what the client pays for a job of 1,000 signatures by as many keys,
// "ahead" included, and what it paid when libraries verified each.
func BenchmarkVerifyJob(b *testing.B) {
	const count = 1000
	for _, suite := range []string{SuiteSecp256k1TR, SuiteEd25519} {
		c := claimed(b, suite, count)
		items := make([]SignItem, count)
		for i := range c.of {
			if items[i] = *c.of[i].item; suite == SuiteEd25519 {
				items[i].PublicKey = c.of[i].publicKey
				continue
			}
			private, err := btcec.NewPrivateKey()
			if err != nil {
				b.Fatal(err)
			}
			items[i].PublicKey = private.PubKey().SerializeCompressed()
		}
		branches := newBranches()
		for name, run := range map[string]func() error{
			"together": func() error {
				keys := outputKeys(branches, items)
				if suite == SuiteEd25519 { // the benchmark's Taproot signatures are not by these output keys
					for i := range c.of {
						c.of[i].key = &keys[i]
					}
				}
				_, err := c.verify(defaultRecheck)
				return err
			},
			"each": func() error {
				for i := range c.of {
					if k := libraryKey(branches, items[i]); k.err != nil {
						return k.err
					}
					if err := c.ask(&c.of[i]); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			b.Run(suite+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*count), "µs/signature")
			})
		}
	}
}
