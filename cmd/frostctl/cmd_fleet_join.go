package main

import (
	"crypto/ed25519"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newFleetManifestCommand() *cobra.Command {
	m := wire.Manifest{Version: 1}
	var path string
	cmd := &cobra.Command{
		Use:   "manifest --name NAME --network NET --threshold T CARD.json...",
		Short: "Join the cards of enrolled nodes into the fleet's manifest",
		Long: `Manifest joins the cards that frost-worker enroll printed, one of each node, in
any order, into the fleet's manifest. The nodes must have enrolled with the
same name, network, n, t and epoch, and none may be missing. The manifest holds
nothing secret, is the same on every machine, and never changes: keys belong to
the manifest that they were made under.`,
		Example: "  frostctl fleet manifest --name main --network mainnet --threshold 2 card0.json card1.json card2.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cards := make([]fleet.Card, len(args))
			for i, file := range args {
				card, err := fleet.ReadCard(file)
				if err != nil {
					return err
				}
				cards[i] = card
			}
			if err := fleet.Join(&m, cards); err != nil {
				return err
			}
			if err := fleet.WriteManifest(path, &m); err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), describe(path, &m))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "fleet %s: %d of %d on %s, manifest %x in %s\n",
				m.Fleet, m.T, m.N, m.Network, m.Hash(), path)
			note(cmd, "then: frostctl fleet init DIR --manifest %s", path)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Fleet, "name", "",
		"name of the fleet, as the nodes enrolled with: lower-case letters, digits, _ and -")
	f.StringVar(&m.Network, "network", "", "mainnet, testnet, signet or regtest")
	f.IntVar(&m.T, "threshold", 0, "workers that it takes to sign")
	f.IntVar(&m.Epoch, "epoch", 1, "epoch, as the nodes enrolled with")
	f.BoolVar(&m.AttestSigning, "attest-signing", true,
		"every signing commitment is authorised by the node's key provider")
	f.StringVarP(&path, "out", "o", fleet.ManifestFile, "file to write; one that exists is not replaced")
	for _, flag := range []string{"name", "network", "threshold"} {
		_ = cmd.MarkFlagRequired(flag)
	}
	return cmd
}

func newFleetKeyCommand() *cobra.Command {
	var gateway, client, administrator, approver string
	var kinds []string
	cmd := &cobra.Command{
		Use:   "key FILE (--gateway NAME | --client NAME | --administrator NAME | --approver NAME)",
		Short: "Make the key of one more gateway, client, administrator or approver",
		Long: `Key makes an Ed25519 key where it is used, and prints the entry with its public
half for access.toml, or an approver's for policy.toml, which goes to the
operators of the fleet.`,
		Example: "  frostctl fleet key gateway1.key --gateway gateway1\n  frostctl fleet key client.key --client deposits --kinds keygen",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			party := fleet.Party{Name: gateway}
			if client != "" {
				if len(kinds) == 0 {
					return usagef("--kinds is empty: name what the client may ask for: %s", wire.Or(wire.KindNames()))
				}
				party = fleet.Party{Name: client, Kinds: kinds}
			}
			newKey := party.NewKey
			switch {
			case administrator != "":
				party.Name = administrator
				newKey = func(path string) (ed25519.PublicKey, string, error) {
					return fleet.NewAdministrator(administrator, path)
				}
			case approver != "":
				party.Name = approver
				newKey = func(path string) (ed25519.PublicKey, string, error) { return fleet.NewApproverKey(approver, path) }
			}
			public, entry, err := newKey(args[0])
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), map[string]any{
					"name": party.Name, "key_file": args[0], "public_key": fmt.Sprintf("%x", []byte(public)), "entry": entry,
				})
			}
			fmt.Fprint(cmd.OutOrStdout(), entry)
			return nil
		},
	}
	cmd.Flags().StringVar(&gateway, "gateway", "", "name of the gateway")
	cmd.Flags().StringVar(&client, "client", "", "name of the client")
	cmd.Flags().StringVar(&administrator, "administrator", "", "name of the administrator, who may freeze")
	cmd.Flags().StringSliceVar(&kinds, "kinds", wire.KindNames(), "what the client may ask for")
	cmd.Flags().StringVar(&approver, "approver", "", "name of somebody who approves jobs")
	cmd.MarkFlagsMutuallyExclusive("gateway", "client", "administrator", "approver")
	cmd.MarkFlagsOneRequired("gateway", "client", "administrator", "approver")
	for _, other := range []string{"gateway", "administrator", "approver"} {
		cmd.MarkFlagsMutuallyExclusive(other, "kinds")
	}
	return cmd
}

func newFleetHashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash MANIFEST",
		Short: "Print the hash of a manifest, which jobs and results name",
		Long: `Hash prints what identifies a manifest. Every job and every result names it in
what is signed, so that one for this fleet counts for no other.`,
		Example: `  MANIFEST=$(frostctl fleet hash manifest.json)`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := config.LoadManifest(args[0])
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), describe(args[0], m))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%x\n", m.Hash())
			return nil
		},
	}
}
