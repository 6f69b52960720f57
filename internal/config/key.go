package config

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// LoadKey reads the Ed25519 key of a gateway or a client: a seed of 64
// hexadecimal digits, in a file to which nobody else has access.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	text, err := secret.File{What: "key file", Path: path, Max: 2 * ed25519.SeedSize}.Line()
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	var seed [ed25519.SeedSize]byte
	defer clear(seed[:])
	n, err := hex.Decode(seed[:], text.Expose())
	if err != nil || n != len(seed) { // not err: it would quote the digit
		return nil, fmt.Errorf("key file %s does not hold an Ed25519 seed of 64 hexadecimal digits", path)
	}
	return ed25519.NewKeyFromSeed(seed[:]), nil
}
