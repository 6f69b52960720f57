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
)

func main() { os.Exit(launch.Execute(newRootCommand())) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{Use: "frost-gateway", Short: "Schedules a Frostfleet's jobs and aggregates the workers' answers"}
	root.AddCommand(launch.RunCommand("Run the gateway until SIGTERM", func(ctx context.Context, path string, o launch.Options) error {
		g, err := config.LoadGateway(path)
		if err != nil {
			return err
		}
		o.Serve = natsserver.Embed
		return launch.Gateway(ctx, g, o)
	}))
	return root
}
