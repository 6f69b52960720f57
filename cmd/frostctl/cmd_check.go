package main

import (
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/selftest"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Check the client's configuration, and reach nothing", Args: cobra.NoArgs,
		Long: `Check reads everything that the other commands for users read: the client's
configuration, its key, the credentials and certificates, the manifest, the
access list, and the token and the authority of gateways that are asked over
HTTP. It opens no connection.

All that is wrong is printed at once, with what fixes it. The exit code is 0
only if nothing is.`,
		Example: "  frostctl check --config client.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := configPath(cmd)
			if err != nil {
				return err
			}
			load := func(path string) error {
				cfg, err := client.Load(path)
				clear(cfg.Key)
				return err
			}
			return selftest.CheckClient(path, load, func() (string, error) { return checkGateway(cmd) }).Write(cmd)
		},
	}
	addConfigFlag(cmd)
	return cmd
}
