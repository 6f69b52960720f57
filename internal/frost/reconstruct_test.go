package frost

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	filippo "filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// of are the shares of nodes.
func (h *holders) of(nodes []int) (shares []*secret.Bytes) {
	for _, i := range nodes {
		shares = append(shares, h.shares[i])
	}
	return shares
}

// Any t nodes, in any order, in any generation, make the private keys, by other
// libraries.
func TestReconstructPrivateKeys(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		first := founded(t, s, 2, 3, 3)
		for _, h := range []*holders{first, newMove(t, first, []int{1, 2}, 3, 5).finish(t), founded(t, s, 1, 1, 1)} {
			for _, nodes := range subsets(h.n, h.t) {
				slices.Reverse(nodes)
				keys, err := ReconstructPrivateKeys(s, h.n, h.t, h.public.PublicKeys, nodes, h.of(nodes))
				if err != nil {
					t.Fatal(err)
				}
				if len(keys.Expose()) != len(h.public.PublicKeys)*ScalarSize {
					t.Fatalf("%d bytes of keys", len(keys.Expose()))
				}
				for i, public := range h.public.PublicKeys {
					if got := publicOf(t, s, keys.Expose()[i*ScalarSize:][:ScalarSize]); !bytes.Equal(got, public) {
						t.Fatalf("the key of nodes %v is that of %x, want %x", nodes, got, public)
					}
				}
			}
		}
	})
}

// publicOf is the public key of a private one by btcec and filippo.io/edwards25519.
func publicOf(t *testing.T, s Suite, private []byte) []byte {
	t.Helper()
	if s == Secp256k1TR {
		_, public := btcec.PrivKeyFromBytes(private)
		return public.SerializeCompressed()
	}
	scalar, err := new(filippo.Scalar).SetCanonicalBytes(private)
	if err != nil {
		t.Fatal(err)
	}
	return new(filippo.Point).ScalarBaseMult(scalar).Bytes()
}

func TestReconstructionRefuses(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		h := founded(t, s, 2, 3, 2)
		later := newMove(t, h, []int{0, 1}, 2, 3).finish(t)
		keys := h.public.PublicKeys
		garbled := slices.Clone(h.shares[1].Expose())
		garbled[40] ^= 1
		zeros := secret.New(make([]byte, 64))
		opposite := secret.New(bytes.Repeat([]byte{255}, 64))
		type shares = []*secret.Bytes
		for name, c := range map[string]struct {
			suite  Suite
			n, t   int
			keys   [][]byte
			who    []int
			shares shares
		}{
			"unknown suite":           {3, 3, 2, keys, []int{0, 1}, h.of([]int{0, 1})},
			"threshold zero":          {s, 3, 0, keys, nil, nil},
			"threshold over nodes":    {s, 1, 2, keys, []int{0, 1}, h.of([]int{0, 1})},
			"more nodes than ever":    {s, 129, 2, keys, []int{0, 1}, h.of([]int{0, 1})},
			"no keys":                 {s, 3, 2, nil, []int{0, 1}, shares{secret.New(nil), secret.New(nil)}},
			"a node too few":          {s, 3, 2, keys, []int{0}, h.of([]int{0})},
			"a node too many":         {s, 3, 2, keys, []int{0, 1, 2}, h.of([]int{0, 1, 2})},
			"a share too few":         {s, 3, 2, keys, []int{0, 1}, h.of([]int{0})},
			"a node twice":            {s, 3, 2, keys, []int{1, 1}, h.of([]int{1, 1})},
			"a negative node":         {s, 3, 2, keys, []int{-1, 1}, h.of([]int{0, 1})},
			"a node out of range":     {s, 3, 2, keys, []int{0, 3}, h.of([]int{0, 1})},
			"shares in another order": {s, 3, 2, keys, []int{1, 0}, h.of([]int{0, 1})},
			"one share alone":         {s, 3, 1, keys, []int{0}, h.of([]int{0})},
			"a garbled share":         {s, 3, 2, keys, []int{0, 1}, shares{h.shares[0], secret.New(garbled)}},
			"no share":                {s, 3, 2, keys, []int{0, 1}, shares{h.shares[0], nil}},
			"shares of one key":       {s, 3, 2, keys, []int{0, 1}, shares{h.shares[0], secret.New(make([]byte, 32))}},
			"a share that is none":    {s, 3, 2, keys, []int{0, 1}, shares{h.shares[0], opposite}},
			"nothing but zeros":       {s, 3, 2, keys, []int{0, 1}, shares{zeros, zeros}},
			"shares of two generations": {s, 3, 2, keys, []int{0, 1},
				shares{h.shares[0], later.shares[1]}},
			"other keys": {s, 3, 2, [][]byte{keys[1], keys[0]}, []int{0, 1}, h.of([]int{0, 1})},
		} {
			got, err := ReconstructPrivateKeys(c.suite, c.n, c.t, c.keys, c.who, c.shares)
			if err == nil || got != nil {
				t.Errorf("%s: %v", name, err)
			}
			if strings.Contains(fmt.Sprint(err), hex.EncodeToString(h.shares[0].Expose()[:8])) {
				t.Errorf("%s: the error shows a share", name)
			}
		}
	})
}
