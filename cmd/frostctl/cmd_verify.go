package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type verifyOptions struct {
	chain, suite        string
	public, internalKey hexFlag
	root, message, sig  hexFlag
	keys, manifest      string
	descriptor          string
	child               childOptions
}

func newVerifyCommand() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify {--chain CHAIN --public-key HEX --message HEX --signature HEX | --keys FILE}",
		Short: "Verify a signature, or a saved file of keys, offline",
		Long: `Verify needs no fleet and no network.

A signature is checked with a library that shares no code with the fleet's:
btcec for bitcoin (BIP 340), crypto/ed25519 for solana. --public-key is the
output key that sign printed, 32 bytes. For bitcoin, --internal-key takes the
public key from keygen instead and derives the output key: BIP 86, or BIP 341
with --script-root. For solana the verdict is Solana's (verify_strict): keys and
nonce commitments of small order, or not in their canonical encoding, are
refused.

With --path the signature is that of a child (sign --path). The child follows
from its root, and so does the output key for bitcoin: name the root by its
public key (bitcoin: --internal-key, 33 bytes; solana: --public-key) and
--chain-code, as keygen printed both, or for bitcoin by --xpub. From an
account's xpub, the path is that from the account.

With --keys, each line that keygen wrote is checked against the manifest: all
nodes certified each key for that job, and each address, chain code and
descriptor follows from what they certified; btcd's library computes every
output key for bitcoin, too. With --descriptor too, an output
descriptor from anywhere must be that of one of these keys.

The exit code is 4 if something does not verify.`,
		Example: `  frostctl verify --chain solana --public-key 8c…1e --message 6869 --signature d4…0b
  frostctl verify --chain bitcoin --internal-key 02…9f --message 5f…c3 --signature 21…77
  frostctl verify --chain bitcoin --xpub tpub…W9 --path 0/17 --message 5f…c3 --signature 21…77
  frostctl verify --keys keys.jsonl --manifest manifest.json
  frostctl verify --keys keys.jsonl --descriptor 'tr([6d0b…9e]xpub…/<0;1>/*)#…'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.keys != "" {
				return verifyKeys(cmd, o)
			}
			return verifySignature(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.chain, "chain", "", wire.AboutChains())
	f.StringVar(&o.suite, "suite", "", "instead of a chain: secp256k1-tr or ed25519")
	f.Var(&o.public, "public-key", "the key that verifies: x-only output key, or Ed25519; 32 bytes")
	f.Var(&o.internalKey, "internal-key", "bitcoin: public key from keygen, 33 or 32 bytes")
	f.Var(&o.root, "script-root", "bitcoin, with --internal-key: Merkle root of the script tree")
	o.child.flags(f)
	f.Var(&o.message, "message", "what was signed")
	f.Var(&o.sig, "signature", "64 bytes")
	f.StringVar(&o.keys, "keys", "", "a file of frostctl keygen, - for standard input")
	f.StringVar(&o.descriptor, "descriptor", "", "with --keys: an output descriptor, tr([…]…/<0;1>/*)#…")
	addManifestFlag(cmd, &o.manifest)
	addConfigFlag(cmd)
	cmd.MarkFlagsOneRequired("keys", "signature")
	cmd.MarkFlagsMutuallyExclusive("keys", "signature")
	cmd.MarkFlagsMutuallyExclusive("chain", "suite")
	cmd.MarkFlagsMutuallyExclusive("public-key", "internal-key", "xpub")
	cmd.MarkFlagsMutuallyExclusive("xpub", "chain-code")
	cmd.MarkFlagsMutuallyExclusive("keys", "path")
	cmd.MarkFlagsRequiredTogether("message", "signature")
	completeChain(cmd)
	return cmd
}

// verdict is the output of verify with --json.
type verdict struct {
	Valid     bool          `json:"valid"`
	Suite     string        `json:"suite"`
	PublicKey wire.HexBytes `json:"public_key"` // output key
}

func verifySignature(cmd *cobra.Command, o verifyOptions) error {
	suite, err := o.suiteName()
	if err != nil {
		return err
	}
	if err := o.child.replace(suite, &o.public, &o.internalKey); err != nil {
		return err
	}
	key := []byte(o.public)
	switch {
	case o.internalKey != nil && suite != client.SuiteSecp256k1TR:
		return usagef("--internal-key is for bitcoin; use --public-key")
	case o.root != nil && o.internalKey == nil:
		return usagef("--script-root goes with --internal-key: an output key has it inside")
	case o.internalKey != nil:
		if key, err = client.TaprootOutputKey(o.internalKey, o.root); err != nil {
			return command.Usage(err)
		}
	case len(key) != 32:
		return usagef("--public-key of %d bytes, want 32 (a bitcoin key of 33 bytes from keygen goes to --internal-key)",
			len(key))
	}
	if len(o.sig) != 64 {
		return usagef("--signature of %d bytes, want 64", len(o.sig))
	}
	err = client.VerifySignature(suite, key, o.message, o.sig)
	if err != nil && !errors.Is(err, client.ErrSignature) {
		return command.Usage(err)
	}
	text := "" // the error says the rest
	if err == nil {
		text = fmt.Sprintf("valid %s signature under %x\n", suite, key)
	}
	return errors.Join(err, say(cmd, verdict{err == nil, suite, key}, "%s", text))
}

func (o verifyOptions) suiteName() (string, error) {
	suite, ok := wire.ChainSuite(o.chain)
	switch {
	case ok:
		return suite.String(), nil
	case o.suite == "":
		return "", usagef("--chain %q: use %s", o.chain, wire.Or(wire.ChainNames()))
	case o.suite != client.SuiteSecp256k1TR && o.suite != client.SuiteEd25519:
		return "", usagef("--suite %q: use %s or %s", o.suite, client.SuiteSecp256k1TR, client.SuiteEd25519)
	}
	return o.suite, nil
}

// keysVerdict is the output of verify --keys with --json.
type keysVerdict struct {
	Keys     int           `json:"keys"`
	Jobs     int           `json:"jobs"`
	Fleet    string        `json:"fleet"`
	Network  string        `json:"network"`
	Manifest wire.HexBytes `json:"manifest"`
	Owners   []string      `json:"owners"` // clients who may have messages signed

	Descriptor *descriptorOwner `json:"descriptor,omitempty"` // with --descriptor
}

// descriptorOwner is whose a descriptor is.
type descriptorOwner struct {
	Key  string `json:"key"`
	Path string `json:"path,omitempty"` // to the account
}

func verifyKeys(cmd *cobra.Command, o verifyOptions) error {
	m, err := statedManifest(cmd, o.manifest)
	if err != nil {
		return err
	}
	search, err := newDescriptorSearch(m, o.descriptor)
	if err != nil {
		return err
	}
	hash := m.Hash()
	v := keysVerdict{Fleet: m.Fleet, Network: m.Network, Manifest: hash[:]}
	if err := readProofs(cmd, o.keys, m, func(p client.Proof, keys []client.Key) error {
		v.Jobs++
		v.Keys += len(keys)
		if !slices.Contains(v.Owners, p.Client) {
			v.Owners = append(v.Owners, p.Client)
		}
		return search.among(keys)
	}); err != nil {
		return err
	}
	if v.Keys == 0 {
		return fmt.Errorf("--keys %s: %w: there are no keys in it", o.keys, errUnproven)
	}
	if v.Descriptor, err = search.owner(o.keys); err != nil {
		return err
	}
	return say(cmd, v, "%d keys of %d jobs: certified by all %d nodes of fleet %s, manifest %x; addresses on %s\n%s",
		v.Keys, v.Jobs, m.N, m.Fleet, hash, m.Network, search)
}
