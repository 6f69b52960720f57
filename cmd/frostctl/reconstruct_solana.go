package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
)

func newSignSolanaCommand() *cobra.Command {
	var c ceremony
	var named []string
	var transaction string
	cmd := &cobra.Command{
		Use:   "sign-solana --key FILE --root ID[/PATH] -t FILE SHARES...",
		Short: "Sign a Solana transaction with keys made whole, which stay in memory",
		Long: `Sign-solana makes whole keys of the files as reconstruct does, shows what the
transaction pays, signs it (RFC 8032, with the scalar itself), verifies the
signature, and prints the transaction in base64, to be sent from elsewhere.
Nothing is written. --root names the keys that sign, with the path of a child.

A transaction is valid for about a minute after its blockhash: bring one with a
durable nonce, or be quick.`,
		Example: "  frostctl reconstruct sign-solana --key ceremony.key --root 6d0b…1f.0/0/17 -t transfer.txt share-*.exit",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			r, err := readRequest(cmd, transaction, intent.SolanaTransaction)
			if err != nil {
				return err
			}
			roots, err := c.reconstruct(files)
			if err != nil {
				return err
			}
			defer wipeRoots(roots)
			return signSolana(cmd, r.content, roots, named)
		},
	}
	c.flags(cmd)
	cmd.Flags().StringSliceVar(&named, "root", nil,
		"key that signs, or ID/PATH for its child; several with commas, or again")
	cmd.Flags().StringVarP(&transaction, "transaction", "t", "",
		"file with the transaction in base64; - is standard input")
	for _, flag := range []string{"root", "transaction"} {
		_ = cmd.MarkFlagRequired(flag) // fails only without such a flag
	}
	return cmd
}

// signSolana signs a transaction with those of the roots that are named.
func signSolana(cmd *cobra.Command, raw []byte, roots []exit.Root, named []string) error {
	var signers []*exit.Root
	var asked []intent.Root
	for _, name := range named {
		id, steps, child := strings.Cut(name, "/")
		at := slices.IndexFunc(roots, func(r exit.Root) bool { return r.ID == id })
		if at < 0 {
			return fmt.Errorf("--root %.80q: the files have no key of that id", name)
		}
		var path derive.Path
		if child {
			var err error
			if path, err = derive.ParsePath(steps); err != nil {
				return usagef("--root %.80q: %w", name, err)
			}
		}
		signers = append(signers, &roots[at])
		asked = append(asked, intent.Root{ID: id, Key: roots[at].Tree(), Path: path})
	}
	t, refusal := solana.ReadTransaction(raw, asked, derive.NewCache(len(asked)))
	if refusal != nil {
		return refusal
	}
	shown := reading.Request{Intent: t.Intent(), Network: roots[0].Network, Roots: asked}
	if err := shown.WriteText(cmd.ErrOrStderr()); err != nil {
		return err
	}
	signatures := make([][]byte, len(shown.Signatures))
	for i, s := range shown.Signatures {
		var err error
		if signatures[i], err = signers[s.Root].SignEd25519(rand.Reader, s.Path, s.Message); err != nil {
			return fmt.Errorf("key %s: %w", asked[s.Root].ID, err)
		}
	}
	done, err := t.Finish(signatures, false)
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(done.Transaction)
	return say(cmd, map[string]string{"transaction": text}, "%s\n", text)
}
