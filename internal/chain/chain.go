// Package chain turns public keys into addresses. A chain is a suite and an
// encoding; to add one, add a file beside bitcoin.go and solana.go and a line
// to the table.
package chain

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Chain makes addresses.
type Chain interface {
	// Name as it stands in jobs.
	Name() string
	// Suite of the chain's keys.
	Suite() frost.Suite
	// Address of a public key as results carry it (33 bytes compressed, or 32)
	// on a network: mainnet, testnet, signet, regtest.
	Address(network string, publicKey []byte) (string, error)
}

var chains = map[string]Chain{"bitcoin": bitcoin{}, "solana": solana{}}

// Parse finds a chain by its name.
func Parse(name string) (Chain, error) {
	c, ok := chains[name]
	if !ok {
		return nil, fmt.Errorf("chain %.64q: use bitcoin or solana", name)
	}
	return c, nil
}
