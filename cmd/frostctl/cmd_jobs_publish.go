package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
)

func newJobsPublishCommand() *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "publish FILE [FILE...]",
		Short: "Publish a saved sign job with its approvals, and print what was signed",
		Long: `Publish publishes a job that sign --job saved, with the approvals that frostctl
approve put into the file, waits for the result, verifies it, and prints it as
sign does. Several files are of one job that was approved apart: their approvals
go together.

The same job published again is the same job, with one result: after a crash or
a time-out, publish it again.`,
		Example: `  frostctl jobs publish payment.job --out payment.hex
  frostctl jobs publish from-carol.job from-dave.job`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return publishFiles(cmd, &o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.keys, "keys", defaultKeys, "the file of frostctl keygen that has the job's keys; - is standard input")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long (default: when the job expires)")
	o.outFlag(cmd)
	o.waitFlag(cmd)
	addConfigFlag(cmd)
	return cmd
}

func publishFiles(cmd *cobra.Command, o *requestOptions, files []string) error {
	f, err := readSignFiles(files...)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if f.Head.Client != cfg.Name {
		return fmt.Errorf("%s: the job is of client %s, and the client configuration of %s", files[0], f.Head.Client,
			cfg.Name)
	}
	job, err := f.open(cmd, cfg.Manifest, o.keys)
	if err != nil {
		return fmt.Errorf("%s: %w", files[0], err)
	}
	if !wantJSON(cmd) {
		if err := f.render(cmd.ErrOrStderr(), cfg.Manifest, job); err != nil {
			return err
		}
	}
	in, _ := job.Reading()
	return o.publish(cmd, cfg, job, func(s *client.Signed) error {
		return request{kind: in.Kind}.showSigned(cmd, o.out, s)
	})
}

// expired says that a saved job can't be published any more.
func expired(job *client.SignJob) error {
	if until := job.Wait.Until; !until.IsZero() && time.Now().After(until) {
		return fmt.Errorf("job %s waited for approvals until %s: make another", job.ID, until.Format(time.RFC3339))
	}
	if time.Now().Before(job.Expires) {
		return nil
	}
	return fmt.Errorf("job %s expired at %s: make another", job.ID, job.Expires.Format(time.RFC3339))
}
