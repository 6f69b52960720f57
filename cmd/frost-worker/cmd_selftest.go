package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/frostfleet/frostfleet/internal/selftest"
)

func newSelftestCommand() *cobra.Command {
	var o selftest.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use: "selftest --config FILE", Short: "Test the node's key provider step by step", Args: cobra.NoArgs,
		Long: `Selftest walks through the key provider: loads it, reaches the device, describes
the keys, signs and verifies, derives twice and compares, times 20 calls of
each, and checks the keys against the fleet's manifest. Each step says what
failed and how to mend it; a step that needs a failed one is not run.

The exit code is 0 only if all holds. A missing manifest is a failure too,
unless --enrolling says that the fleet has none yet.

It can run beside the worker. With derivation = "file" and no secret in
storage_path yet, it makes the secret, as enroll would.`,
		Example: "  frost-worker selftest --config node.toml\n  frost-worker selftest --config node.toml --json",
	}
	path := addConfigFlag(cmd)
	cmd.Flags().BoolVar(&o.Enrolling, "enrolling", false,
		"the fleet has no manifest yet: without the file, skip what needs it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := interruptible(cmd)
		defer stop()
		o.PIN = person(cmd.InOrStdin())
		if !asJSON {
			show(cmd.OutOrStdout(), cmd.ErrOrStderr(), &o)
		}
		report := selftest.Run(ctx, *path, o)
		if asJSON {
			if err := printJSON(cmd, report); err != nil {
				return err
			}
		}
		if failed := report.Failed(); len(failed) > 0 {
			return fmt.Errorf("selftest of %s failed: %s", *path, strings.Join(failed, ", "))
		}
		return nil
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
		_ = s.Print(out) // the exit code still tells
	}
}
