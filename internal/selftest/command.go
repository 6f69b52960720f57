package selftest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// CheckCommand is the `check` command of a program that runs by a
// configuration file.
func CheckCommand(
	program, example, long string, check func(path string, enrolling bool) *Report, enrols bool,
) *cobra.Command {
	var path string
	var enrolling, asJSON bool
	cmd := &cobra.Command{
		Use: "check --config FILE", Short: "Check everything that run reads, and reach nothing",
		Args: cobra.NoArgs, Long: long,
		Example: "  " + program + " check --config " + example,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(path, enrolling).Write(cmd, asJSON)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file (TOML)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	if enrols {
		cmd.Flags().BoolVar(&enrolling, "enrolling", false, "the fleet has no manifest yet: skip it and the access list")
	}
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// Write prints a report for people or as JSON. Its error is that of Err.
func (r *Report) Write(cmd *cobra.Command, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else {
		for _, s := range r.Steps {
			if err := s.Print(out); err != nil {
				return err
			}
		}
	}
	return r.Err(cmd.Name())
}

// Err names the steps that failed; nil if none did.
func (r *Report) Err(command string) error {
	if failed := r.Failed(); len(failed) > 0 {
		return fmt.Errorf("%s of %s failed: %s", command, r.Config, strings.Join(failed, ", "))
	}
	return nil
}
