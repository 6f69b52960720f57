package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/worker"
)

func newFreezesCommand() *cobra.Command {
	var rebuild bool
	cmd := &cobra.Command{
		Use: "freezes --config FILE", Short: "List what this node keeps of freezes", Args: cobra.NoArgs,
		Long: `Freezes lists what administrators froze, as it is on this node's disk: also what
CONTROL lost since. With --json, frostctl freezes --restore publishes it again.

A node that can't read its file signs nothing. If no copy of the file is left,
--rebuild puts it aside and begins an empty one, while the node is stopped: then
CONTROL alone tells the node what is frozen. Compare frostctl freezes with
another node's list first.`,
		Example: `  frost-worker freezes --config node.toml
  frost-worker freezes --config node.toml --rebuild`,
	}
	onNode(cmd, func(_ context.Context, n *config.Node) error {
		m, err := n.LoadManifest()
		if err != nil {
			return err
		}
		if rebuild {
			aside, err := worker.RebuildFreezes(worker.StorageOf(n.Node.StoragePath, m), m)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "begun anew; the old file is %q\n", aside)
			}
			return err
		}
		book, err := worker.OpenFreezes(worker.StorageOf(n.Node.StoragePath, m), m)
		if err != nil {
			return err
		}
		for _, f := range book.InForce() {
			if command.WantJSON(cmd) {
				err = command.PrintJSON(cmd.OutOrStdout(), f.Line())
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s, by administrator %s: %s\n", f.At().Format(time.RFC3339),
					f.Line().ID[:16], f.Target(), f.By, f.Reason)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "put the file aside, and begin an empty one")
	cmd.Flags().Bool("json", false, "print JSON, one object a line")
	cmd.MarkFlagsMutuallyExclusive("rebuild", "json")
	return cmd
}
