package frost

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/rfc9591"
)

// mustBeUsed fails unless the nonces are gone.
func mustBeUsed(t *testing.T, n *Nonces, set []NonceCommitment) {
	t.Helper()
	if shares, err := n.Sign(set); !errors.Is(err, ErrNoncesUsed) || shares != nil {
		t.Fatalf("used nonces give %x, %v", shares, err)
	}
}

func TestNoncesSignOnce(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 3)
		g.signAll(t)
		for _, n := range g.nonces {
			mustBeUsed(t, n, g.set)
		}
	})
}

func TestNoncesSignOnceAtOnce(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 2)
		var ok, used atomic.Int32
		var start, done sync.WaitGroup
		start.Add(1)
		for range 16 {
			done.Go(func() {
				start.Wait()
				switch _, err := g.nonces[0].Sign(g.set); {
				case err == nil:
					ok.Add(1)
				case errors.Is(err, ErrNoncesUsed):
					used.Add(1)
				}
			})
		}
		start.Done()
		done.Wait()
		if ok.Load() != 1 || used.Load() != 15 {
			t.Fatalf("%d calls signed and %d were refused, want 1 and 15", ok.Load(), used.Load())
		}
	})
}

func TestNoncesWipe(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 1)
		g.nonces[0].Wipe()
		g.nonces[0].Wipe()
		mustBeUsed(t, g.nonces[0], g.set)
	})
}

// Every lie about the set costs the nonces and yields no share.
func TestSetLies(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items := newItems(t, s, 5, 3, 2)
		fresh := func() *signing { return commitAll(t, s, items, []int{0, 2, 4}) }
		alien := fresh() // the same nodes' commitments for another attempt
		for name, lie := range map[string]func(g *signing){
			"empty":                func(g *signing) { g.set = nil },
			"one too few":          func(g *signing) { g.set = g.set[:2] },
			"one too many":         func(g *signing) { g.set = append(g.set, NonceCommitment{1, alien.set[1].Points}) },
			"without own":          func(g *signing) { g.set[0].Index = 1 },
			"another twice":        func(g *signing) { g.set[1] = g.set[2] },
			"own twice":            func(g *signing) { g.set[1] = g.set[0] },
			"own index, not own":   func(g *signing) { g.set[0].Points = alien.set[0].Points },
			"own points swapped":   func(g *signing) { g.set[0].Points = swapNonces(s, g.set[0].Points) },
			"own items swapped":    func(g *signing) { g.set[0].Points = swapItems(s, g.set[0].Points) },
			"index out of range":   func(g *signing) { g.set[1].Index = 5 },
			"negative index":       func(g *signing) { g.set[1].Index = -1 },
			"short":                func(g *signing) { g.set[1].Points = g.set[1].Points[1:] },
			"long":                 func(g *signing) { g.set[1].Points = append(slices.Clone(g.set[1].Points), 0) },
			"not a point":          func(g *signing) { g.set[1].Points = replace(g.set[1].Points, form.NonceSize(s)/2, notANonce(s)) },
			"all zeros":            func(g *signing) { g.set[1].Points = make([]byte, len(g.set[1].Points)) },
			"own under two labels": func(g *signing) { g.set[1].Points, g.set[0].Points = g.set[0].Points, g.set[1].Points },
		} {
			t.Run(name, func(t *testing.T) {
				g := fresh()
				good := slices.Clone(g.set)
				lie(g)
				shares, err := g.nonces[0].Sign(g.set)
				if err == nil || shares != nil || errors.Is(err, ErrNoncesUsed) {
					t.Fatalf("got %x, %v", shares, err)
				}
				mustBeUsed(t, g.nonces[0], good)
			})
		}
	})
}

func swapNonces(s Suite, points []byte) []byte {
	p := form.NonceSize(s) / 2
	return slices.Concat(points[p:2*p], points[:p], points[2*p:])
}

func swapItems(s Suite, points []byte) []byte {
	n := form.NonceSize(s)
	return slices.Concat(points[n:2*n], points[:n], points[2*n:])
}

func replace(b []byte, at int, with []byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], with)
	return b
}

func TestBadCommitmentIsBlamed(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 3)
		g.set[1].Points = replace(g.set[1].Points, 2*form.NonceSize(s), notANonce(s))
		_, err := g.nonces[0].Sign(g.set)
		var blame *Blame
		if !errors.As(err, &blame) || blame.Index != 1 || blame.Item != 2 {
			t.Fatalf("got %v, want node 1, item 2 blamed", err)
		}
	})
}

// What was committed to is what is signed, whatever happens to the caller's
// items in between.
func TestItemsAreCopied(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items := newItems(t, s, 3, 2, 2)
		g := commitAll(t, s, items, upTo(2))
		public := g.public()
		for i := range public {
			public[i].Message = slices.Clone(public[i].Message)
			k := *public[i].Key
			k.VSSCommitment, k.PublicKey = slices.Clone(k.VSSCommitment), slices.Clone(k.PublicKey)
			public[i].Key = &k
		}
		for node := range 2 {
			for i := range items[node] {
				clear(items[node][i].Message)
				clear(items[node][i].Key.VSSCommitment)
				clear(items[node][i].Key.PublicKey)
				items[node][i].Key.Share.Wipe()
			}
		}
		sigs, blame, err := Aggregate(form, public, g.set, g.signAll(t))
		if err != nil || blame != nil {
			t.Fatal(err, blame)
		}
		for i, sig := range sigs {
			verifyElsewhere(t, public[i], sig)
		}
	})
}

// A share that does not fit the key stays in the node.
func TestSelfCheck(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items := newItems(t, s, 3, 2, 3)
		k := *items[0][1].Key
		k.Share = items[1][1].Key.Share // node 1's
		items[0][1].Key = &k
		g := commitAll(t, s, items, upTo(2))
		if shares, err := g.nonces[0].Sign(g.set); !errors.Is(err, ErrSelfCheck) || shares != nil {
			t.Fatalf("got %x, %v, want the self-check to fail", shares, err)
		}
		mustBeUsed(t, g.nonces[0], g.set)
	})
}

// Nothing of shares that stay in the node is left, in whatever form they were.
func TestDiscardedSharesAreWiped(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := commitAll(t, s, newItems(t, s, 3, 2, 2), upTo(2))
		held := g.nonces[0].held.Load()
		var out []byte
		var err error
		kept := [][]byte{}
		switch batch := held.batch.(type) {
		case secpBatch:
			var claims []bip445.Claim
			if out, claims, err = batch.respond(held, g.set); err != nil {
				t.Fatal(err)
			}
			discardSecp(out, append(claims, bip445.Claim{})) // one that was not made
			for _, c := range claims {
				kept = append(kept, c.Sig.Bytes())
			}
		case edwardsBatch:
			var claims []rfc9591.Claim
			if out, claims, err = batch.respond(held, g.set); err != nil {
				t.Fatal(err)
			}
			discardEd25519(out, append(claims, rfc9591.Claim{}))
			for _, c := range claims {
				kept = append(kept, c.Share)
			}
		}
		if len(out) != 2*ScalarSize || len(kept) != 2 {
			t.Fatalf("%d bytes of shares, %d of them", len(out), len(kept))
		}
		for _, share := range append(kept, out[:ScalarSize], out[ScalarSize:]) {
			if !bytes.Equal(share, make([]byte, ScalarSize)) {
				t.Errorf("%x is left", share)
			}
		}
	})
}

func TestNoncesDiffer(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		item := newItems(t, s, 3, 2, 1)[0][0]
		_, points, err := Commit(rand.Reader, [32]byte{}, form, slices.Repeat([]Item{item}, 100))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for p := range slices.Chunk(points, form.NonceSize(s)/2) {
			if seen[string(p)] {
				t.Fatal("a nonce came up twice")
			}
			seen[string(p)] = true
		}
	})
}

// Nothing of a holder gets into a log line.
func TestNoncesPrintRedacted(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items := newItems(t, s, 3, 2, 1)
		g := commitAll(t, s, items, upTo(2))
		share := items[0][0].Key.Share.Expose()
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb, g.nonces[0])
			fmt.Fprintf(&out, verb, items[0][0])
			fmt.Fprintf(&out, verb, struct{ n *Nonces }{g.nonces[0]})
		}
		for _, leak := range []string{fmt.Sprintf("%x", share[:8]), fmt.Sprint(share[:8])} {
			if strings.Contains(out.String(), strings.Trim(leak, "[]")) {
				t.Fatalf("a share printed: %s", out.String())
			}
		}
		if !strings.Contains(out.String(), "[secret]") {
			t.Fatal("the holder does not print as redacted")
		}
	})
}

// Wiping really clears what the holder had.
func TestSignWipes(t *testing.T) {
	g := newSigning(t, Secp256k1TR, 3, 2, 1)
	held := g.nonces[0].held.Load().batch.(secpBatch)
	edwards := newSigning(t, Ed25519, 3, 2, 1)
	heldEd := edwards.nonces[0].held.Load().batch.(edwardsBatch)
	g.signAll(t)
	edwards.signAll(t)
	if held[0].share.IsZero() != 1 || slices.ContainsFunc(heldEd[0].share, func(b byte) bool { return b != 0 }) {
		t.Fatal("a share outlived its use")
	}
}
