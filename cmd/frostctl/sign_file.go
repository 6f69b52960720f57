package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/jobfile"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signFile is the file of one sign job (internal/jobfile).
type signFile struct{ *jobfile.File }

func newSignHead(m *client.Manifest, name string) jobfile.Head {
	return jobfile.NewHead(m.Fleet, m.Network, m.FleetID(), name)
}

// createSignFile saves a job before it is published.
func createSignFile(path string, m *client.Manifest, name string, job *client.SignJob) error {
	f := jobfile.File{Head: newSignHead(m, name), Payload: job.Payload}
	if err := secret.Create(path, f.Encode()); err != nil {
		return fmt.Errorf("--job: %w", err)
	}
	return nil
}

// readSignFiles reads files of one job as one.
func readSignFiles(paths ...string) (f signFile, err error) {
	for i, path := range paths {
		data, err := readFile(path, jobfile.MaxSize)
		var other *jobfile.File
		if err == nil {
			other, err = jobfile.Parse(data)
		}
		switch {
		case err != nil:
		case i == 0:
			f.File = other
		default:
			err = f.Merge(other)
		}
		if err != nil {
			return signFile{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return f, nil
}

// open reads the job of a file, with the keys of a keys file that it names.
func (f signFile) open(cmd *cobra.Command, m *client.Manifest, path string) (*client.SignJob, error) {
	if err := f.Head.Fits(m.Fleet, m.Network, m.FleetID()); err != nil {
		return nil, err
	}
	ids, err := client.SavedKeys(f.Payload)
	if err != nil {
		return nil, err
	}
	keys, err := namedKeys(cmd, path, m, ids)
	if err != nil {
		return nil, err
	}
	return f.job(m, keys)
}

// job reads the job, with keys that it names.
func (f signFile) job(m *client.Manifest, keys []client.Key) (*client.SignJob, error) {
	job, err := client.ParseSignJob(m, f.Payload, keys)
	if err != nil {
		return nil, err
	}
	return job, job.AddApprovals(each(f.Approvals, func(a wire.Approval) client.Approval { return client.Approval(a) })...)
}

// appendApproval writes an approval at a file's end. It is on the disk when this returns.
func appendApproval(path string, a client.Approval) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(jobfile.Line(wire.Approval(a)))
	return errors.Join(err, file.Sync(), file.Close())
}
