package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/jobfile"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type resultOptions struct {
	jobs, payload, keys string
}

func newJobsResultCommand() *cobra.Command {
	var o resultOptions
	cmd := &cobra.Command{
		Use:   "result {--jobs FILE [JOB...] | --payload FILE | JOB...}",
		Short: "Fetch what jobs that are finished made, and verify it",
		Long: `Result fetches the stored results of jobs (kept for 24 hours), and verifies and
prints keys as keygen does, and signatures as sign does. With --json each keygen
job is a line that frostctl verify --keys reads. It publishes nothing and waits
for nothing.

What a result proves, it proves for the job that was signed, so the job has to
be there: in the file of jobs that keygen saved, or as a payload in a file of
its own, byte for byte as any program published it. Without JOB it is all jobs
of the file, or the one that sign --job saved. For a sign job, name the file of
its keys (--keys): signatures of keys that are not in it are named and not
printed, and the exit code is 4.

JOB without a file is fetched from a gateway over HTTP ([http] of client.toml),
and is checked as far as it can be: one of the fleet's gateways signed it. What
that gateway made up, only the job shows. With --json it is the result as it is
stored.

The exit code is 6 if a job has no result: it is in progress, was never
published, or ended more than 24 hours ago; and 3 if the fleet gave it up.`,
		Example: `  frostctl jobs result --jobs keys.jsonl.jobs
  frostctl jobs result --jobs keys.jsonl.jobs 0198c0de-7a10-7cc3-98c4-dc0c0c07398f
  frostctl jobs result --payload job.json --json >> keys.jsonl
  frostctl jobs result 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, ids []string) error { return jobsResult(cmd, ids, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.jobs, "jobs", "", "the file of jobs that keygen saved, or of a job that sign --job saved")
	f.StringVar(&o.payload, "payload", "", "a file that is the payload of one job, as it was published")
	f.StringVar(&o.keys, "keys", "",
		"for a sign job: the file of frostctl keygen that has its keys (sign --job: default "+defaultKeys+")")
	addConfigFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("jobs", "payload")
	return cmd
}

// resultTime bounds the fetching of one result.
const resultTime = 30 * time.Second

func jobsResult(cmd *cobra.Command, ids []string, o resultOptions) error {
	if err := checkIDs(ids); err != nil {
		return err
	}
	switch {
	case o.jobs == "" && o.payload == "" && len(ids) > 0:
		return gatewayResults(cmd, ids)
	case o.jobs == "" && o.payload == "":
		return usagef("name the file that has the job, --jobs FILE of keygen or --payload FILE: " +
			"without it nothing proves what is its result")
	case o.payload != "" && len(ids) > 0:
		return usagef("--payload is of one job, and has its id: name none")
	}
	if f, err := o.request(); f.File != nil || err != nil {
		if err == nil && len(ids) > 0 {
			err = usagef("--jobs %s is of one job, and has its id: name none", o.jobs)
		}
		if err != nil {
			return err
		}
		return o.fetchRequest(cmd, f)
	}
	head, jobs, items, err := o.read()
	if err != nil {
		return err
	}
	if items != nil {
		return o.fetchSign(cmd, jobs[0].Payload, items)
	}
	if jobs, err = choose(jobs, ids, o.jobs); err != nil {
		return err
	}
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	if head != nil {
		if err := head.fits(c); err != nil {
			return fmt.Errorf("--jobs %s: %w", o.jobs, err)
		}
	}
	for _, job := range jobs {
		if cmd.Context().Err() != nil {
			return errors.Join(err, cmd.Context().Err())
		}
		err = errors.Join(err, fetchJob(cmd, c, job))
	}
	return err
}

// read returns the saved jobs. The head is nil if they are in no jobs file, and items are
// those of a sign job.
func (o resultOptions) read() (head *jobsHead, jobs []client.SavedJob, items []client.SignItem, err error) {
	if o.jobs != "" {
		h, jobs, err := readJobs(o.jobs)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("--jobs %s: %w", o.jobs, err)
		}
		return &h, jobs, nil, nil
	}
	data, err := readFile(o.payload, wire.MaxJobSize)
	var kind struct {
		Kind wire.Kind `json:"kind"`
	}
	var job client.SavedJob
	switch {
	case err != nil:
	case json.Unmarshal(data, &kind) == nil && kind.Kind == wire.KindSign:
		job.Payload = string(data)
		items, err = client.SavedItems(job.Payload)
	default:
		job, err = client.ParseSavedJob(string(data))
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--payload %s: %w", o.payload, err)
	}
	return nil, []client.SavedJob{job}, items, nil
}

// request returns the file of a job of a PSBT, a transaction or a message; nil if it is
// another's. One that is a payload and nothing else has no head.
func (o resultOptions) request() (none signFile, err error) {
	data, err := readFile(cmp.Or(o.jobs, o.payload), maxJobsFile)
	if err != nil {
		return none, nil // for those to say who want it
	}
	if o.jobs != "" {
		if first, _, _ := bytes.Cut(data, []byte("\n")); !jobfile.Is(first) {
			return none, nil
		}
		f, err := jobfile.Parse(data)
		if err != nil {
			return none, fmt.Errorf("--jobs %s: %w", o.jobs, err)
		}
		return signFile{f}, nil
	}
	if ids, err := client.SavedKeys(string(data)); err != nil || len(ids) == 0 {
		return none, nil
	}
	return signFile{&jobfile.File{Payload: string(data)}}, nil
}

// fetchRequest fetches and prints what came of a job of a PSBT, a transaction or a message.
func (o resultOptions) fetchRequest(cmd *cobra.Command, f signFile) error {
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	if o.jobs == "" {
		f.Head = newSignHead(c.Manifest(), c.Name())
	}
	job, err := f.open(cmd, c.Manifest(), cmp.Or(o.keys, defaultKeys))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), resultTime)
	defer cancel()
	signed, err := c.FetchSigned(ctx, job)
	if err != nil {
		return err
	}
	in, _ := job.Reading()
	return request{kind: in.Kind}.showSigned(cmd, "", signed)
}

func (o resultOptions) fetchSign(cmd *cobra.Command, payload string, items []client.SignItem) error {
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	absent, err := expectKeys(cmd, c.Manifest(), o.keys, items)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), resultTime)
	defer cancel()
	got, err := c.FetchSign(ctx, payload, items)
	if got == nil {
		return err
	}
	noteRefused(cmd, err)
	return errors.Join(err, leaveUnproven(cmd, got, absent), printSignatures(cmd, got))
}

// leaveUnproven takes the signatures out that nothing shows to be of the right key, and
// says which these are. Items that were refused have none.
func leaveUnproven(cmd *cobra.Command, got *client.SignResult, absent map[int]error) error {
	count := 0
	for i := range got.Signatures {
		if s := &got.Signatures[i]; absent[i] != nil && s.Signature != nil {
			note(cmd, "item %d, key %s: not verified: %v", i, printable(s.Key), absent[i])
			s.Signature, count = nil, count+1
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d signatures, whose keys are not in the keys file", errUnproven, count,
		len(got.Signatures))
}

// choose returns the jobs with these ids, or all.
func choose(jobs []client.SavedJob, ids []string, path string) (chosen []client.SavedJob, err error) {
	if len(ids) == 0 {
		return jobs, nil
	}
	for _, id := range ids {
		i := slices.IndexFunc(jobs, func(job client.SavedJob) bool { return job.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("job %s is not in %s", id, path)
		}
		chosen = append(chosen, jobs[i])
	}
	return chosen, nil
}

func fetchJob(cmd *cobra.Command, c *client.Client, job client.SavedJob) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), resultTime)
	defer cancel()
	got, err := c.FetchKeygen(ctx, job)
	if err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), got.Proofs[0])
	}
	return printKeys(cmd, got.Keys)
}

// readFile reads a file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("larger than %d KiB", most>>10)
	}
	return data, err
}
