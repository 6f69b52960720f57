// Command frost-worker runs one node of a fleet: it holds shares of keys,
// never a key. Its other commands set up and test the node's key provider.
//
// Results go to standard output; prompts, progress, warnings and errors go to
// standard error. Exit codes are listed by frost-worker exit-codes.
package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/selftest"
)

func main() { os.Exit(launch.Execute(newRootCommand())) }

const checkLong = `Check reads everything that run reads: the configuration, the credentials and
certificates that it names, the manifest, the access list, the storage
directory, and of the key provider what this machine alone can tell: its
settings, files and environment. It opens no connection, loads no PKCS#11
library and spends no PIN; selftest does that, after the same checks.

All that is wrong is printed at once, with what fixes it. The exit code is 0
only if nothing is. --enrolling is for a node whose fleet has no manifest yet.`

func newRootCommand() *cobra.Command {
	root := &cobra.Command{Use: "frost-worker",
		Short: "One node of a Frostfleet: deals, certifies and signs with its share of every key"}
	run := launch.RunCommand("Run the node until SIGTERM", func(ctx context.Context, path string, o launch.Options) error {
		n, err := launch.LoadNode(path)
		if err != nil {
			return err
		}
		o.PIN = person(os.Stdin)
		return launch.Node(ctx, n, o)
	})
	run.Long = `Run opens the node's keys and storage, follows the fleet's streams, and deals,
certifies and signs until SIGTERM. With SIGHUP it reads again what a running
node can take: docs/operations.md.`
	run.Example = "  frost-worker run --config node.toml --log-format json"
	root.AddCommand(
		run,
		selftest.CheckCommand("frost-worker", "node.toml", checkLong, selftest.CheckNode, true),
		newProvisionCommand(),
		newEnrollCommand(),
		newSelftestCommand(),
		newUnlockCommand(),
		newPolicyCommand(),
		newFreezesCommand(),
		newAcceptManifestCommand(),
		newExportCommand(),
		newRetireCommand(),
	)
	return root
}

// person asks for a PIN at the terminal that in is. It is nil if nobody is
// there.
func person(in io.Reader) pin.Source {
	terminal, ok := in.(*os.File)
	if !ok || !pin.IsTerminal(terminal) {
		return nil
	}
	return pin.Prompt(terminal, os.Stderr, "PIN of the token: ")
}

// onNode makes cmd a command on the node whose file --config names.
func onNode(cmd *cobra.Command, run func(context.Context, *config.Node) error) *cobra.Command {
	path := command.ConfigFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := launch.ParseNode(*path)
		if err != nil {
			return err
		}
		return run(cmd.Context(), n)
	}
	return cmd
}
