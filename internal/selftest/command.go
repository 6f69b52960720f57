package selftest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
)

// CheckCommand is the `check` command of a program that runs by a
// configuration file.
func CheckCommand(
	program, example, long string, check func(path string, enrolling bool) *Report, enrols bool,
) *cobra.Command {
	var path *string
	var enrolling bool
	cmd := &cobra.Command{
		Use: "check --config FILE", Short: "Check everything that run reads, and reach nothing",
		Args: cobra.NoArgs, Long: long,
		Example: "  " + program + " check --config " + example,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(*path, enrolling).Write(cmd)
		},
	}
	path = command.ConfigFlag(cmd)
	cmd.Flags().Bool("json", false, "print one JSON document")
	if enrols {
		cmd.Flags().BoolVar(&enrolling, "enrolling", false, "the fleet has no manifest yet: skip it and the access list")
	}
	return cmd
}

// Write prints a report for people, or with --json as that. Its error is that of
// Err.
func (r *Report) Write(cmd *cobra.Command) (err error) {
	switch {
	case command.WantJSON(cmd) && cmd.InheritedFlags().Lookup("json") != nil: // frostctl's: an object a line
		err = command.PrintJSON(cmd.OutOrStdout(), r)
	case command.WantJSON(cmd):
		err = command.PrintDocument(cmd.OutOrStdout(), r)
	default:
		for _, s := range r.Steps {
			err = errors.Join(err, s.Print(cmd.OutOrStdout()))
		}
	}
	return errors.Join(err, r.Err(cmd.Name()))
}

// Err names the steps that failed; nil if none did.
func (r *Report) Err(command string) error {
	if failed := r.Failed(); len(failed) > 0 {
		return fmt.Errorf("%s of %s failed: %s", command, r.Config, strings.Join(failed, ", "))
	}
	return nil
}
