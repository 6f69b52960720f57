package chain

import (
	"fmt"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// solanaAddress is the Base58 of the key, on every network.
func solanaAddress(_ string, publicKey []byte) (string, error) {
	if len(publicKey) != frost.Ed25519.PublicKeySize() {
		return "", fmt.Errorf("solana address of a public key of %d bytes, want %d", len(publicKey), frost.Ed25519.PublicKeySize())
	}
	return base58.Encode(publicKey), nil
}
