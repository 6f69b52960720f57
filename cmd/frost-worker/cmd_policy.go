package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/policy"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Check what this node's policy says"}
	cmd.AddCommand(newPolicyCheckCommand())
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
is given to the nodes. Whether an approver's key is also a client's is checked
where the access list is: when the node starts.`,
		Example: "  frost-worker policy check policy.toml\n  frost-worker policy check policy.toml --network testnet --json",
	}
	network := cmd.Flags().String("network", "mainnet", "network of its addresses: mainnet, testnet, signet or regtest")
	cmd.Flags().Bool("json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := readPolicy(args[0], *network)
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

// readPolicy reads a policy file. What is wrong with it is one line each, with the file's
// name before the number.
func readPolicy(path, network string) (*policy.Policy, error) {
	if !policy.IsNetwork(network) {
		return nil, command.Usagef("--network %.40q: use mainnet, testnet, signet or regtest", network)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, policy.MaxFile+1))
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text, network)
	if all, ok := errors.AsType[policy.Errors](err); ok {
		return nil, errors.New(all.In(path))
	}
	return p, err
}
