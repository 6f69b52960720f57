package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/policy"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Say what a policy means, and what it decides",
		Long:    `Policy reads policy files as a node does, offline: docs/policy.md.`,
		Example: `  frost-worker policy check policy.toml`}
	cmd.AddCommand(newPolicyCheckCommand(), newPolicyExplainCommand())
	return cmd
}

func newPolicyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Read a policy, and say what it means", Args: cobra.ExactArgs(1),
		Long: `Check reads a policy file as a node does when it starts, and prints what each of
its rules means, with notes about what it leaves open. What is wrong is printed
with its line, all of it at once, and the exit code is 0 only if nothing is.

The hash names what the policy says: nodes that should decide alike have the
same one. It needs no configuration, so that a policy can be checked before it
is given to the nodes.`,
		Example: "  frost-worker policy check policy.toml\n  frost-worker policy check policy.toml --network testnet --json",
	}
	network := cmd.Flags().String("network", "mainnet", "network of its addresses: mainnet, testnet, signet or regtest")
	cmd.Flags().Bool("json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !policy.IsNetwork(*network) {
			return command.Usagef("--network %.40q: use mainnet, testnet, signet or regtest", *network)
		}
		p, err := config.LoadPolicy(args[0], *network)
		if err != nil {
			return err
		}
		d := p.Describe()
		if command.WantJSON(cmd) {
			return command.PrintDocument(cmd.OutOrStdout(), &d)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(d.Lines(), "\n"))
		return err
	}
	return cmd
}
