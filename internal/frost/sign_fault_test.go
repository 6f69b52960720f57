package frost

import (
	"errors"
	"testing"
)

// A memory fault between commitment and share: the nonces of two items are exchanged.
// The shares would be of no use, and with others' help might tell something: they stay
// in the node.
func TestSelfCheckOfExchangedNonces(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := commitAll(t, s, newItems(t, s, 3, 2, 2), upTo(2))
		switch held := g.nonces[0].held.Load().batch.(type) {
		case secpBatch:
			held[0].nonce, held[1].nonce = held[1].nonce, held[0].nonce
		case edwardsBatch:
			held[0].nonce, held[1].nonce = held[1].nonce, held[0].nonce
		}
		shares, err := g.nonces[0].Sign(g.set)
		if err == nil || shares != nil {
			t.Fatalf("got %x, %v", shares, err)
		}
		if s == Secp256k1TR && !errors.Is(err, ErrSelfCheck) { // with Ed25519 a comparison comes before
			t.Fatalf("got %v, want the self-check to fail", err)
		}
		mustBeUsed(t, g.nonces[0], g.set)
	})
}
