package chain

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/frost"
)

type bitcoin struct{}

var bitcoinNetworks = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams,
	"testnet": &chaincfg.TestNet3Params,
	"signet":  &chaincfg.SigNetParams,
	"regtest": &chaincfg.RegressionNetParams,
}

func (bitcoin) Name() string       { return "bitcoin" }
func (bitcoin) Suite() frost.Suite { return frost.Secp256k1TR }

// Address is the P2TR address (BIP 350) of the key tweaked as BIP 86 says: no
// script path, so nobody can have hidden one in the key.
func (bitcoin) Address(network string, publicKey []byte) (string, error) {
	params, ok := bitcoinNetworks[network]
	if !ok {
		return "", fmt.Errorf("bitcoin has no network %.64q: use mainnet, testnet, signet or regtest", network)
	}
	output, err := frost.OutputKey(frost.Secp256k1TR, publicKey, frost.Tweak{Mode: frost.TweakBIP86})
	if err != nil {
		return "", err
	}
	address, err := btcutil.NewAddressTaproot(output, params)
	if err != nil {
		return "", err
	}
	return address.EncodeAddress(), nil
}
