package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// childOptions say under which child of a key a signature is.
type childOptions struct {
	path, xpub string
	chainCode  hexFlag
}

func (o *childOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.path, "path", "", "from the root to the child that signed, such as 0/17")
	f.Var(&o.chainCode, "chain-code", "with --path: the root's chain code from keygen, 32 bytes")
	f.StringVar(&o.xpub, "xpub", "", "bitcoin, with --path: extended public key of the root, or of an account")
}

// replace puts the child in the place of its root, which is a public key of solana or an
// internal key of bitcoin.
func (o *childOptions) replace(suite string, public, internal *hexFlag) error {
	switch {
	case o.path == "" && (o.xpub != "" || o.chainCode != nil):
		return usagef("--xpub and --chain-code go with --path: without one the key itself signed")
	case o.path == "":
		return nil
	}
	path, err := derive.ParsePath(o.path)
	if err != nil {
		return usagef("--path %.100q: %w", o.path, err)
	}
	root, err := o.root(suite, *public, *internal)
	if err != nil {
		return err
	}
	child, err := root.Child(path)
	if err != nil {
		return command.Usage(fmt.Errorf("--path %.100q: %w", o.path, err))
	}
	if root.Suite == frost.Ed25519 {
		*public = child.PublicKey
	} else {
		*internal = child.PublicKey
	}
	return nil
}

func (o *childOptions) root(suite string, public, internal []byte) (derive.Key, error) {
	root, size, flag := derive.Key{Suite: frost.Secp256k1TR, PublicKey: internal}, 33, "--internal-key"
	switch {
	case o.xpub != "" && suite != client.SuiteSecp256k1TR:
		return root, usagef("--xpub is for bitcoin; use --public-key and --chain-code")
	case o.xpub != "":
		k, err := descriptor.ParseExtendedKey(o.xpub)
		if err != nil {
			return root, usagef("--xpub: %w", err)
		}
		return k.Key(), nil
	case suite != client.SuiteSecp256k1TR:
		root, size, flag = derive.Key{Suite: frost.Ed25519, PublicKey: public}, 32, "--public-key"
	}
	if len(root.PublicKey) != size {
		return root, usagef("%s of %d bytes: with --path it is the root's from keygen, %d bytes", flag, len(root.PublicKey),
			size)
	}
	if len(o.chainCode) != 32 {
		return root, usagef("--chain-code of %d bytes, want 32: with --path it is the root's from keygen", len(o.chainCode))
	}
	root.ChainCode = [32]byte(o.chainCode)
	return root, nil
}
