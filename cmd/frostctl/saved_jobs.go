package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A jobs file has what it takes to go on with a keygen that ended early: a head, and then
// each of its jobs, one JSON object a line. Each line is on the disk before its job is
// published, since the fleet forgets the job once it is done and without the job nothing
// proves its keys. The file is removed when all keys are saved or printed.

const (
	jobsVersion = 1
	jobsSuffix  = ".jobs"
	// maxJobsFile bounds a jobs file, in bytes. One of 1,000,000 keys and 128 nodes has 6 MB.
	maxJobsFile = 64 << 20
)

// jobsHead is the first line of a jobs file: whose request this is, and what it asks for.
type jobsHead struct {
	Version  int           `json:"version"`
	Kind     wire.Kind     `json:"kind"` // keygen
	Fleet    string        `json:"fleet"`
	Network  string        `json:"network"`
	Manifest wire.HexBytes `json:"manifest"` // hash
	Client   string        `json:"client"`
	Chain    string        `json:"chain"`
	Count    int           `json:"count"`
	Out      string        `json:"out,omitempty"` // the keys file, in the same folder
}

// savedLine is any other line.
type savedLine struct {
	Job string `json:"job"` // payload
}

// parseJobs reads a jobs file. A last line without an end was being written when the
// program was, and its job was not published: whole is the length of what stands before it.
func parseJobs(data []byte) (head jobsHead, jobs []client.SavedJob, whole int, err error) {
	whole = bytes.LastIndexByte(data, '\n') + 1
	if whole == 0 {
		return head, nil, 0, errors.New("there is no whole line in it: it is not a file of jobs that keygen saved")
	}
	seen := map[string]bool{}
	i := -1
	for line := range bytes.SplitSeq(data[:whole-1], []byte("\n")) {
		if i++; i == 0 {
			if err = decodeStrict(line, &head); err == nil {
				err = head.check()
			}
		} else {
			var job client.SavedJob
			if job, err = parseJob(line, &head); err == nil && seen[job.ID] {
				err = fmt.Errorf("job %s is in it twice", job.ID)
			}
			jobs, seen[job.ID] = append(jobs, job), true
		}
		if err != nil {
			return jobsHead{}, nil, 0, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return head, jobs, whole, nil
}

func (h *jobsHead) check() error {
	_, known := wire.ChainSuite(h.Chain)
	switch {
	case h.Version != jobsVersion:
		return fmt.Errorf("version %d: this frostctl reads version %d", h.Version, jobsVersion)
	case h.Kind != wire.KindKeygen || !known || h.Count < 1 || h.Count > client.MaxRequestKeys:
		return fmt.Errorf("%.64q of %d keys for chain %.64q is not what keygen asks for", h.Kind, h.Count, h.Chain)
	case h.Out != "" && (h.Out != filepath.Base(h.Out) || h.Out == "." || h.Out == ".."):
		return fmt.Errorf("the keys file %.64q is not in this folder", h.Out)
	}
	return nil
}

func parseJob(line []byte, head *jobsHead) (client.SavedJob, error) {
	var saved savedLine
	if err := decodeStrict(line, &saved); err != nil {
		return client.SavedJob{}, err
	}
	job, err := client.ParseSavedJob(saved.Job)
	switch {
	case err != nil:
	case job.Chain != head.Chain:
		err = fmt.Errorf("job %s is for %s, the request for %s", job.ID, job.Chain, head.Chain)
	case job.Count > head.Count: // all jobs may ask for more: those in place of jobs that were given up are in it too
		err = fmt.Errorf("job %s asks for %d keys, the request for %d: keygen did not save it", job.ID, job.Count,
			head.Count)
	}
	return job, err
}

// fits refuses a request of another client or fleet than that which is at hand.
func (h *jobsHead) fits(c *client.Client) error {
	m := c.Manifest()
	hash := m.FleetID()
	if h.Fleet != m.Fleet || h.Network != m.Network || !bytes.Equal(h.Manifest, hash[:]) || h.Client != c.Name() {
		return fmt.Errorf("it is of client %.64q of fleet %.64q on %.64q with manifest %.64x, and the client "+
			"configuration is of %s of %s on %s with manifest %x: name the right one with --config",
			h.Client, h.Fleet, h.Network, []byte(h.Manifest), c.Name(), m.Fleet, m.Network, hash)
	}
	return nil
}

// jobsFile is a jobs file that this process works on, and no other.
type jobsFile struct {
	path  string
	head  jobsHead
	jobs  []client.SavedJob // all that are in it
	file  *os.File
	lock  *flock.Flock
	bytes int64
}

// createJobs makes the file of a new request.
func createJobs(path string, head jobsHead) (*jobsFile, error) {
	var line bytes.Buffer
	if err := printJSON(&line, head); err != nil {
		return nil, err
	}
	err := secret.Create(path, line.Bytes())
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there: a keygen into the same file runs, or ended before its keys were there. "+
			"Go on with it: frostctl keygen --resume %[1]s. Remove the file only if its keys are not wanted", path)
	}
	if err != nil {
		return nil, fmt.Errorf("saving jobs before they are published, beside --out FILE or in this folder: %w", err)
	}
	return openJobs(path)
}

// openJobs opens the file of a request to go on with it. What was being written when the
// program ended goes away.
func openJobs(path string) (_ *jobsFile, err error) {
	j := &jobsFile{path: path, lock: flock.New(path, flock.SetFlag(os.O_RDWR))}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	if locked, err := j.lock.TryLock(); err != nil {
		return nil, err
	} else if !locked {
		return nil, fmt.Errorf("%s: another frostctl works on these jobs", path)
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return nil, err
	}
	if !isRegular(j.file) {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	data, err := io.ReadAll(io.LimitReader(j.file, maxJobsFile+1))
	if err == nil && len(data) > maxJobsFile {
		err = fmt.Errorf("larger than %d MiB: it is not a file of jobs that keygen saved", maxJobsFile>>20)
	}
	whole := 0
	if err == nil {
		j.head, j.jobs, whole, err = parseJobs(data)
	}
	if err == nil && j.head.Out == filepath.Base(path) {
		err = errors.New("it names itself as the keys file")
	}
	if err == nil && whole < len(data) {
		err = j.file.Truncate(int64(whole))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	j.bytes = int64(whole)
	return j, nil
}

// readJobs reads a jobs file and changes nothing, also while a keygen works on it.
func readJobs(path string) (head jobsHead, jobs []client.SavedJob, err error) {
	data, err := readFile(path, maxJobsFile)
	if err == nil {
		head, jobs, _, err = parseJobs(data)
	}
	return head, jobs, err
}

// add saves a job before it is published.
func (j *jobsFile) add(job client.SavedJob) error {
	var line bytes.Buffer
	if err := printJSON(&line, savedLine{job.Payload}); err != nil {
		return err
	}
	if j.bytes += int64(line.Len()); j.bytes > maxJobsFile {
		return fmt.Errorf("%s has %d MiB: no more jobs fit in it", j.path, maxJobsFile>>20)
	}
	_, err := j.file.Write(line.Bytes())
	if err = errors.Join(err, j.file.Sync()); err != nil {
		return fmt.Errorf("saving a job: %w", err)
	}
	j.jobs = append(j.jobs, job)
	return nil
}

// remove is for a request of which nothing is open.
func (j *jobsFile) remove() error {
	return errors.Join(os.Remove(j.path), secret.SyncDir(filepath.Dir(j.path)))
}

func (j *jobsFile) close() {
	if j.file != nil {
		_ = j.file.Close() // every write was synced
	}
	_ = j.lock.Close()
}

// out is the path of the keys file, or empty.
func (j *jobsFile) out() string {
	if j.head.Out == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(j.path), j.head.Out)
}
