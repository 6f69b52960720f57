package policy

import (
	"errors"
	"regexp"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// origin is where a key of a descriptor comes from: others may have hardened steps.
var origin = regexp.MustCompile(`^\[[0-9a-fA-F]{8}(/[0-9]{1,10}['hH]?){0,10}\]`)

var errDescriptor = errors.New("is no descriptor of taproot addresses without scripts: want " +
	"tr([origin]xpub/<0;1>/*)#checksum, or /0/* or /1/* for one chain")

// descriptor adds the addresses of a descriptor (BIPs 380, 386, 389), of this fleet's or
// another wallet's key.
func (d *destinations) descriptor(n *params, text string) error {
	script, sum, ok := strings.Cut(text, "#")
	if !ok {
		return errors.New("has no checksum: copy the descriptor with what follows its #")
	}
	if want, err := descriptor.Checksum(script); err != nil || want != sum {
		return errors.New("has a wrong checksum: it was not copied whole, or was changed")
	}
	inner, ok := strings.CutSuffix(strings.TrimPrefix(script, "tr("), "/*)")
	if !ok {
		return errDescriptor
	}
	inner = inner[len(origin.FindString(inner)):]
	key, path, _ := strings.Cut(inner, "/")
	chains, ok := map[string][]uint32{"<0;1>": {0, 1}, "0": {0}, "1": {1}}[path]
	if !ok {
		return errDescriptor
	}
	x, err := descriptor.ParseExtendedKey(key)
	if err != nil {
		return err
	}
	if x.Version != n.keys {
		return errors.New("is of another network: xpub is of mainnet, tpub of the test networks")
	}
	for _, chain := range chains {
		if err := d.children(n, x.Key(), chain); err != nil {
			return err
		}
	}
	return nil
}

// children adds the addresses of one chain of a key.
func (d *destinations) children(n *params, root derive.Key, chain uint32) error {
	b, err := derive.NewBranch(root, derive.Path{chain})
	if err != nil {
		return err
	}
	if root.Suite == frost.Ed25519 {
		keys, err := b.PublicKeys(0, d.each)
		for _, key := range keys {
			if err := d.add(intent.Solana, base58.Encode(key)); err != nil {
				return err
			}
		}
		return err
	}
	keys, err := b.OutputKeys(0, d.each)
	for _, key := range keys {
		address, err := taproot(n, key)
		if err != nil {
			return err
		}
		d.addresses[address] = true
	}
	return err
}

func taproot(n *params, key [32]byte) (string, error) {
	address, err := btcutil.NewAddressTaproot(key[:], n.Params)
	if err != nil {
		return "", err
	}
	return address.EncodeAddress(), nil
}
