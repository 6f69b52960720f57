package frost

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
)

// verifyElsewhere checks a signature and its output key with libraries that
// have no part in making it.
func verifyElsewhere(t *testing.T, it Item, sig Signature) {
	t.Helper()
	if it.Key.Suite == Ed25519 {
		if !ed25519.Verify(it.Key.PublicKey, it.Message, sig.Bytes) || !bytes.Equal(sig.PublicKey, it.Key.PublicKey) {
			t.Fatal("crypto/ed25519 refuses the signature, or it is said to be of another key")
		}
		return
	}
	internal, err := btcec.ParsePubKey(it.Key.PublicKey)
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
		t.Fatal("btcec refuses the signature")
	}
	own, err := OutputKey(Secp256k1TR, it.Key.PublicKey, it.Tweak)
	if err != nil || !bytes.Equal(own, schnorr.SerializePubKey(output)) || !bytes.Equal(own, sig.PublicKey) {
		t.Fatalf("output key %x, of the signature %x, %v; btcec has %x", own, sig.PublicKey, err, schnorr.SerializePubKey(output))
	}
}

func TestSignEndToEnd(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		for _, c := range []struct{ t, n, count int }{{1, 1, 3}, {1, 3, 2}, {2, 3, 6}, {3, 5, 4}, {16, 24, 2}} {
			t.Run(size(c.n, c.t), func(t *testing.T) {
				items := newItems(t, s, c.n, c.t, c.count)
				for _, nodes := range [][]int{upTo(c.t), someNodes(c.n, c.t)} {
					g := commitAll(t, s, items, nodes)
					shares := g.signAll(t)
					sigs, blame, err := Aggregate(form, g.public(), g.set, shares)
					if err != nil || blame != nil {
						t.Fatalf("aggregate: %v, blame %v", err, blame)
					}
					for i, sig := range sigs {
						it := items[0][i]
						verifyElsewhere(t, it, sig)
						out, err := OutputKey(s, it.Key.PublicKey, it.Tweak)
						if err != nil || !verifySignature(s, out, it.Message, sig.Bytes) {
							t.Fatalf("own verification refuses item %d: %v", i, err)
						}
						sig.Bytes[40] ^= 1
						if verifySignature(s, out, it.Message, sig.Bytes) {
							t.Fatal("own verification takes a spoilt signature")
						}
					}
				}
			})
		}
	})
}

// someNodes returns the last t of n nodes, descending.
func someNodes(n, t int) []int {
	nodes := upTo(n)[n-t:]
	slices.Reverse(nodes)
	return nodes
}

func TestItemValidate(t *testing.T) {
	secp := dealKey(t, Secp256k1TR, 3, 2)[0]
	ed := dealKey(t, Ed25519, 3, 2)[0]
	hash := make([]byte, 32)
	with := func(k *Key, f func(*Key)) *Key {
		c := *k
		f(&c)
		return &c
	}
	bip86, root := Tweak{Mode: TweakBIP86}, Tweak{Mode: TweakScriptRoot}
	item := func(k *Key, message []byte, tweak Tweak) Item {
		return Item{Key: k, Message: message, Tweak: tweak}
	}
	for name, c := range map[string]struct {
		item Item
		ok   bool
	}{
		"secp bip86":           {item(secp, hash, bip86), true},
		"secp root":            {item(secp, hash, root), true},
		"ed":                   {item(ed, []byte("x"), Tweak{}), true},
		"ed longest":           {item(ed, make([]byte, MaxMessage), Tweak{}), true},
		"secp untweaked":       {item(secp, hash, Tweak{}), false},
		"secp unknown tweak":   {item(secp, hash, Tweak{Mode: 3}), false},
		"bip86 with root":      {item(secp, hash, Tweak{Mode: TweakBIP86, Root: [32]byte{1}}), false},
		"ed tweaked":           {item(ed, hash, bip86), false},
		"ed with root":         {item(ed, hash, Tweak{Root: [32]byte{1}}), false},
		"secp short message":   {item(secp, hash[:31], bip86), false},
		"secp long message":    {item(secp, make([]byte, 33), bip86), false},
		"ed empty message":     {item(ed, nil, Tweak{}), false},
		"ed message too long":  {item(ed, make([]byte, MaxMessage+1), Tweak{}), false},
		"no key":               {item(nil, hash, bip86), false},
		"unknown suite":        {item(with(secp, func(k *Key) { k.Suite = 9 }), hash, bip86), false},
		"threshold over nodes": {item(with(secp, func(k *Key) { k.T = 4 }), hash, bip86), false},
		"threshold zero":       {item(with(secp, func(k *Key) { k.T = 0 }), hash, bip86), false},
		"too many nodes":       {item(with(secp, func(k *Key) { k.N = 129 }), hash, bip86), false},
		"public key of ed":     {item(with(secp, func(k *Key) { k.PublicKey = ed.PublicKey }), hash, bip86), false},
		"one commitment too few": {
			item(with(secp, func(k *Key) { k.VSSCommitment = k.VSSCommitment[:64] }), hash, bip86), false},
		"one commitment too many": {item(with(ed, func(k *Key) { k.T = 1 }), hash, Tweak{}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.item.Validate(); (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// The last node of the largest fleet deals and signs.
func TestMaxNodes(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		f := newFleet(t, s, 1, 1, 1)
		f.N, f.HostKeys = MaxNodes, slices.Repeat(f.HostKeys, MaxNodes)
		if d, err := NewDeal(f.Params, MaxNodes-1, f.seeds[0]); err != nil || len(d.Shares) != MaxNodes {
			t.Fatal(err)
		}
		g := commitAll(t, s, newItems(t, s, MaxNodes, 2, 1), []int{0, MaxNodes - 1})
		if _, blame, err := Aggregate(form, g.public(), g.set, g.signAll(t)); err != nil || blame != nil {
			t.Fatalf("%v, %v", blame, err)
		}
	})
}

func TestCommitRefuses(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items := newItems(t, s, 3, 2, 2)
		other := dealKey(t, s, 4, 2)
		tweak := tweaks[s][0]
		msg := items[0][0].Message
		change := func(f func(*Key)) []Item {
			k := *items[0][0].Key
			k.VSSCommitment = slices.Clone(k.VSSCommitment)
			f(&k)
			return []Item{{Key: &k, Message: msg, Tweak: tweak}}
		}
		for name, batch := range map[string][]Item{
			"nothing":              nil,
			"too many":             slices.Repeat(items[0][:1], MaxBatch+1),
			"no share":             change(func(k *Key) { k.Share = nil }),
			"index out of range":   change(func(k *Key) { k.Index = 3 }),
			"negative index":       change(func(k *Key) { k.Index = -1 }),
			"another fleet size":   {items[0][0], {Key: other[0], Message: msg, Tweak: tweak}},
			"another index":        {items[0][0], items[1][1]},
			"another public key":   change(func(k *Key) { k.PublicKey = items[0][1].Key.PublicKey }),
			"commitment off curve": change(func(k *Key) { copy(k.VSSCommitment[s.PointSize():], notAPoint(s)) }),
			"public key off curve": change(func(k *Key) { copy(k.VSSCommitment, notAPoint(s)) }),
			"commitment of all ones": change(func(k *Key) {
				copy(k.VSSCommitment[s.PointSize():], bytes.Repeat([]byte{255}, s.PointSize()))
			}),
		} {
			t.Run(name, func(t *testing.T) {
				n, points, err := Commit(rand.Reader, [32]byte{}, form, batch)
				if s == Ed25519 && strings.HasPrefix(name, "commitment") {
					// Nobody but who checks shares needs these points: the node itself, before its own leave it.
					g := commitAll(t, s, items, []int{1})
					share, signErr := n.Sign([]NonceCommitment{{0, points}, {1, g.set[0].Points[:form.NonceSize(s)]}})
					if err != nil || !errors.Is(signErr, ErrSelfCheck) || share != nil {
						t.Fatalf("got %v, and then %x, %v", err, share, signErr)
					}
					return
				}
				if err == nil || n != nil || points != nil {
					t.Fatalf("got %v, %x, %v", n, points, err)
				}
			})
		}
		if _, _, err := Commit(bytes.NewReader(make([]byte, 40)), [32]byte{}, form, items[0]); err == nil {
			t.Fatal("a source that runs dry was taken for randomness")
		}
	})
}

// notANonce is no point of a public nonce: off the curve.
func notANonce(s Suite) []byte {
	b := make([]byte, form.NonceSize(s)/2)
	copy(b[len(b)-s.PointSize():], notAPoint(s))
	return b
}

// notAPoint is no wire point: (0, 2), and y = 2, which no point has.
func notAPoint(s Suite) []byte {
	b := make([]byte, s.PointSize())
	if s == Secp256k1TR {
		b[63] = 2
	} else {
		b[0] = 2
	}
	return b
}

// verifySignature reports whether sig (64 bytes) is a valid signature of the
// message under the output key: BIP 340's verification, or Ed25519's as
// crypto/ed25519 does it.
func verifySignature(s Suite, outputKey, message, sig []byte) bool {
	if len(outputKey) != 32 || len(sig) != 64 {
		return false
	}
	switch s {
	case Secp256k1TR:
		return bip340.Verify(outputKey, message, sig)
	case Ed25519:
		return ed25519.Verify(outputKey, message, sig)
	}
	return false
}
