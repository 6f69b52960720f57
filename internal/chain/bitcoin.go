package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
)

var bitcoinNetworks = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams,
	"testnet": &chaincfg.TestNet3Params,
	"signet":  &chaincfg.SigNetParams,
	"regtest": &chaincfg.RegressionNetParams,
}

// bitcoinAddress is the P2TR address of the key tweaked as BIP 86 says: no script
// path, so nobody can have hidden one in the key.
func bitcoinAddress(network string, publicKey []byte) (string, error) {
	output, err := frost.OutputKey(frost.Secp256k1TR, publicKey, frost.Tweak{Mode: frost.TweakBIP86})
	if err != nil {
		return "", err
	}
	return P2TR(network, [32]byte(output))
}

// bitcoinAddresses is bitcoinAddress for many keys.
func bitcoinAddresses(network string, publicKeys [][]byte) ([]string, []error) {
	out := make([]string, len(publicKeys))
	outputs, errs := derive.PlainOutputKeys(publicKeys)
	params, err := bitcoinParams(network)
	for i := range out {
		if errs[i] == nil {
			errs[i] = err
		}
		if errs[i] == nil {
			out[i], errs[i] = encodeP2TR(params, outputs[i][:])
		}
	}
	return out, errs
}

// P2TR encodes the address of a taproot output (BIP 341, version 1, Bech32m as
// in BIP 350) from its x-only output key, which is tweaked already. A key that
// is not on the curve is refused: nobody could spend from it.
func P2TR(network string, outputKey [32]byte) (string, error) {
	params, err := bitcoinParams(network)
	if err != nil {
		return "", err
	}
	if _, err := schnorr.ParsePubKey(outputKey[:]); err != nil {
		return "", errors.New("output key is not the x coordinate of a point on secp256k1")
	}
	return encodeP2TR(params, outputKey[:])
}

func bitcoinParams(network string) (*chaincfg.Params, error) {
	params, ok := bitcoinNetworks[network]
	if !ok {
		return nil, fmt.Errorf("bitcoin has no network %.64q: use mainnet, testnet, signet or regtest", network)
	}
	return params, nil
}

// encodeP2TR is for an output key that is known to be on the curve.
func encodeP2TR(params *chaincfg.Params, outputKey []byte) (string, error) {
	address, err := btcutil.NewAddressTaproot(outputKey, params)
	if err != nil {
		return "", fmt.Errorf("encode a P2TR address: %w", err)
	}
	return address.EncodeAddress(), nil
}

// bitcoinChildren are the addresses of consecutive children, as bitcoinAddress has them.
func bitcoinChildren(network string, b *derive.Branch, first uint32, count int) ([]string, error) {
	params, err := bitcoinParams(network)
	if err != nil {
		return nil, err
	}
	outputs, err := b.OutputKeys(first, count)
	if err != nil {
		return nil, err
	}
	out := make([]string, count)
	for i := range out {
		if out[i], err = encodeP2TR(params, outputs[i][:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ExtendedKeyVersion is the version of extended public keys on a network of Bitcoin:
// one for mainnet, one for all others.
func ExtendedKeyVersion(network string) (descriptor.Version, error) {
	params, err := bitcoinParams(network)
	if err != nil {
		return descriptor.Version{}, err
	}
	return params.HDPublicKeyID, nil
}

// bitcoinDescriptor is that of a key which is certified: descriptor.New would decode
// it once more, and that costs more than all the rest.
func bitcoinDescriptor(network string, publicKey []byte, chainCode [32]byte) (string, error) {
	version, err := ExtendedKeyVersion(network)
	if err != nil {
		return "", err
	}
	if len(publicKey) != frost.Secp256k1TR.PublicKeySize() {
		return "", fmt.Errorf("descriptor of a public key of %d bytes", len(publicKey))
	}
	return descriptor.Descriptor{
		Root: descriptor.FingerprintOf(publicKey),
		Key:  descriptor.ExtendedKey{Version: version, ChainCode: chainCode, PublicKey: [33]byte(publicKey)},
	}.String(), nil
}
