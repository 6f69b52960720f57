package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/testdkg"
)

func newTestDKGCommand() *cobra.Command {
	o := testdkg.Options{}
	var level string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "test-dkg CONFIG...",
		Short: "Generate a key and sign on your own devices, and leave nothing behind",
		Long: `Test-dkg takes the configuration files of nodes (node.toml), opens the key
provider of each, with its real credentials, and runs these nodes and a gateway
in this one process. It generates a Bitcoin and a Solana key, signs with both,
and verifies the signatures with btcec and crypto/ed25519. Then it shows what
each device was asked, how long that took, and what it costs.

The fleet is a throwaway one under a name drawn at random. Its log, shares and
manifest lie in a temporary directory that is removed at the end. Nothing is
changed on the devices, and workers may run meanwhile. In storage_path nothing
is made but the guard that remembers a wrong PIN, which every program shares. A
node with derivation = "file" gets a throwaway secret for the run.

The nodes need keys (frost-worker provision), but no manifest. This process
holds the shares of all nodes: that is harmless here, as the keys are gone
afterwards. Use one node's file alone (1 of 1) where you have only that device.`,
		Example: `  frostctl test-dkg node.toml
  frostctl test-dkg --threshold 2 node0.toml node1.toml node2.toml
  frostctl test-dkg --json node0.toml node1.toml node2.toml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Threshold < 0 || o.Threshold > len(args) {
				return usagef("--threshold %d does not fit %d nodes: use 1 to %d", o.Threshold, len(args), len(args))
			}
			log, _, err := telemetry.NewLogger(cmd.ErrOrStderr(), "text", level)
			if err != nil {
				return usagef("%w", err)
			}
			ctx, cancel := withTimeout(cmd.Context(), timeout)
			defer cancel()
			o.Configs, o.Log = args, log
			o.Step = func(format string, args ...any) { note(cmd, format, args...) }
			if terminal, ok := cmd.InOrStdin().(*os.File); ok && pin.IsTerminal(terminal) {
				o.PIN = pin.Prompt(terminal, os.Stderr, "PIN of the token: ")
			}
			report, err := testdkg.Run(ctx, o)
			if err != nil {
				return err
			}
			return show(cmd, report, report.Print)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Threshold, "threshold", 0, "nodes that it takes to sign (default: a majority)")
	f.DurationVar(&timeout, "timeout", 2*time.Minute, "give up after this long")
	f.StringVar(&level, "log-level", "error", "of the nodes and the gateway: debug, info, warn or error")
	return cmd
}
