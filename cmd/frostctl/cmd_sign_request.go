package main

import (
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newSignPSBTCommand() *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "psbt FILE",
		Short: "Have a PSBT signed, as a watch-only wallet wrote it",
		Long: `Psbt has the fleet sign the inputs of a PSBT (BIP 174, version 0, in binary or
base64) that are of children of this client's keys. It shows first what the
transaction means, and prints the PSBT with the signatures in it, or with
--finalize the transaction in hexadecimal once all inputs are signed.

Every node reads the transaction itself. Either all inputs of these keys are
signed or none, unless --partial says otherwise; inputs of others are left as
they are. What comes back is verified with btcd's script engine.

Without --key it is the keys of the keys file that the PSBT names by their
fingerprints. For FILE, "-" is standard input.`,
		Example: `  frostctl sign psbt payment.psbt --finalize
  frostctl sign psbt payment.psbt --out signed.psbt
  frostctl sign psbt payment.psbt --job payment.job --save-only`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return signFileOf(cmd, &o, intent.PSBT, args[0]) },
	}
	o.flags(cmd, "key id under which inputs and change are looked for; several with commas, or again")
	o.outFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.partial, "partial", false, "leave inputs of these keys that can't be signed, instead of refusing all")
	f.BoolVar(&o.finalize, "finalize", false, "finalise the inputs, and print the transaction if all are final")
	f.StringVar(&o.replaces, "replaces", "", "the job whose fee this one bumps: its inputs and payments, counted once")
	return cmd
}

func newSignTransactionCommand() *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "transaction FILE",
		Short: "Have a Solana transaction signed",
		Long: `Transaction has the fleet sign a Solana transaction: legacy or version 0, whole,
in base64, with room for each signature. It shows first what the transaction
means, and prints the transaction in base64 with the signatures in it.

A key signs as itself, or with a path behind its id as its child. Without --key
it is the keys of the keys file that are in the transaction. For FILE, "-" is
standard input.`,
		Example: `  frostctl sign transaction transfer.txt --key 6d0b…1f.0/0/17
  frostctl sign transaction - --key 6d0b…1f.0 < transfer.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return signFileOf(cmd, &o, intent.SolanaTransaction, args[0])
		},
	}
	o.flags(cmd, "key id that signs, or ID/PATH for its child; several with commas, or again")
	o.outFlag(cmd)
	return cmd
}

// signFileOf has a file signed that has a PSBT or a transaction.
func signFileOf(cmd *cobra.Command, o *requestOptions, kind intent.Kind, file string) error {
	if err := o.check(cmd, file); err != nil {
		return err
	}
	ids, paths, err := o.signers(kind != intent.PSBT)
	if err != nil {
		return err
	}
	r, err := readRequest(cmd, file, kind)
	if err != nil {
		return err
	}
	return o.run(cmd, func(m *client.Manifest) (*client.SignJob, error) {
		keys, err := o.find(cmd, m, r, ids)
		if err != nil {
			return nil, err
		}
		return r.job(m, o, keys, paths)
	}, func(s *client.Signed) error { return r.showSigned(cmd, o.out, s) })
}

// find returns the keys that are named, or those that the request itself names.
func (o *requestOptions) find(cmd *cobra.Command, m *client.Manifest, r request, ids []string) ([]client.Key, error) {
	if len(ids) > 0 {
		return namedKeys(cmd, o.keys, m, ids)
	}
	return hintedKeys(cmd, o.keys, m, r)
}

func newSignMessageCommand() *cobra.Command {
	var o requestOptions
	var chain string
	cmd := &cobra.Command{
		Use:   "message TEXT",
		Short: "Have a text signed for an address",
		Long: `Message has the fleet sign a text for the address of a key, or with a path
behind its id of its child: for bitcoin the simple signature of BIP 322, for
solana an off-chain message. It prints the signature in base64, as wallets
verify it.`,
		Example: `  frostctl sign message --chain bitcoin --key 6d0b…1f.0/0/17 'this address is ours'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, ""); err != nil {
				return err
			}
			if _, known := wire.ChainSuite(chain); !known {
				return usagef("--chain %.64q: use %s", chain, wire.Or(wire.ChainNames()))
			}
			ids, paths, err := o.signers(true)
			if err != nil {
				return err
			}
			if len(ids) != 1 {
				return usagef("--key names %d keys: one address signs a message", len(ids))
			}
			return o.run(cmd, func(m *client.Manifest) (*client.SignJob, error) {
				keys, err := namedKeys(cmd, o.keys, m, ids)
				if err != nil {
					return nil, err
				}
				if keys[0].Chain != chain {
					return nil, usagef("key %s is of %s, and --chain says %s", keys[0].ID, keys[0].Chain, chain)
				}
				return client.SignMessageRequest{Signer: client.Signer{Key: keys[0], Path: paths[0]}, Text: args[0],
					Expires: o.expiry(), Wait: o.waits()}.Job(m)
			}, func(s *client.Signed) error { return request{}.showSigned(cmd, o.out, s) })
		},
	}
	o.flags(cmd, "key id that signs, or ID/PATH for its child")
	o.outFlag(cmd)
	cmd.Flags().StringVar(&chain, "chain", "", wire.AboutChains())
	completeChain(cmd)
	_ = cmd.MarkFlagRequired("chain") // fails only without such a flag
	_ = cmd.MarkFlagRequired("key")
	return cmd
}
