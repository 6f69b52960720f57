package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
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
	cmd.Flags().StringVar(&fleet, "fleet", "", "name of the fleet that the node will belong to")
	cmd.Flags().IntVar(&epoch, "epoch", 1, "epoch of the manifest")
	_ = cmd.MarkFlagRequired("fleet")
	return onNode(cmd, func(ctx context.Context, n *config.Node) error {
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
		return command.PrintDocument(cmd.OutOrStdout(), wire.Card{
			Version: wire.CardVersion, Fleet: fleet, Network: n.Network.Type,
			N: n.Node.MaxSigners, T: n.Node.MinSigners, Epoch: epoch, NodeCard: card,
		})
	})
}
