package main

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type signOptions struct {
	item    client.SignItem
	message hexFlag
	root    hexFlag
	public  hexFlag
	file    string
	keys    string
	timeout time.Duration
}

func newSignCommand() *cobra.Command {
	var o signOptions
	cmd := &cobra.Command{
		Use:   "sign {--key ID --message HEX | --file FILE}",
		Short: "Have messages signed",
		Long: `Sign has the fleet sign transactions and texts, which its nodes read for
themselves (sign psbt, sign transaction, sign message), or without a command
what nobody reads: hashes and bytes. Policies of nodes may forbid that.

Sign alone has the fleet sign messages with keys that this client owns. bitcoin
keys sign hashes of 32 bytes (BIP 340), under the output key of BIP 86 or, with
a script root, of BIP 341; solana keys sign messages of 1 to 4096 bytes
(Ed25519). With a path, the child of the key signs to which that leads: up to 8
steps, each 0 to 2147483647.

Every signature is verified before it is printed, as "ID<tab>SIGNATURE" or with
--json as one object a line with the key that verifies it. Name the file that
keygen wrote (--keys), or the public key: otherwise nothing shows that the right
key signed. Children follow from what the keys file proves.

A file has one JSON object a line, for example
  {"key":"ID","path":"0/17","message":"HEX","script_root":"HEX"}
and public_key beside them; all but key and message are optional. Keys of one
file are of one suite. Items that the fleet refuses are named, from 0, and all
others are signed. For a file name, "-" is standard input.`,
		Example: `  frostctl sign --keys keys.jsonl --key 6d0b…1f.0 --message 5f2a…c3
  frostctl sign --keys keys.jsonl --key 6d0b…1f.0 --path 0/17 --message 5f2a…c3
  frostctl sign --keys keys.jsonl --file items.jsonl --json > signatures.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return sign(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.item.Key, "key", "", "key id, from keygen")
	f.StringVar(&o.item.Path, "path", "", "from the key to the child that signs, such as 0/17")
	f.Var(&o.message, "message", "what to sign")
	f.Var(&o.root, "script-root", "Merkle root of the script tree (BIP 341)")
	f.Var(&o.public, "public-key", "the key's public key, from keygen")
	f.StringVarP(&o.file, "file", "f", "", "many messages, one JSON object a line")
	f.StringVar(&o.keys, "keys", "",
		"the file of frostctl keygen, which has each key's public key; - is standard input")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long (default: when the jobs expire, 30m each)")
	addConfigFlag(cmd)
	cmd.MarkFlagsRequiredTogether("key", "message")
	cmd.MarkFlagsOneRequired("key", "file")
	cmd.MarkFlagsMutuallyExclusive("key", "file")
	cmd.AddCommand(newSignPSBTCommand(), newSignTransactionCommand(), newSignMessageCommand())
	return cmd
}

func sign(cmd *cobra.Command, o signOptions) error {
	if o.file == "-" && o.keys == "-" {
		return usagef("--file - and --keys -: standard input can be only one of them")
	}
	items, err := signItems(cmd, o)
	if err != nil {
		return err
	}
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	absent, err := expectKeys(cmd, c.Manifest(), o.keys, items)
	if err != nil {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(absent)) {
		return absent[i] // all are to be verified, before anything is signed
	}
	ctx, cancel := withTimeout(cmd.Context(), o.timeout)
	defer cancel()
	bar := newProgress(cmd, "signatures", len(items))
	got, err := c.Sign(ctx, client.SignRequest{Items: items, Progress: bar.update})
	bar.finish()
	noteRefused(cmd, err)
	return errors.Join(late(err), printSignatures(cmd, got))
}

// noteRefused names the items that the fleet refused.
func noteRefused(cmd *cobra.Command, err error) {
	if refused, ok := errors.AsType[*client.ItemsError](err); ok {
		for _, it := range refused.Items {
			note(cmd, "item %d, key %s: %s: %s", it.Item, printable(it.Key), printable(string(it.Code)), printable(it.Message))
		}
	}
}

func signItems(cmd *cobra.Command, o signOptions) ([]client.SignItem, error) {
	if o.file == "" {
		it := o.item
		it.Message, it.ScriptRoot, it.PublicKey = o.message, o.root, o.public
		if _, err := wire.ParseKeyID(it.Key); err != nil {
			return nil, usagef("--key: %w", err)
		}
		if _, err := derive.ParsePath(it.Path); err != nil && cmd.Flags().Changed("path") {
			return nil, usagef("--path %.100q: %w", it.Path, err)
		}
		return []client.SignItem{it}, nil
	}
	if o.root != nil || o.public != nil || cmd.Flags().Changed("path") {
		return nil, usagef("--path, --script-root and --public-key go with --key; in a file each line has its own")
	}
	return readItems(cmd, o.file)
}

// signatureLine is one line of output with --json.
type signatureLine struct {
	Key       string        `json:"key"`
	Path      string        `json:"path,omitempty"` // to the child that signed
	Suite     string        `json:"suite"`
	PublicKey wire.HexBytes `json:"public_key"` // verifies the signature
	Signature wire.HexBytes `json:"signature"`
}

// printSignatures prints those that are there, in the order of the items.
func printSignatures(cmd *cobra.Command, r *client.SignResult) error {
	for _, s := range r.Signatures {
		if s.Signature == nil {
			continue
		}
		line := signatureLine{s.Key, s.Path, r.Suite, s.PublicKey, s.Signature}
		if err := say(cmd, line, "%s\t%x\n", s.Key, s.Signature); err != nil {
			return err
		}
	}
	return nil
}
