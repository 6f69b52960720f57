// Command frost-gateway schedules a fleet's jobs and aggregates what the
// workers answer. It holds no share of any key. Exit codes are listed by
// frost-gateway exit-codes.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/selftest"
)

const checkLong = `Check reads everything that run reads: the configuration, the gateway's key, the
credentials and certificates, the manifest, the access list, and the directory
of an embedded server. It opens no connection.

All that is wrong is printed at once, with what fixes it. The exit code is 0
only if nothing is.`

func main() { os.Exit(launch.Execute(newRootCommand())) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{Use: "frost-gateway",
		Short: "Schedules a Frostfleet's jobs and aggregates the workers' answers"}
	check := func(path string, _ bool) *selftest.Report { return selftest.CheckGateway(path) }
	run := func(ctx context.Context, path string, o launch.Options) error {
		g, err := config.LoadGateway(path)
		if err != nil {
			return err
		}
		o.Serve = natsserver.Embed
		return launch.Gateway(ctx, g, o)
	}
	running := launch.RunCommand("Run the gateway until SIGTERM", run)
	running.Long = `Run schedules the fleet's jobs and aggregates what the nodes answer, until
SIGTERM. With SIGHUP it reads again what a running gateway can take:
docs/operations.md.`
	running.Example = "  frost-gateway run --config gateway.toml --log-format json"
	root.AddCommand(selftest.CheckCommand("frost-gateway", "gateway.toml", checkLong, check, false), running)
	return root
}
