package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/selftest"
)

func newSelftestCommand() *cobra.Command {
	var o selftest.Options
	cmd := &cobra.Command{
		Use: "selftest --config FILE", Short: "Test the node's key provider step by step", Args: cobra.NoArgs,
		Long: `Selftest first checks what this machine alone can tell, as check does. Then it
walks through the key provider: loads it, reaches the device, describes the
keys, signs and verifies, derives twice and compares, times 20 calls of each,
and checks the keys against the fleet's manifest. Each step says what failed and
how to fix it; a step that needs a failed one is not run.

The exit code is 0 only if every step passes. A missing manifest is a failure
too, unless --enrolling says that the fleet has none yet.

It can run beside the worker. With derivation = "file" and no secret in
storage_path yet, it makes the secret, as enroll would.`,
		Example: "  frost-worker selftest --config node.toml\n  frost-worker selftest --config node.toml --json",
	}
	path := command.ConfigFlag(cmd)
	cmd.Flags().BoolVar(&o.Enrolling, "enrolling", false,
		"the fleet has no manifest yet: skip it if it is missing, and the access list")
	cmd.Flags().Bool("json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.PIN = person(cmd.InOrStdin())
		if command.WantJSON(cmd) {
			return selftest.Run(cmd.Context(), *path, o).Write(cmd)
		}
		show(cmd.OutOrStdout(), cmd.ErrOrStderr(), &o)
		return selftest.Run(cmd.Context(), *path, o).Err(cmd.Name())
	}
	return cmd
}

// show prints each step as it ends and, on a terminal, a bar over the timed
// calls.
func show(out, errs io.Writer, o *selftest.Options) {
	var bar *progressbar.ProgressBar
	if f, ok := errs.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		o.Progress = func(done, total int) {
			if bar == nil {
				bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(errs), progressbar.OptionSetDescription("calls"),
					progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			}
			_ = bar.Set(done) // a bar that can't be shown is no reason to stop
		}
	}
	o.Done = func(s selftest.Step) {
		if bar != nil {
			_ = bar.Clear()
		}
		_ = s.Print(out) // the exit code says it too
	}
}
