package exit

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// The versions of BIP 32 for private keys.
var (
	xprv = descriptor.Version{0x04, 0x88, 0xad, 0xe4}
	tprv = descriptor.Version{0x04, 0x35, 0x83, 0x94} // of all test networks
)

// Descriptors are what a Bitcoin wallet that spends imports. They are secret, and strings:
// nothing wipes them.
type Descriptors struct {
	Both    string // tr(xprv/<0;1>/*), or below an account
	Receive string // Both in two, for wallets that don't read <0;1>, or not with private keys
	Change  string
	Own     string // tr(xprv): the address of the key itself; "" below an account
}

// Descriptors returns those of a key of secp256k1, or of the account below it that path leads
// to. An x-only key has two secrets, and BIP 340 has its signer take the one that fits: so the
// secret stands there as it is, and children follow from it as from the public key.
func (r *Root) Descriptors(account derive.Path) (d Descriptors, err error) {
	if r.Suite != frost.Secp256k1TR {
		return d, fmt.Errorf("key %s is of suite %s: descriptors have keys of secp256k1", r.ID, r.Suite)
	}
	version := xprv
	if r.Network != "mainnet" {
		version = tprv
	}
	// ser256(k) after a zero byte stands where a public key would: BIP 32, "Serialization format".
	k := descriptor.ExtendedKey{Version: version, ChainCode: r.ChainCode}
	copy(k.PublicKey[1:], r.Secret.Expose())
	defer clear(k.PublicKey[:])
	text, own := k.String(), ""
	if len(account) == 0 {
		own = text
	} else {
		text += "/" + account.String()
	}
	for script, of := range map[string]*string{
		text + "/<0;1>/*": &d.Both, text + "/0/*": &d.Receive, text + "/1/*": &d.Change, own: &d.Own,
	} {
		if script == "" {
			continue
		}
		if *of, err = withChecksum("tr(" + script + ")"); err != nil {
			return Descriptors{}, err
		}
	}
	return d, nil
}

func withChecksum(script string) (string, error) {
	sum, err := descriptor.Checksum(script)
	return script + "#" + sum, err
}
