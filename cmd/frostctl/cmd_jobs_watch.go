package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/httpclient"
)

type watchOptions struct {
	timeout, every time.Duration
}

func newJobsWatchCommand() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [JOB]",
		Short: "Follow a job to its end, or all jobs of this client",
		Long: `Watch prints a job whenever it changes, until it has ended: a line each time,
with --json an object. On a terminal a bar shows how far it is. Ctrl-C ends what
is shown here, not the job.

The exit code is that of jobs result: 0 done, 3 refused, denied or given up in
part or whole, 6 not ended after --timeout, as a job that waits for approvals.

Without JOB it prints the jobs of this client as they change, until it is
interrupted or the time is over, and the exit code says nothing of them.` + gatewayHelp,
		Example: `  frostctl jobs watch 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --timeout 5m
  frostctl jobs watch --json | jq 'select(.status == "denied")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := checkIDs(ids); err != nil {
				return err
			}
			if o.every <= 0 {
				return usagef("--every %v: want more than 0", o.every)
			}
			c, err := openGateway(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := withTimeout(cmd.Context(), o.timeout)
			defer cancel()
			if len(ids) == 0 {
				return watchAll(ctx, cmd, c, o.every)
			}
			return watchJob(ctx, cmd, c, ids[0])
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.timeout, "timeout", 0, "stop watching after this long (default: never)")
	f.DurationVar(&o.every, "every", 2*time.Second, "without JOB: how often to look")
	addConfigFlag(cmd)
	return cmd
}

// watchJob follows one job.
func watchJob(ctx context.Context, cmd *cobra.Command, c *httpclient.Client, id string) error {
	var last httpclient.Job
	var bar *progress
	for j, err := range c.Watch(ctx, id) {
		if err != nil {
			return stopped(ctx, err, id, last)
		}
		if !changed(last, j) {
			continue // as when another gateway says it again
		}
		last = j
		if bar == nil && isTerminal(cmd.ErrOrStderr()) && !wantJSON(cmd) && j.Count > 1 && !j.Ended() {
			bar = newProgress(cmd, map[string]string{"keygen": "keys", "sign": "signatures"}[j.Kind], j.Count)
		}
		if bar != nil && j.Status == "accepted" {
			bar.update(min(j.Done, j.Count), j.Count)
			continue
		}
		if bar != nil {
			bar.finish()
			bar = nil
		}
		if err := printChange(cmd, j); err != nil {
			return err
		}
	}
	l := jobLineOf(last)
	return ending(l.Status, client.JobError{Job: id, Code: client.Code(l.Code), Message: harmless(l.Error),
		Gateway: l.Gateway})
}

// stopped is the error of a watch that ended before its job.
func stopped(ctx context.Context, err error, id string, last httpclient.Job) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	if last.Status == "pending" {
		return &client.PendingError{Job: id, Message: harmless(last.Error), Gateway: last.Gateway}
	}
	return late(ctx.Err())
}

// changed reports whether there is anything to say of a job.
func changed(before, now httpclient.Job) bool {
	return before.Status != now.Status || before.Done != now.Done || before.Label != now.Label || before.Error != now.Error
}

// printChange prints one line.
func printChange(cmd *cobra.Command, j httpclient.Job) error {
	l := jobLineOf(j)
	how := fmt.Sprint(j.Done)
	if j.Count > 0 {
		how = fmt.Sprintf("%d of %d", j.Done, j.Count)
	}
	text := fmt.Sprintf("%s  %s  %s  %s  %s", instant(l.Time), j.ID, j.Kind, j.Status, how)
	if j.Code != "" {
		text += "  " + j.Code + ": " + j.Error
	}
	return say(cmd, l, "%s\n", harmless(text))
}

// newest is how many jobs are looked at when all are watched.
const newest = 200

// watchAll prints jobs as they change, after what is there has been looked at.
func watchAll(ctx context.Context, cmd *cobra.Command, c *httpclient.Client, every time.Duration) error {
	seen := map[string]httpclient.Job{}
	for first := true; ; first = false {
		now := make(map[string]httpclient.Job, len(seen))
		var news []httpclient.Job
		for j, err := range c.Jobs(ctx, httpclient.JobQuery{}, newest) {
			if err != nil {
				return overOf(ctx, err)
			}
			now[j.ID] = j
			if before, known := seen[j.ID]; !first && (!known || changed(before, j)) || first && !j.Ended() {
				news = append(news, j)
			}
		}
		for i := len(news) - 1; i >= 0; i-- { // the oldest first
			if err := printChange(cmd, news[i]); err != nil {
				return err
			}
		}
		seen = now
		if err := backoff.Sleep(ctx, every); err != nil {
			return overOf(ctx, err)
		}
	}
}

// overOf takes the end of the time that was given to a watch for no error.
func overOf(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return err
}
