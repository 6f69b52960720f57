package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

func newProvisionCommand() *cobra.Command {
	var o keyprovider.Options
	cmd := &cobra.Command{
		Use: "provision --config FILE", Short: "Make the node's keys, where a node may", Args: cobra.NoArgs,
		Long: `Provision makes the keys that the configuration names and that are not there
yet: on a PKCS#11 token (which must be initialised and have a user PIN), or,
for development, in a file. Keys that are there stay as they are.

Keys in AWS KMS it does not make, as a worker's role must not be able to. It
prints a shell script for an administrator of the account, with the node's key
policies, filled in from the configuration.`,
		Example: `  frost-worker provision --config node.toml
  frost-worker provision --config node.toml --role-arn arn:aws:iam::123456789012:role/frost-node-0 > keys.sh`,
	}
	cmd.Flags().StringVar(&o.Role, "role-arn", "",
		"ARN of the node's role (AWS KMS; default: role frost-node-INDEX in the account of the keys)")
	cmd.Flags().Bool("json", false, "print one JSON document")
	return onNode(cmd, func(ctx context.Context, n *config.Node) error {
		o.AskPIN = person(cmd.InOrStdin())
		result, err := launch.Provision(ctx, n, o)
		if err != nil {
			return err
		}
		if command.WantJSON(cmd) {
			return command.PrintDocument(cmd.OutOrStdout(), result)
		}
		if err := result.Print(cmd.OutOrStdout()); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "then: frost-worker selftest --enrolling --config %s\n", n.Path())
		return nil
	})
}
