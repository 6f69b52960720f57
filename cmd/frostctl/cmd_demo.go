package main

import (
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole fleet for a minute and show what it does",
		Long: `Demo starts three workers and a gateway as processes of their own, on an
embedded NATS JetStream in a temporary directory with software keys. It
generates addresses, signs under both suites, spends a Taproot output in btcd's
script engine, kills a worker and signs with the two left, replaces it by
another one to which the keys move, signs with that, and cleans up. Every
signature is verified by a library that did not make it.

frost-worker and frost-gateway must be beside frostctl (make build).`,
		Example: "  frostctl demo\n  frostctl demo --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := demo.Run(cmd.Context(), demo.Options{Dir: dir, Step: func(format string, args ...any) {
				note(cmd, format, args...)
			}})
			if err != nil {
				return err
			}
			return show(cmd, report, report.Print)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "",
		"keep the fleet in this empty directory (default: a temporary one, removed at the end)")
	return cmd
}
