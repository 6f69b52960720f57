package protocol

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// CheckedJob is a job as it came, and what its own bytes say of it.
type CheckedJob struct {
	Signed   wire.SignedJob
	ID       string // "" if the payload has none that a job may have
	named    string // what the answer calls the job then; "" if the payload names nothing
	manifest *wire.Manifest
	access   *wire.Access // by which it was checked
	digest   [32]byte
	job      *wire.Job      // nil if invalid
	unsigned *wire.JobError // nobody who may ask for it signed it
	invalid  *wire.JobError
	wrong    []*wire.JobError // by item, where one is wrong whatever its key is
	size     int              // keys, or signatures as far as a look shows
}

// CheckJob does all checks of a job that need nothing but the job. They take time
// in proportion to its size, so its program does them before the machine's step.
func CheckJob(m *wire.Manifest, a *wire.Access, job wire.SignedJob, stored time.Time) *CheckedJob {
	c := &CheckedJob{Signed: job, ID: wire.PeekJobID(job.Payload), manifest: m, access: a, digest: job.Digest(m)}
	if c.ID == "" {
		c.named = wire.NamedID(job.Payload)
	}
	if c.unsigned = job.Authenticate(m, a); c.unsigned == nil {
		c.job, c.invalid = job.Parse(stored)
	}
	if c.job != nil {
		c.wrong, c.size = wrongItems(c.job.Items), sizeOf(c.job)
	}
	return c
}

// interactive reports whether a job asks for little: its latency is one that somebody waits for.
func (j *CheckedJob) interactive() bool { return j.size <= wire.InteractiveItems }

func wrongItems(items []wire.JobItem) (wrong []*wire.JobError) {
	for i, it := range items {
		if err := it.Check(); err != nil {
			if wrong == nil {
				wrong = make([]*wire.JobError, len(items))
			}
			wrong[i] = err
		}
	}
	return wrong
}

// ExistingResult is the stored result under a job's client and id.
type ExistingResult struct {
	Digest []byte // of the job that it answers
}

// ReadExisting reads what is needed of a stored result. Bytes that are no result
// answer no job.
func ReadExisting(stored []byte) *ExistingResult {
	var r struct {
		Digest wire.HexBytes `json:"digest"`
	}
	if json.Unmarshal(stored, &r) != nil {
		return &ExistingResult{}
	}
	return &ExistingResult{Digest: r.Digest}
}

// activeJob is a job in work.
type activeJob struct {
	*CheckedJob
	token     uint64
	stored    time.Time       // in JOBS
	until     time.Time       // when the gateway gives it up
	answering bool            // its result is being computed
	result    *wire.Result    // set once the job has ended
	approvals []wire.Approval // of all deliveries
	renewed   int             // how often others came to them
}

func (j *activeJob) key() string { return jobKey(j.Signed.Client, j.ID) }

func (j *activeJob) over() bool { return j.result != nil }

func jobKey(client, id string) string { return client + "/" + id }

// answer is the part of a result that every job has.
func (j *CheckedJob) answer() *wire.Result {
	m := j.manifest
	fleet := m.FleetID()
	return &wire.Result{
		Job: cmp.Or(j.ID, j.named), Client: j.Signed.Client, Kind: j.Signed.Kind, Digest: j.digest[:], Status: wire.StatusDone,
		Fleet: m.Fleet, Network: m.Network, Manifest: fleet[:],
	}
}

func (j *CheckedJob) failure(err *wire.JobError) *wire.Result {
	r := j.answer()
	r.Status, r.Code, r.Error = wire.StatusFailed, err.Code, err.Reason
	if err.Code.Denial() {
		r.Status = wire.StatusDenied
	}
	return r
}

// report is a report about a job in work.
func (j *activeJob) report(what ReportKind, id string) Report {
	return Report{What: what, Kind: j.Signed.Kind, ID: id, Job: j.key(), Trace: j.Signed.Trace, Culprit: -1}
}

// retry reports that an attempt begins again; culprit -1 is nobody.
func (j *activeJob) retry(code wire.Code, reason string, culprit int) Report {
	r := j.report(ReportRetry, j.ID)
	r.Code, r.Reason, r.Culprit = code, reason, culprit
	return r
}
