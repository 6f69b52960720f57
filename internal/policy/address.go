package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

type params struct {
	*chaincfg.Params
	keys descriptor.Version
}

var networks = map[string]*params{
	"mainnet": {&chaincfg.MainNetParams, descriptor.Mainnet},
	"testnet": {&chaincfg.TestNet3Params, descriptor.Testnet},
	"signet":  {&chaincfg.SigNetParams, descriptor.Testnet},
	"regtest": {&chaincfg.RegressionNetParams, descriptor.Testnet},
}

// address reads an address of the network, or a script, and returns the form that
// internal/tx gives it.
func (n *params) address(text string) (of, canonical string, err error) {
	if script, ok := strings.CutPrefix(text, toScript); ok {
		b, err := hex.DecodeString(script)
		if err != nil || len(b) == 0 || len(b) > 10_000 {
			return "", "", errors.New("is no script: write script: and its bytes in hexadecimal")
		}
		return intent.Bitcoin, toScript + hex.EncodeToString(b), nil
	}
	if isSolana(text) {
		return intent.Solana, text, nil
	}
	if canonical := n.bitcoin(text); canonical != "" {
		return intent.Bitcoin, canonical, nil
	}
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if networks[name].bitcoin(text) != "" {
			return "", "", fmt.Errorf("is of another network: it is of %s", name)
		}
	}
	return "", "", errors.New("is no address of Bitcoin or Solana, no tr(...) descriptor, no script:, no fleet: " +
		"key, and not self")
}

// bitcoin is the one form of an address of the network, or empty.
func (n *params) bitcoin(text string) string {
	address, err := btcutil.DecodeAddress(text, n.Params)
	if _, key := address.(*btcutil.AddressPubKey); err != nil || key || !address.IsForNet(n.Params) {
		return ""
	}
	return address.EncodeAddress()
}
