package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// enrollment is what a card says beside the keys.
type enrollment struct {
	fleet                          string
	epoch, index, nodes, threshold int
	next                           bool
	follows                        *wire.Manifest // with next: the one before
}

// newEnrollCommand prints what the manifest needs to know of this node.
func newEnrollCommand() *cobra.Command {
	var e enrollment
	cmd := &cobra.Command{
		Use: "enroll --config FILE (--fleet NAME | --next)", Short: "Print this node's card for the manifest", Args: cobra.NoArgs,
		Long: `Enroll checks the key provider, asks it for the public keys by which the fleet
will know this node, and prints them as this node's card: a JSON object that
also says for which fleet, network, n and t it was made. Nothing secret leaves
the provider.

frostctl fleet manifest joins the cards of all nodes.

With --next the card is for the manifest that follows this node's: the fleet is
the same, the epoch the next one, and the encryption key another one, which the
device derives for that epoch. --nodes, --threshold and --index say what
changes. The node's configuration stays as it is. frostctl fleet next joins such
cards.`,
		Example: `  frost-worker enroll --config node.toml --fleet main > card0.json
  frost-worker enroll --config node.toml --next --nodes 5 --threshold 3 > next0.json`,
	}
	f := cmd.Flags()
	f.StringVar(&e.fleet, "fleet", "", "name of the fleet that the node will belong to")
	f.IntVar(&e.epoch, "epoch", 1, "epoch of the manifest")
	f.BoolVar(&e.next, "next", false, "for the manifest that follows this node's")
	f.IntVar(&e.nodes, "nodes", 0, "with --next: its n (default: as it is)")
	f.IntVar(&e.threshold, "threshold", 0, "with --next: its t (default: as it is)")
	f.IntVar(&e.index, "index", 0, "with --next: this node's index in it (default: as it is)")
	cmd.MarkFlagsOneRequired("fleet", "next")
	cmd.MarkFlagsMutuallyExclusive("fleet", "next")
	return onNode(cmd, func(ctx context.Context, n *config.Node) error {
		if err := e.complete(cmd, n); err != nil {
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
		if e.index < 0 { // no file says it
			if e.index, err = worker.Place(ctx, provider, e.follows); err == nil && e.index < 0 {
				err = command.Usagef("this device has no node in manifest %x: give --index", e.follows.Hash())
			}
			if err != nil {
				return err
			}
		}
		card, err := worker.Card(ctx, provider, e.fleet, e.epoch, e.index)
		if err != nil {
			return err
		}
		return command.PrintDocument(cmd.OutOrStdout(), wire.Card{
			Version: wire.CardVersion, Fleet: e.fleet, Network: n.Network.Type,
			N: e.nodes, T: e.threshold, Epoch: e.epoch, NodeCard: card,
		})
	})
}

// complete takes what no flag said from the node's file, or for the next manifest from
// its own.
func (e *enrollment) complete(cmd *cobra.Command, n *config.Node) error {
	given := cmd.Flags().Changed
	if !e.next {
		for _, flag := range []string{"nodes", "threshold", "index"} {
			if given(flag) {
				return command.Usagef("--%s is for --next: of a fleet's first manifest, the node's file says it", flag)
			}
		}
		e.nodes, e.threshold, e.index = n.Node.MaxSigners, n.Node.MinSigners, n.Node.Index
		return nil
	}
	m, err := n.LoadManifest()
	if err != nil {
		return err
	}
	last, err := lastDealt(n, m)
	if err != nil {
		return err
	}
	m = last.Manifest
	e.follows = m
	e.fleet = m.Fleet
	if !given("epoch") {
		e.epoch = m.Epoch + 1
	}
	if !given("nodes") {
		e.nodes = m.N
	}
	if !given("threshold") {
		e.threshold = m.T
	}
	if !given("index") {
		e.index = last.Index
	}
	switch {
	case e.nodes < 1 || e.nodes > wire.MaxNodes || e.threshold < 1 || e.threshold > e.nodes:
		return command.Usagef("--threshold %d of --nodes %d: want 1 to n of n, and n at most %d", e.threshold, e.nodes, wire.MaxNodes)
	case given("index") && e.index < 0 || e.index >= e.nodes:
		return command.Usagef("--index %d of --nodes %d: want 0 to %d", e.index, e.nodes, e.nodes-1)
	case e.epoch <= m.Epoch:
		return command.Usagef("--epoch %d: the node's manifest has epoch %d", e.epoch, m.Epoch)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "a card for the manifest of epoch %d, of %d nodes, which follows %x\n", e.epoch,
		e.nodes, m.Hash())
	return err
}

// lastDealt is the last of the node's manifests: one that was only approved may never
// count.
func lastDealt(n *config.Node, m *wire.Manifest) (worker.Acceptance, error) {
	approved, err := worker.Acceptances(n.Node.StoragePath, m, n.Node.Index)
	if err != nil {
		return worker.Acceptance{}, err
	}
	last := approved[0]
	for i, a := range approved[1:] {
		if approved[i].Dealt {
			last = a
		}
	}
	return last, nil
}
