package sim

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
)

// TestWatchlist finds a secret at every offset of a message, and lets it
// stand where it belongs.
func TestWatchlist(t *testing.T) {
	var l watchlist
	secret := sha256.Sum256([]byte("secret"))
	l.forbid(RuleSecret, secret[:], "it", "home")
	for offset := range 70 {
		message := append(bytes.Repeat([]byte{7}, offset), secret[:]...)
		if m, found := l.find("elsewhere", message); !found || m.rule != RuleSecret {
			t.Errorf("not found at offset %d", offset)
		}
		if _, found := l.find("home", message); found {
			t.Errorf("found at home at offset %d", offset)
		}
		if _, found := l.find("elsewhere", message[:offset+7]); found {
			t.Errorf("found in seven bytes at offset %d", offset)
		}
	}
}

// TestInterpolate takes shares of known lines through 1·G: f(x) = 1 + 5x.
func TestInterpolate(t *testing.T) {
	value := func(node, at int) []byte {
		b := make([]byte, 32)
		b[at] = byte(1 + 5*(node+1))
		return b
	}
	for _, nodes := range [][]int{{0, 1}, {2, 0}, {3, 1}} {
		big, little := map[int][]byte{}, map[int][]byte{}
		for _, i := range nodes {
			big[i], little[i] = value(i, 31), value(i, 0)
		}
		var one btcec.ModNScalar
		one.SetInt(1)
		if got := interpolateSecp(
			nodes,
			big,
		); !bytes.Equal(
			got,
			btcec.PrivKeyFromScalar(&one).PubKey().SerializeCompressed(),
		) {
			t.Errorf("secp256k1, nodes %v: %x is not G", nodes, got)
		}
		if got := interpolateEdwards(nodes, little); !bytes.Equal(got, edwards25519.NewGeneratorPoint().Bytes()) {
			t.Errorf("edwards25519, nodes %v: %x is not B", nodes, got)
		}
		big[nodes[0]][31]++
		if got := interpolateSecp(
			nodes,
			big,
		); bytes.Equal(
			got,
			btcec.PrivKeyFromScalar(&one).PubKey().SerializeCompressed(),
		) {
			t.Errorf("secp256k1, nodes %v: a wrong share goes unseen", nodes)
		}
	}
}
