package launch

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/telemetry"
)

// RunCommand is the `run` command of a program: it loads a configuration,
// runs until SIGTERM or SIGINT, and drains. SIGHUP has it take what changed in its files.
func RunCommand(short string, run func(ctx context.Context, path string, o Options) error) *cobra.Command {
	var format, level string
	var path *string
	cmd := &cobra.Command{
		Use: "run --config FILE", Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, from, err := telemetry.NewLogger(cmd.ErrOrStderr(), format, cmp.Or(level, "info"))
			if err != nil {
				return command.Usage(err)
			}
			if level != "" {
				from = nil // for good
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			ctx := cmd.Context()
			err = run(ctx, *path, Options{Log: log, Level: from, Reload: reload})
			switch {
			case err == nil:
				log.Info("stopped")
				return nil
			case interrupted(ctx, err):
				log.Info("stopped", "err", err)
				return nil
			}
			return err
		},
	}
	path = command.ConfigFlag(cmd)
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&level, "log-level", "", "debug, info, warn or error; in place of [log] level")
	return cmd
}

// interrupted distinguishes the end that was asked for from one that only came at the
// same time: a keystore that did not close, or what failed just before.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// Execute runs a program's root command and returns its exit code.
func Execute(root *cobra.Command) int {
	if os.Getenv("GOMAXPROCS") == "" {
		// One for the network while bulk mathematics has all cores (internal/pool).
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	paceCollector()
	return command.Run(context.Background(), root)
}
