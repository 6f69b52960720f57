package client

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// KnownKey is a key of the fleet for a caller that needs no Proof, as it checked the entry
// of the register itself: a gateway. publicKey is as in Key, chainCode has 32 bytes.
func KnownKey(m *Manifest, chainName, id string, publicKey, chainCode []byte) (Key, error) {
	_, ok := wire.ChainSuite(chainName)
	switch {
	case m == nil || m.core == nil:
		return Key{}, errors.New("client: there is no manifest: make one with ParseManifest")
	case !ok:
		return Key{}, fmt.Errorf("client: key %.80s is of chain %.64q: use %s", id, chainName, wire.Or(wire.ChainNames()))
	case len(chainCode) != 32:
		return Key{}, fmt.Errorf("client: key %.80s: chain code of %d bytes, want 32", id, len(chainCode))
	}
	address, err := chain.Address(chainName, m.Network, publicKey)
	if err != nil {
		return Key{}, fmt.Errorf("client: key %.80s: %w", id, err)
	}
	return Key{ID: id, Chain: chainName, PublicKey: bytes.Clone(publicKey), Address: address,
		ChainCode: bytes.Clone(chainCode), network: m.Network}, nil
}
