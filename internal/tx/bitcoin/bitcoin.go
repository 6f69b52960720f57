// Package bitcoin reads what a client wants signed on Bitcoin, PSBTs (BIP 174, BIP 371) and
// messages (BIP 322), and puts signatures into it.
//
// Every node reads the bytes that the client signed, and believes nothing that they say of
// keys: whether an input or a change output is the client's is found by deriving the child
// and comparing whole keys and scripts. What a PSBT says of amounts and scripts needs no
// proof: BIP 341 has every signature commit to those of all inputs, so that one over false
// amounts is worth nothing. SIGHASH_ANYONECANPAY gives that up, and is accounted for.
//
// PSBTs are split by this package and not by btcd's psbt package, which is what its tests
// compare with: version 1.1.10 of that panics on an empty derivation, allocates by counts
// that a sender chose, and does not write back what it read. Transactions are decoded by
// btcd's wire package, after a scan that every count and length in them is true, as it
// allocates by counts as well; digests are computed by its txscript package.
//
// The package is pure: no I/O, no clock, no state.
package bitcoin

import (
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
)

var networks = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams,
	"testnet": &chaincfg.TestNet3Params,
	"signet":  &chaincfg.SigNetParams,
	"regtest": &chaincfg.RegressionNetParams,
}

func paramsOf(network string) (*chaincfg.Params, error) {
	if p := networks[network]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("bitcoin has no network %.64q", network)
}

// destination is the address of a script on a network, or "script:" and the script in
// hexadecimal. A script that pays to a bare key has no address, though some programs show
// that of the key's hash for it, which is another script.
func destination(script []byte, params *chaincfg.Params) string {
	switch class, addresses, _, _ := txscript.ExtractPkScriptAddrs(script, params); class {
	case txscript.PubKeyHashTy, txscript.ScriptHashTy, txscript.WitnessV0PubKeyHashTy,
		txscript.WitnessV0ScriptHashTy, txscript.WitnessV1TaprootTy:
		if len(addresses) == 1 {
			return addresses[0].EncodeAddress()
		}
	}
	return "script:" + hex.EncodeToString(script)
}

// total adds up amounts, none of which nor their sum may be more than there ever will be.
type total struct{ satoshi uint64 }

func (t *total) add(value int64) bool {
	if value < 0 || t.satoshi+uint64(value) > btcutil.MaxSatoshi {
		return false
	}
	t.satoshi += uint64(value)
	return true
}
