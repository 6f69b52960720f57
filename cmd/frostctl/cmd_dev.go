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
	var cluster, http bool
	var port int
	cmd := &cobra.Command{
		Use:   "dev DIR",
		Short: "Run a fleet directory in this one process, until it is interrupted",
		Long: `Dev runs the gateway with its embedded bus and all nodes of a directory that
frostctl fleet init wrote, and says when the fleet is ready. One process holds
all shares: for development only.

With --cluster, the directory is one of frostctl fleet init --cluster with all
hosts on loopback: each NATS server runs as a process of its own and logs to a
file in its directory, and the streams are made.

With --http, the gateway has an HTTP API on loopback. Its URL is the last line
of standard output. The token for it, with all scopes, is in DIR/http.token.`,
		Example: "  frostctl fleet init ./fleet && frostctl dev ./fleet\n" +
			"  frostctl fleet init ./fleet --cluster 3 && frostctl dev ./fleet --cluster\n" +
			"  frostctl fleet init ./fleet && frostctl dev ./fleet --http",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, _, err := telemetry.NewLogger(cmd.ErrOrStderr(), format, level)
			if err != nil {
				return command.Usage(err)
			}
			url := ""
			o := launch.Options{Log: log, Serve: natsserver.Embed, Serves: func(at string) { url = at }, Ready: func() {
				if http {
					sayHTTP(cmd, args[0], url)
					return
				}
				if wantJSON(cmd) {
					ready := map[string]any{"ready": true, "directory": args[0]}
					_ = printJSON(cmd.OutOrStdout(), ready) // the fleet runs all the same
					return
				}
				note(cmd, "the fleet is ready; stop it with Ctrl-C")
			}}
			if port != 0 && !http || port < 0 || port > 65535 {
				return usagef("--http-port is a port for --http: 1 to 65535, or 0 for any that is free")
			}
			if http {
				o.HTTP = devHTTP(args[0], port)
			}
			if cluster {
				return devCluster(cmd.Context(), args[0], o)
			}
			return launch.Dev(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().BoolVar(&cluster, "cluster", false, "run the NATS servers of the directory too")
	cmd.Flags().BoolVar(&http, "http", false, "run the gateway's HTTP API too")
	cmd.Flags().IntVar(&port, "http-port", 0, "port of the HTTP API; 0: any that is free")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}
