package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

func newUnlockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlock --config FILE", Short: "Log in to the node's token once, after a wrong PIN", Args: cobra.NoArgs,
		Long: `Unlock logs in to the node's PKCS#11 token once, with the configuration's PIN,
or with one that it asks for on the terminal.

Nothing logs in automatically to a token that was given a wrong PIN, as tokens
lock after a few of them. Unlock is for the person who made sure of the PIN:
once the token takes it, the token and this node's programs forget the wrong
ones. A worker that waits for that goes on within half a minute.`,
		Example: "  frost-worker unlock --config node.toml",
	}
	return onNode(cmd, func(ctx context.Context, n *config.Node) error {
		taken := false
		o := keyprovider.Options{AskPIN: person(cmd.InOrStdin()), AfterWrongPIN: true, Observe: func(c keyprovider.Call) {
			taken = taken || c.Operation == keyprovider.OpLogin && c.Err == nil
		}}
		p, err := launch.OpenProvider(ctx, n, launch.ProviderOptions{Options: o})
		if err == nil {
			err = p.Close()
		}
		switch {
		case err != nil && taken:
			return fmt.Errorf("the token took the PIN, but it does not serve this node: %w", err)
		case err != nil:
			return err
		case !taken:
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "no PIN was needed: a provider of type %s\n", n.Node.KeyProvider.Type)
		default:
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the token took the PIN, and forgets wrong ones before")
		}
		return err
	})
}
