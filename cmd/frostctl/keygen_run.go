package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keygenRun is one frostctl keygen. What it does is in this order, so that a crash at any
// moment loses nothing: save a job, publish it, save its keys, and remove the jobs when all
// keys are saved.
type keygenRun struct {
	cmd   *cobra.Command
	chain string
	count int    // keys of the request
	path  string // of the keys file; empty: keys are printed
	out   *os.File
	jobs  *jobsFile // nil until there is one
	ours  bool      // this run made that file
	done  int       // keys

	resume []client.SavedJob // of an earlier run, with keys that are not in the file yet
	failed bool              // the fleet refused or gave up the only job: there is nothing to go on with

	summary keygenSummary
	text    strings.Builder // the keys of the summary
}

// open opens the files: that of an earlier run's jobs, if there was one, and that of keys.
func (k *keygenRun) open(resume string) (err error) {
	k.summary = keygenSummary{IDs: []string{}, Jobs: []string{}}
	if resume != "" {
		if k.jobs, err = openJobs(resume); err != nil {
			return fmt.Errorf("--resume: %w", err)
		}
		k.chain, k.count, k.path, k.resume = k.jobs.head.Chain, k.jobs.head.Count, k.jobs.out(), k.jobs.jobs
	}
	if k.path == "" {
		return nil
	}
	k.out, err = openKeys(k.path, func(torn []byte) bool {
		return k.jobs != nil && begins(torn, k.jobs.head.Client, k.jobs.jobs)
	})
	return err
}

// begin makes a new request's jobs file, or finds out what is left of an earlier request.
func (k *keygenRun) begin(c *client.Client) (err error) {
	if k.jobs == nil {
		k.jobs, err = createJobs(k.newJobs(c))
		k.ours = err == nil
		return err
	}
	if err := k.jobs.head.fits(c); err != nil {
		return fmt.Errorf("--resume %s: %w", k.jobs.path, err)
	}
	if k.out == nil {
		return nil
	}
	saved := map[string]bool{}
	if err := readDone(k.cmd, k.path, c, k.resume, func(p client.Proof, keys []client.Key) error {
		saved[p.Job] = true
		k.done += len(keys)
		return k.show(p, keys)
	}); err != nil {
		return err
	}
	var left []client.SavedJob
	for _, job := range k.resume {
		if !saved[job.Payload] {
			left = append(left, job)
		}
	}
	k.resume = left
	return nil
}

// newJobs is where the jobs of a new request are saved, and the head of that file.
func (k *keygenRun) newJobs(c *client.Client) (path string, head jobsHead) {
	m := c.Manifest()
	hash := m.FleetID()
	head = jobsHead{Version: jobsVersion, Kind: wire.KindKeygen, Fleet: m.Fleet, Network: m.Network,
		Manifest: hash[:], Client: c.Name(), Chain: k.chain, Count: k.count}
	if k.out == nil || !isRegular(k.out) {
		return "keygen-" + rand.Text()[:8] + jobsSuffix, head
	}
	head.Out = filepath.Base(k.path)
	return k.path + jobsSuffix, head
}

// run has the keys made that are not there yet. Once they are, nothing is left to go on with.
func (k *keygenRun) run(ctx context.Context, c *client.Client) error {
	m := c.Manifest()
	suite, _ := wire.ChainSuite(k.chain)
	bar := newProgress(k.cmd, "keys", k.count)
	var err error
	if k.done < k.count {
		_, err = c.Keygen(ctx, client.KeygenRequest{
			Chain: k.chain, Count: k.count - k.done, Resume: k.resume,
			OnJob: k.jobs.add,
			OnKeys: func(keys []client.Key, p client.Proof) error {
				return k.take(bar, keys, p)
			},
			JobKeys: wire.BatchSize(suite, m.N, m.T), // one batch a job: the finest progress that costs nothing
		})
	}
	bar.finish()
	refused, _ := errors.AsType[*client.JobError](err)
	k.failed = refused != nil && k.done == 0 && len(k.jobs.jobs) == 1
	if err == nil || k.done > 0 {
		err = errors.Join(late(k.total(err)), k.print(m))
	} else {
		err = late(k.total(err))
	}
	if err == nil {
		err = k.jobs.remove()
		k.jobs.close()
		k.jobs = nil
	}
	return err
}

// take saves the keys of a job, or prints them.
func (k *keygenRun) take(bar *progress, keys []client.Key, p client.Proof) error {
	if k.out != nil {
		if err := errors.Join(printJSON(k.out, p), k.sync()); err != nil {
			return fmt.Errorf("saving keys: %w", err)
		}
	}
	if err := k.show(p, keys); err != nil {
		return fmt.Errorf("printing keys: %w", err)
	}
	k.done += len(keys)
	job, err := client.ParseSavedJob(p.Job)
	bar.updateJob(k.done, max(k.count, k.done), job.ID)
	return err
}

func (k *keygenRun) sync() error {
	if !isRegular(k.out) {
		return nil
	}
	return k.out.Sync()
}

// total counts what an earlier run did as well.
func (k *keygenRun) total(err error) error {
	if e, ok := errors.AsType[*client.UnfinishedError](err); ok {
		e.Done, e.Total = k.done, k.count
	}
	return err
}

// close says, if something is left, how to go on with it.
func (k *keygenRun) close(err error) error {
	if k.out != nil {
		err = errors.Join(err, k.out.Close())
	}
	if k.jobs == nil {
		return err
	}
	defer k.jobs.close()
	if k.ours && (k.failed || len(k.jobs.jobs) == 0) {
		return errors.Join(err, k.jobs.remove())
	}
	note(k.cmd, "the jobs are saved: frostctl keygen --resume %s goes on, frostctl jobs result --jobs %[1]s shows "+
		"what is finished", k.jobs.path)
	return err
}
