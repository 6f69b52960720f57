package chain

import (
	"fmt"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// solanaAddress is the Base58 of the key, on every network.
func solanaAddress(_ string, publicKey []byte) (string, error) {
	if len(publicKey) != frost.Ed25519.PublicKeySize() {
		return "", fmt.Errorf("solana address of a public key of %d bytes, want %d", len(publicKey), frost.Ed25519.PublicKeySize())
	}
	return base58.Encode(publicKey), nil
}

func solanaChildren(_ string, b *derive.Branch, first uint32, count int) ([]string, error) {
	if b.Suite() != frost.Ed25519 {
		return nil, fmt.Errorf("solana addresses of children of a key of suite %s", b.Suite())
	}
	keys, err := b.PublicKeys(first, count)
	if err != nil {
		return nil, err
	}
	out := make([]string, count)
	for i := range out {
		out[i] = base58.Encode(keys[i])
	}
	return out, nil
}
