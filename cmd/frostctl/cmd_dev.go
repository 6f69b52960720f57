package main

import (
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/telemetry"
)

func newDevCommand() *cobra.Command {
	var format, level string
	var cluster bool
	cmd := &cobra.Command{
		Use:   "dev DIR",
		Short: "Run a fleet directory in this one process, until it is interrupted",
		Long: `Dev runs the gateway with its embedded bus and all nodes of a directory that
frostctl fleet init wrote, and says when the fleet is ready. One process holds
all shares: for development only.

With --cluster, the directory is one of frostctl fleet init --cluster with all
hosts on loopback: each NATS server runs as a process of its own and logs to a
file in its directory, and the streams are made.`,
		Example: "  frostctl fleet init ./fleet && frostctl dev ./fleet\n" +
			"  frostctl fleet init ./fleet --cluster 3 && frostctl dev ./fleet --cluster",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, _, err := telemetry.NewLogger(cmd.ErrOrStderr(), format, level)
			if err != nil {
				return command.Usage(err)
			}
			o := launch.Options{Log: log, Serve: natsserver.Embed, Ready: func() {
				if wantJSON(cmd) {
					ready := map[string]any{"ready": true, "directory": args[0]}
					_ = printJSON(cmd.OutOrStdout(), ready) // the fleet runs all the same
					return
				}
				note(cmd, "the fleet is ready; stop it with Ctrl-C")
			}}
			if cluster {
				return devCluster(cmd.Context(), args[0], o)
			}
			return launch.Dev(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().BoolVar(&cluster, "cluster", false, "run the NATS servers of the directory too")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}
