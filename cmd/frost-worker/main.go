// Command frost-worker runs one node of a fleet: it holds shares of keys,
// never a key.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/worker"
)

func main() {
	root := &cobra.Command{Use: "frost-worker", Short: "One node of a Frostfleet: deals, certifies and signs with its share of every key"}
	root.AddCommand(
		launch.RunCommand("Run the node until SIGTERM", func(ctx context.Context, path string, o launch.Options) error {
			n, err := config.LoadNode(path)
			if err != nil {
				return err
			}
			return launch.Node(ctx, n, o)
		}),
		enrollCommand(),
	)
	os.Exit(launch.Execute(root))
}

// enrollCommand prints what the manifest needs to know of this node.
func enrollCommand() *cobra.Command {
	var path, fleet string
	var epoch int
	cmd := &cobra.Command{
		Use: "enroll --config FILE --fleet NAME", Short: "Print this node's card for the manifest", Args: cobra.NoArgs,
		Long: "Enroll asks the key provider for the public keys by which the fleet will know\nthis node, and prints them as the JSON object that stands in the manifest's nodes.\nNothing secret leaves the provider.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := config.LoadNode(path)
			if err != nil {
				return err
			}
			provider, err := launch.Provider(n)
			if err != nil {
				return err
			}
			defer provider.Close()
			card, err := worker.Card(cmd.Context(), provider, fleet, epoch, n.Node.Index)
			if err != nil {
				return err
			}
			out, err := json.MarshalIndent(card, "", "  ")
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), string(out))
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "the node's configuration file (TOML)")
	cmd.Flags().StringVar(&fleet, "fleet", "", "name of the fleet that the node will belong to")
	cmd.Flags().IntVar(&epoch, "epoch", 1, "epoch of the manifest")
	_ = cmd.MarkFlagRequired("config")
	_ = cmd.MarkFlagRequired("fleet")
	return cmd
}
