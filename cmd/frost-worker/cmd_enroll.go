package main

import (
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// newEnrollCommand prints what the manifest needs to know of this node.
func newEnrollCommand() *cobra.Command {
	var fleet string
	var epoch int
	cmd := &cobra.Command{
		Use: "enroll --config FILE --fleet NAME", Short: "Print this node's card for the manifest", Args: cobra.NoArgs,
		Long: `Enroll checks the key provider, asks it for the public keys by which the fleet
will know this node, and prints them as this node's card: a JSON object that
also says for which fleet, network, n and t it was made. Nothing secret leaves
the provider.

frostctl fleet manifest joins the cards of all nodes.`,
		Example: "  frost-worker enroll --config node.toml --fleet main > card0.json",
	}
	path := addConfigFlag(cmd)
	cmd.Flags().StringVar(&fleet, "fleet", "", "name of the fleet that the node will belong to")
	cmd.Flags().IntVar(&epoch, "epoch", 1, "epoch of the manifest")
	_ = cmd.MarkFlagRequired("fleet")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := interruptible(cmd)
		defer stop()
		n, err := launch.ParseNode(*path)
		if err != nil {
			return err
		}
		back, err := launch.OpenProvider(ctx, n, launch.ProviderOptions{Options: keyprovider.Options{
			Pinned: launch.PinnedIdentity(n), Enrolling: true, AskPIN: person(cmd.InOrStdin()),
		}})
		if err != nil {
			return err
		}
		provider := keyprovider.Supervise(back, launch.Policy(n), nil)
		defer provider.Close()
		if err := keyprovider.Check(ctx, provider); err != nil {
			return err
		}
		card, err := worker.Card(ctx, provider, fleet, epoch, n.Node.Index)
		if err != nil {
			return err
		}
		return printJSON(cmd, wire.Card{
			Version: wire.CardVersion, Fleet: fleet, Network: n.Network.Type,
			N: n.Node.MaxSigners, T: n.Node.MinSigners, Epoch: epoch, NodeCard: card,
		})
	}
	return cmd
}
