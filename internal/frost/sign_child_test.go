package frost

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	filippo "filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
)

// descendant is a key below a root, with libraries that have no part in signing.
type descendant struct {
	public  []byte // as results carry it
	offsets [][32]byte
}

// descendantOf makes a descendant of a random path. A secp256k1-tr root's is BIP 32's,
// by hdkeychain; an ed25519 root's has random offsets.
func descendantOf(t testing.TB, s Suite, root []byte, depth int) descendant {
	t.Helper()
	if s == Ed25519 {
		return edwardsDescendant(t, root, depth)
	}
	k := hdkeychain.NewExtendedKey(chaincfg.MainNetParams.HDPublicKeyID[:], root, random(32), make([]byte, 4), 0, 0, false)
	var offsets [][32]byte
	for range depth {
		index := mathrand.Uint32() >> 1
		parent := mustPublic(t, k)
		mac := hmac.New(sha512.New, k.ChainCode())
		mac.Write(binary.BigEndian.AppendUint32(parent.SerializeCompressed(), index))
		offsets = append(offsets, [32]byte(mac.Sum(nil)[:32]))
		var err error
		if k, err = k.Derive(index); err != nil {
			t.Fatal(err)
		}
	}
	return descendant{mustPublic(t, k).SerializeCompressed(), offsets}
}

func mustPublic(t testing.TB, k *hdkeychain.ExtendedKey) *btcec.PublicKey {
	t.Helper()
	public, err := k.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func edwardsDescendant(t testing.TB, root []byte, depth int) descendant {
	t.Helper()
	p, err := new(filippo.Point).SetBytes(root)
	if err != nil {
		t.Fatal(err)
	}
	var offsets [][32]byte
	for range depth {
		offset, err := new(filippo.Scalar).SetUniformBytes(random(64))
		if err != nil {
			t.Fatal(err)
		}
		p.Add(p, new(filippo.Point).ScalarBaseMult(offset))
		offsets = append(offsets, [32]byte(offset.Bytes()))
	}
	return descendant{p.Bytes(), offsets}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// verify checks a signature of it under the descendant, by btcd and crypto/ed25519.
func (d descendant) verify(t testing.TB, it Item, sig Signature) {
	t.Helper()
	if it.Key.Suite == Ed25519 {
		if !ed25519.Verify(d.public, it.Message, sig.Bytes) || !bytes.Equal(sig.PublicKey, d.public) {
			t.Fatal("crypto/ed25519 refuses the signature, or it is said to be of another key")
		}
		return
	}
	internal, err := btcec.ParsePubKey(d.public)
	if err != nil {
		t.Fatal(err)
	}
	output := txscript.ComputeTaprootKeyNoScript(internal)
	if it.Tweak.Mode == TweakScriptRoot {
		output = txscript.ComputeTaprootOutputKey(internal, it.Tweak.Root[:])
	}
	parsed, err := schnorr.ParseSignature(sig.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !parsed.Verify(it.Message, output) {
		t.Fatal("btcd refuses the signature")
	}
	own, err := OutputKey(it.Key.Suite, d.public, it.Tweak)
	if err != nil || !bytes.Equal(own, schnorr.SerializePubKey(output)) || !bytes.Equal(own, sig.PublicKey) {
		t.Fatalf("output key %x, of the signature %x, %v", own, sig.PublicKey, err)
	}
}

// family is a batch under descendants of one root at every depth from 0 to MaxOffsets,
// and of other roots.
func family(t testing.TB, s Suite, n, threshold int) (items [][]Item, under []descendant) {
	t.Helper()
	items = newItems(t, s, n, threshold, MaxOffsets+4)
	for i := range items[0] {
		depth := i
		if i > MaxOffsets {
			depth = i - MaxOffsets - 1
		} else {
			for node := range items { // of one root
				items[node][i].Key = items[node][0].Key
			}
		}
		d := descendantOf(t, s, items[0][i].Key.PublicKey, depth)
		for node := range items {
			items[node][i].Offsets = d.offsets
		}
		under = append(under, d)
	}
	return items, under
}

func TestSignUnderChildren(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		for _, c := range []struct{ t, n int }{{1, 1}, {2, 3}, {3, 4}} {
			items, under := family(t, s, c.n, c.t)
			for _, nodes := range subsets(c.n, c.t) {
				t.Run(fmt.Sprint(size(c.n, c.t), nodes), func(t *testing.T) {
					g := commitAll(t, s, items, nodes)
					sigs, blame, err := Aggregate(form, g.public(), g.set, g.signAll(t))
					if err != nil || blame != nil {
						t.Fatal(err, blame)
					}
					for i, sig := range sigs {
						under[i].verify(t, items[0][i], sig)
					}
				})
			}
		}
	})
}

// A wrong share under a child is found, and its sender alone is blamed, also where the
// share is one of the root or of another child: that is no share of the child's.
func TestBlameUnderChildren(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items, under := family(t, s, 4, 3)
		const liar, victim = 2, 5 // a node, and the item at which it lies
		of := items[liar][victim].Offsets
		for name, offsets := range map[string][][32]byte{
			"a flipped bit":    of,
			"of the root":      nil,
			"a step too few":   of[1:],
			"of another child": items[liar][victim+1].Offsets,
		} {
			t.Run(name, func(t *testing.T) {
				g := commitAll(t, s, items, []int{0, 1, liar})
				other := items[liar][victim]
				other.Offsets = offsets
				deceive(t, g.nonces[2].held.Load(), victim, &other)
				shares := g.signAll(t)
				if slices.Equal(offsets, of) {
					shareOf(shares[2], victim)[7] ^= 1
				}
				sigs, blame, err := Aggregate(form, g.public(), g.set, shares)
				if want := []Blame{{liar, victim, reasonShare}}; err != nil || !slices.Equal(blame, want) {
					t.Fatalf("blame %v, %v; want %v", blame, err, want)
				}
				for i, sig := range sigs {
					if i == victim {
						if sig.Bytes != nil || sig.PublicKey != nil {
							t.Fatal("a signature of a wrong share")
						}
						continue
					}
					under[i].verify(t, items[0][i], sig)
				}
			})
		}
	})
}

// deceive replaces the key of an item that a node has committed to.
func deceive(t *testing.T, held *heldNonces, at int, it *Item) {
	t.Helper()
	switch batch := held.batch.(type) {
	case secpBatch:
		keys, errs := openSecpKeys([]Item{*it})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		batch[at].key = keys[0]
	case edwardsBatch:
		keys, errs := openEd25519Keys([]Item{*it})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		batch[at].key = keys[0]
	}
}

// minus7 is the offset that takes a key of secret 7 to the identity.
func minus7(s Suite) (offset [32]byte) {
	seven := []byte{7}
	if s == Secp256k1TR {
		var k btcec.ModNScalar
		k.SetByteSlice(seven)
		k.Negate()
		return k.Bytes()
	}
	k, err := new(filippo.Scalar).SetCanonicalBytes(append(seven, make([]byte, 31)...))
	if err != nil {
		panic(err)
	}
	return [32]byte(k.Negate(k).Bytes())
}

func TestOffsetsRefused(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		var keys []*Key
		if s == Secp256k1TR {
			keys = dealPolynomial(secpGroup{}, s, []uint32{7, 3}, 3)
		} else {
			keys = dealPolynomial(edwardsGroup{}, s, []uint32{7, 3}, 3)
		}
		good := [32]byte{15: 1}
		for name, offsets := range map[string][][32]byte{
			"too many":              slices.Repeat([][32]byte{good}, MaxOffsets+1),
			"not a scalar":          {[32]byte(bytes.Repeat([]byte{255}, 32))},
			"the last not a scalar": {good, good, [32]byte(bytes.Repeat([]byte{255}, 32))},
			"identity":              {minus7(s)},
			"identity in the end":   {good, minus7(s), negated(s, good)},
		} {
			t.Run(name, func(t *testing.T) {
				it := Item{Key: keys[0], Message: make([]byte, 32), Tweak: tweaks[s][0]}
				fine := it
				it.Offsets = offsets
				noKey := strings.HasPrefix(name, "identity")
				n, points, err := Commit(rand.Reader, [32]byte{}, form, []Item{fine, it})
				if err == nil || errors.Is(err, ErrChild) != noKey || n != nil || points != nil {
					t.Fatalf("committed: %v", err)
				}
				// An aggregator says so of the item, and signs the other, unless there are too many.
				g := commitAll(t, s, [][]Item{{fine, fine}, {{Key: keys[1], Message: it.Message, Tweak: it.Tweak},
					{Key: keys[1], Message: it.Message, Tweak: it.Tweak}}}, upTo(2))
				public := g.public()
				public[1].Offsets = offsets
				sigs, blame, err := Aggregate(form, public, g.set, g.signAll(t))
				if err == nil || errors.Is(err, ErrChild) != noKey || blame != nil {
					t.Fatalf("%v, blame %v", err, blame)
				}
				if len(offsets) <= MaxOffsets && (len(sigs) != 2 || sigs[0].Bytes == nil || sigs[1].Bytes != nil) {
					t.Fatalf("signatures %x", sigs)
				}
			})
		}
	})
}

func negated(s Suite, b [32]byte) [32]byte {
	if s == Secp256k1TR {
		var k btcec.ModNScalar
		k.SetBytes(&b)
		k.Negate()
		return k.Bytes()
	}
	k, err := new(filippo.Scalar).SetCanonicalBytes(b[:])
	if err != nil {
		panic(err)
	}
	return [32]byte(k.Negate(k).Bytes())
}

// What a caller does to an item's offsets after the node has committed changes nothing.
func TestCommitCopiesOffsets(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items, under := family(t, s, 3, 2)
		g := commitAll(t, s, items, upTo(2))
		before := make([]Item, len(items[0]))
		for i, it := range g.public() {
			it.Offsets = slices.Clone(it.Offsets)
			before[i] = it
		}
		for i := range items[0] {
			for j := range items[0][i].Offsets { // which all nodes have in common
				items[0][i].Offsets[j][15] ^= 1
			}
		}
		sigs, blame, err := Aggregate(form, before, g.set, g.signAll(t))
		if err != nil || blame != nil {
			t.Fatal(err, blame)
		}
		for i, sig := range sigs {
			under[i].verify(t, before[i], sig)
		}
	})
}

// With one random source, session, place and message, a root and its children have
// different nonces; an item whose list of offsets is empty is the root's.
func TestNoncesOfChildrenDiffer(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		it := newItems(t, s, 3, 2, 1)[0][0]
		seen := map[string]string{}
		commit := func(name string, offsets [][32]byte) []byte {
			it.Offsets = offsets
			_, points, err := Commit(mathrand.NewChaCha8([32]byte{7}), [32]byte{1}, form, []Item{it})
			if err != nil {
				t.Fatal(err)
			}
			for p := range slices.Chunk(points, s.PointSize()) {
				if was, twice := seen[string(p)]; twice {
					t.Errorf("%s and %s have a nonce in common", was, name)
				}
				seen[string(p)] = name
			}
			return points
		}
		root := commit("the root", nil)
		commit("a child", [][32]byte{{15: 1}})
		commit("another child", [][32]byte{{15: 2}})
		commit("a grandchild", [][32]byte{{15: 1}, {15: 3}})
		clear(seen)
		if !bytes.Equal(commit("the root again", [][32]byte{}), root) {
			t.Error("an empty list of offsets changes the nonces")
		}
	})
}

// BenchmarkChildren is what signers and aggregator pay for offsets: compare with
// BenchmarkCommit, BenchmarkSign and BenchmarkAggregate of the same shape.
func BenchmarkChildren(b *testing.B) {
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		for _, depth := range []int{0, 2, MaxOffsets} {
			items := newItems(b, s, 3, 2, 100)
			for i := range items[0] {
				d := descendantOf(b, s, items[0][i].Key.PublicKey, depth)
				for node := range items {
					items[node][i].Offsets = d.offsets
				}
			}
			b.Run(fmt.Sprintf("%s/%d", s, depth), func(b *testing.B) {
				for range b.N {
					g := commitAll(b, s, items, upTo(2))
					if _, blame, err := Aggregate(form, g.public(), g.set, g.signAll(b)); err != nil || blame != nil {
						b.Fatal(err, blame)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*100), "µs/item")
			})
		}
	}
}
