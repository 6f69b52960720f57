package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// jobFilter are the flags that choose jobs.
type jobFilter struct {
	httpclient.JobQuery
	since, until timeFlag
}

var (
	jobKinds    = []string{string(wire.KindKeygen), string(wire.KindSign)}
	jobStatuses = []string{"accepted", "pending", "done", "partial", "denied", "failed"}
)

func (f *jobFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Kind, "kind", "", "keygen or sign")
	flags.StringVar(&f.Status, "status", "", strings.Join(jobStatuses, ", "))
	flags.Var(&f.since, "since", "begun then or later: 2026-01-31, 2026-01-31T12:00:00Z, or 36h, which is so long ago")
	flags.Var(&f.until, "until", "begun before then")
	for name, words := range map[string][]string{"kind": jobKinds, "status": jobStatuses} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (f *jobFilter) query() (httpclient.JobQuery, error) {
	f.Since, f.Until = time.Time(f.since), time.Time(f.until)
	switch {
	case f.Kind != "" && !slices.Contains(jobKinds, f.Kind):
		return f.JobQuery, usagef("--kind %.64q: use keygen or sign", f.Kind)
	case f.Status != "" && !slices.Contains(jobStatuses, f.Status):
		return f.JobQuery, usagef("--status %.64q: use %s", f.Status, strings.Join(jobStatuses, ", "))
	}
	return f.JobQuery, nil
}

// fits reports whether a job of the streams is one of the chosen: those have no other time than
// that of their end.
func (f *jobFilter) fits(l jobLine) bool {
	return (f.Kind == "" || f.Kind == string(l.Kind)) && (f.Status == "" || f.Status == string(l.Status)) &&
		!l.Time.Before(f.Since) && (f.Until.IsZero() || l.Time.Before(f.Until))
}

func newJobsListCommand() *cobra.Command {
	var f jobFilter
	var l listLimit
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List this client's jobs, also those in work",
		Long: `List prints jobs, newest first, as a gateway's directory has them: also those in
work and those that ended up to 30 days ago. AMOUNT is how many keys or
signatures there are so far.

Where no gateway is configured ([http] of client.toml, or $FROSTCTL_URL), it
reads the streams as frostctl jobs does: what ended in the last 24 hours, the
oldest first.`,
		Example: `  frostctl jobs list --status failed --since 24h
  frostctl jobs list --all --json | jq 'select(.kind == "keygen") | .amount'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			most, err := l.most()
			if err != nil {
				return err
			}
			there, err := hasGateway(cmd)
			if err != nil {
				return err
			}
			if there {
				return listJobs(cmd, q, most)
			}
			lines, err := busJobs(cmd, nil)
			lines = slices.DeleteFunc(lines, func(l jobLine) bool { return !f.fits(l) })
			if most > 0 && len(lines) >= most {
				lines = lines[len(lines)-most+1:] // the newest
			}
			return errors.Join(err, printJobs(cmd, lines))
		},
	}
	f.flags(cmd)
	l.flags(cmd)
	addConfigFlag(cmd)
	return cmd
}

// listJobs prints what a gateway has.
func listJobs(cmd *cobra.Command, q httpclient.JobQuery, most int) error {
	c, err := openGateway(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	count, page := 0, jobGrid(nil)
	for j, err := range c.Jobs(cmd.Context(), q, most) {
		if err != nil {
			return errors.Join(err, page.end(cmd))
		}
		if count++; count == most {
			break
		}
		if wantJSON(cmd) {
			err = printJSON(cmd.OutOrStdout(), jobLineOf(j))
		} else {
			addJobRow(page, jobLineOf(j))
			err = page.flush(cmd)
		}
		if err != nil {
			return err
		}
	}
	noteList(cmd, count, most, "job")
	return page.end(cmd)
}
