// Package chain turns public keys into addresses. A chain is a row of wire.Chains
// and an encoding; to add one, add a file beside bitcoin.go and solana.go and a line
// to the tables.
package chain

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// addresses encode a public key as results carry it (33 bytes compressed, or 32)
// on a network: mainnet, testnet, signet, regtest.
var addresses = map[string]func(network string, publicKey []byte) (string, error){
	wire.Bitcoin: bitcoinAddress,
	wire.Solana:  solanaAddress,
}

// Address encodes the address of a public key, which is 33 bytes compressed for a
// secp256k1 chain and 32 for an Ed25519 one. The network is a manifest's.
func Address(chain, network string, publicKey []byte) (string, error) {
	encode, ok := addresses[chain]
	if !ok {
		return "", fmt.Errorf("chain %.64q: use %s", chain, wire.Or(wire.ChainNames()))
	}
	return encode(network, publicKey)
}

// Addresses is [Address] for many keys, which together cost less, each with an error if
// there is no address.
func Addresses(chain, network string, publicKeys [][]byte) ([]string, []error) {
	if chain == wire.Bitcoin {
		return bitcoinAddresses(network, publicKeys)
	}
	out, errs := make([]string, len(publicKeys)), make([]error, len(publicKeys))
	for i, key := range publicKeys {
		out[i], errs[i] = Address(chain, network, key)
	}
	return out, errs
}

// children encode the addresses of consecutive children.
var children = map[string]func(network string, b *derive.Branch, first uint32, count int) ([]string, error){
	wire.Bitcoin: bitcoinChildren,
	wire.Solana:  solanaChildren,
}

// Children encodes the addresses of count consecutive children of a key, from index
// first on: what [Address] does with their public keys, at a fraction of the cost. A
// caller with many children to derive asks for a thousand at a time.
func Children(chain, network string, b *derive.Branch, first uint32, count int) ([]string, error) {
	encode, ok := children[chain]
	if !ok {
		return nil, fmt.Errorf("chain %.64q: use %s", chain, wire.Or(wire.ChainNames()))
	}
	return encode(network, b, first, count)
}

// Descriptor is the output descriptor of a key whose children are wanted, with the
// checksum: what a watch-only wallet imports. It is empty for a chain that has none.
// The key is one whose [Address] is known: it is not looked at again.
func Descriptor(chain, network string, publicKey []byte, chainCode [32]byte) (string, error) {
	if chain != wire.Bitcoin {
		return "", nil
	}
	return bitcoinDescriptor(network, publicKey, chainCode)
}
