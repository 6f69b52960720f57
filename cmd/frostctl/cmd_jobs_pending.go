package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newJobsPendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pending [JOB...]",
		Short: "Show which of this client's jobs wait for approvals",
		Long: `Pending shows this client's sign jobs that wait for approvals, until when, and
who is said to have approved them. A client may look for its jobs one by one, by
their ids. Listing them all takes an account that may read the stream PENDING.`,
		Example: `  frostctl jobs pending
  frostctl jobs pending 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --json`,
		Args: cobra.ArbitraryArgs,
		RunE: jobsPending,
	}
	addConfigFlag(cmd)
	return cmd
}

var errListingPending = errors.New("this account may not list the jobs that wait: " +
	"name the jobs (frostctl jobs pending JOB), or ask an administrator")

func jobsPending(cmd *cobra.Command, ids []string) error {
	if err := checkIDs(ids); err != nil {
		return err
	}
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	m, err := loadManifest(cmd)
	if err != nil {
		return err
	}
	o := bus.Options{Fleet: cfg.Manifest.Fleet, Name: "frostctl jobs of " + cfg.Name, URL: cfg.URL}
	o.Credentials, o.TLSCA, o.TLSCert, o.TLSKey = cfg.Credentials, cfg.TLSCA, cfg.TLSCert, cfg.TLSKey
	return withBus(cmd, o, dialTimeout, 30*time.Second, func(ctx context.Context, b *bus.Bus) error {
		jobs := &pendingJobs{bus: b, stated: cfg.Manifest, manifest: m}
		var lines []pendingLine
		if len(ids) == 0 {
			if lines, err = jobs.list(ctx, cfg.Name, "*"); err != nil {
				err = fmt.Errorf("%w: %w", errListingPending, err)
			}
			return errors.Join(err, printPending(cmd, lines))
		}
		for _, id := range ids {
			_, line, err := jobs.get(ctx, cfg.Name, id)
			if err != nil {
				return err
			}
			if line != nil {
				lines = append(lines, *line)
			}
		}
		return printPending(cmd, lines)
	})
}

// waits is the line of a job that waits for approvals; nil if it does not.
func (r *jobReader) waits(ctx context.Context, id string) (*jobLine, error) {
	m, found, err := r.bus.Last(ctx, bus.Pending, wire.PendingSubject(r.cfg.Name, id))
	if err != nil || !found {
		return nil, err
	}
	n := len(wire.ReadPending(r.cfg.Name, m.Data, m.Header).All().Approvals)
	return &jobLine{Job: id, Kind: wire.KindSign, Time: m.Time.UTC(), Status: wire.StatusPending,
		Code: wire.CodeApprovalRequired, Error: fmt.Sprintf("it waits for approvals, and has %d", n)}, nil
}
