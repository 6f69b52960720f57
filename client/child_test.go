package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// The stub derives children of private keys, with other libraries than the client's.

// stubChainCode is the chain code of a key of the stub.
func stubChainCode(id string) []byte {
	k, err := wire.ParseKeyID(id)
	if err != nil {
		panic(err)
	}
	code := wire.ChainCode(stubTranscript, k.Index)
	return code[:]
}

func steps(path string) (indexes []uint32) {
	for step := range strings.SplitSeq(path, "/") {
		i, err := strconv.ParseUint(step, 10, 31)
		if err != nil {
			panic(err)
		}
		indexes = append(indexes, uint32(i))
	}
	return indexes
}

func taprootChild(t testing.TB, key *btcec.PrivateKey, chainCode []byte, path string) *btcec.PrivateKey {
	k := hdkeychain.NewExtendedKey(chaincfg.RegressionNetParams.HDPrivateKeyID[:], key.Serialize(), chainCode,
		make([]byte, 4), 0, 0, true)
	var err error
	for _, index := range steps(path) {
		if k, err = k.Derive(index); err != nil {
			t.Fatal(err)
		}
	}
	child, err := k.ECPrivKey()
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// edwardsKey is a scalar that signs.
type edwardsKey struct{ secret *edwards25519.Scalar }

// edwardsChild is section 10 of docs/protocol.md, for a secret key of RFC 8032.
func edwardsChild(t testing.TB, key ed25519.PrivateKey, chainCode []byte, path string) edwardsKey {
	h := sha512.Sum512(key.Seed())
	secret, err := new(edwards25519.Scalar).SetBytesWithClamping(h[:32])
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range steps(path) {
		hash := func(tag string) []byte {
			mac := hmac.New(sha512.New, chainCode)
			mac.Write([]byte(tag))
			mac.Write(new(edwards25519.Point).ScalarBaseMult(secret).Bytes())
			mac.Write(binary.BigEndian.AppendUint32(nil, index))
			return mac.Sum(nil)
		}
		next := hash("frostfleet/ed25519-chaincode/v1")[:32]
		offset, err := new(edwards25519.Scalar).SetUniformBytes(hash("frostfleet/ed25519-child/v1"))
		if err != nil {
			t.Fatal(err)
		}
		secret, chainCode = offset.Add(offset, secret), next
	}
	return edwardsKey{secret}
}

func (k edwardsKey) sign(message []byte) (public ed25519.PublicKey, signature []byte) {
	public = new(edwards25519.Point).ScalarBaseMult(k.secret).Bytes()
	reduce := func(parts ...[]byte) *edwards25519.Scalar {
		h := sha512.Sum512(slices.Concat(parts...))
		s, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
		if err != nil {
			panic(err)
		}
		return s
	}
	nonce := reduce([]byte("nonce"), k.secret.Bytes(), message)
	signature = new(edwards25519.Point).ScalarBaseMult(nonce).Bytes()
	challenge := reduce(signature, public, message)
	return public, append(signature, challenge.MultiplyAdd(challenge, k.secret, nonce).Bytes()...)
}

// under is an item under a child of a key.
func under(k Key, path string, message []byte) SignItem {
	return SignItem{Key: k.ID, Path: path, PublicKey: k.PublicKey, ChainCode: k.ChainCode, Message: message}
}

// TestSignChildren: children of several roots in one request, and the roots.
func TestSignChildren(t *testing.T) {
	_, c := start(t)
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 2})
			if err != nil {
				t.Fatal(err)
			}
			var items []SignItem
			for i, path := range []string{"", "0", "0/17", "2147483647/0", "1/2/3/4/5/6/7/8", "0/17", "0/18"} {
				items = append(items, under(keys.Keys[i%2], path, message(byte(i))))
				if chain == "bitcoin" && i%3 == 2 {
					items[i].ScriptRoot = message(9)
				}
			}
			got, err := c.Sign(t.Context(), SignRequest{Items: items})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]string{}
			for i, sig := range got.Signatures {
				if sig.Path != items[i].Path || sig.Key != items[i].Key {
					t.Errorf("signature %d is of %s at %q", i, sig.Key, sig.Path)
				}
				name := fmt.Sprint(sig.Key, sig.Path, len(items[i].ScriptRoot))
				if other, known := seen[string(sig.PublicKey)]; known && other != name {
					t.Errorf("%s and %s have one key", other, name)
				}
				seen[string(sig.PublicKey)] = name
			}
			for i := range items { // nobody says which key it ought to be
				items[i].PublicKey, items[i].ChainCode = nil, nil
			}
			if _, err := c.Sign(t.Context(), SignRequest{Items: items}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnprovenChildren: a gateway's result under another key than the item's child.
func TestUnprovenChildren(t *testing.T) {
	s, c := start(t)
	tests := []struct {
		name   string
		job    func(it *wire.JobItem)    // what the gateway signs instead
		result func(r *wire.Result)      // and says of it
		item   func(it *SignItem, k Key) // what the caller asks
		reason string
	}{
		{"the root's", func(it *wire.JobItem) { it.Path = nil }, func(r *wire.Result) { r.Sigs[0].Path = "0/17" },
			nil, "signed by key"},
		{"another child's", func(it *wire.JobItem) { *it.Path = "0/18" }, func(r *wire.Result) { r.Sigs[0].Path = "0/17" },
			nil, "signed by key"},
		{"a child's for the root", func(it *wire.JobItem) { it.Path = new("0/17") },
			func(r *wire.Result) { r.Sigs[0].Path = "" }, func(it *SignItem, _ Key) { it.Path = "" }, "signed by key"},
		{"under another path", nil, func(r *wire.Result) { r.Sigs[0].Path = "0/18" }, nil, "asked under"},
		{"under no path", nil, func(r *wire.Result) { r.Sigs[0].Path = "" }, nil, "asked under"},
		{"a path for none", nil, func(r *wire.Result) { r.Sigs[0].Path = "0/17" },
			func(it *SignItem, _ Key) { it.Path = "" }, "asked under"},
		{"of another chain code", nil, nil,
			func(it *SignItem, k Key) { it.ChainCode = bytes.Repeat([]byte{1}, 32) }, "signed by key"},
		{"with a path that nobody asked, unknown key", nil, func(r *wire.Result) { r.Sigs[0].Path = "0/18" },
			func(it *SignItem, _ Key) { it.PublicKey = nil }, "asked under"},
	}
	for _, chain := range []string{"bitcoin", "solana"} {
		s.onJob(nil)
		keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			t.Run(chain+", "+tt.name, func(t *testing.T) {
				item := under(keys.Keys[0], "0/17", message(1))
				if tt.item != nil {
					tt.item(&item, keys.Keys[0])
				}
				s.onJob(func(job wire.SignedJob) {
					r, signed := s.base(job), item.wire()
					if tt.job != nil {
						tt.job(&signed)
					}
					s.sign(r, &wire.Job{Items: []wire.JobItem{signed}})
					if tt.result != nil {
						tt.result(r)
					}
					s.store(r)
				})
				_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}})
				checkProofError(t, err, tt.reason)
			})
		}
	}
}
