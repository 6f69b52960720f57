package protocol

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a job comes in, and the ways in which it ends.

// CheckedJob is a job as it came, and what its own bytes say of it.
type CheckedJob struct {
	Signed   wire.SignedJob
	ID       string // "" if the payload has none
	manifest *wire.Manifest
	digest   [32]byte
	job      *wire.Job      // nil if invalid
	unsigned *wire.JobError // nobody who may ask for it signed it
	invalid  *wire.JobError
}

// CheckJob does all checks of a job that need nothing but the job. They take time
// in proportion to its size, so its program does them before the machine's step.
func CheckJob(m *wire.Manifest, a *wire.Access, job wire.SignedJob, stored time.Time) *CheckedJob {
	c := &CheckedJob{Signed: job, ID: wire.PeekJobID(job.Payload), manifest: m, digest: job.Digest(m)}
	if c.unsigned = job.Authenticate(m, a); c.unsigned == nil {
		c.job, c.invalid = job.Parse(stored)
	}
	return c
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
	token   uint64
	stored  time.Time      // in JOBS
	batches []*keygenBatch // keygen
	sign    *activeSign    // sign
	result  *wire.Result   // set once the job has ended
}

func (j *activeJob) key() string { return jobKey(j.Signed.Client, j.ID) }

func (j *activeJob) over() bool { return j.result != nil }

func jobKey(client, id string) string { return client + "/" + id }

// onJob admits a job: who asks, what was answered before, and what is asked.
func (c *Coordinator) onJob(e JobArrived) {
	switch {
	case e.Job.unsigned != nil:
		c.reject(e.Token, e.Job, e.Job.unsigned)
		return
	case e.Job.ID == "":
		c.reject(e.Token, e.Job, wire.Refuse(wire.CodeMalformedJob, "payload has no job id (a UUID in lower case)"))
		return
	case e.Existing != nil:
		c.onExisting(e.Token, e.Job, e.Existing)
		return
	}
	j := &activeJob{CheckedJob: e.Job, token: e.Token, stored: e.Stored}
	if old := c.jobs[j.key()]; old != nil {
		if old.digest != j.digest {
			c.reject(e.Token, e.Job, wire.Refuse(wire.CodeJobIDReused,
				"job %s is in work with other content: take a new id", j.ID))
			return
		}
		c.supersede(old, e.Token)
		return
	}
	c.jobs[j.key()] = j
	switch {
	case j.invalid != nil:
		c.out.fail(j, j.invalid)
	case j.job.Kind == wire.KindKeygen:
		c.keygen.start(j)
	default:
		c.signing.start(j)
	}
}

// onExisting answers a job whose id has a stored result: the same job gets it
// again, another one is turned away.
func (c *Coordinator) onExisting(token uint64, j *CheckedJob, existing *ExistingResult) {
	if bytes.Equal(existing.Digest, j.digest[:]) {
		c.out.do(Replay{Token: token, Client: j.Signed.Client, Job: j.ID})
		return
	}
	c.reject(token, j, wire.Refuse(wire.CodeJobIDReused, "job %s was another job before: take a new id", j.ID))
}

// onPoison gives up a job that came too often.
func (c *Coordinator) onPoison(e JobPoisoned) {
	err := wire.Refuse(wire.CodePoison, "given up at delivery %d: no gateway finished it", e.Deliveries)
	switch {
	case e.Job.ID == "" || e.Job.unsigned != nil:
		c.reject(e.Token, e.Job, err)
		return
	case e.Existing != nil:
		c.onExisting(e.Token, e.Job, e.Existing)
		return
	}
	j := &activeJob{CheckedJob: e.Job, token: e.Token}
	if old := c.jobs[j.key()]; old != nil && old.digest == j.digest {
		c.supersede(old, e.Token)
		j = old
	}
	c.out.fail(j, err)
}

// supersede goes on with a job under its newer delivery.
func (c *Coordinator) supersede(j *activeJob, token uint64) {
	c.out.do(Supersede{Old: j.token, New: token})
	j.token = token
}

// answer is the part of a result that every job has.
func (j *CheckedJob) answer() *wire.Result {
	m := j.manifest
	mh := m.Hash()
	return &wire.Result{
		Job: j.ID, Client: j.Signed.Client, Kind: j.Signed.Kind, Digest: j.digest[:], Status: wire.StatusDone,
		Fleet: m.Fleet, Network: m.Network, Manifest: mh[:],
	}
}

func (j *CheckedJob) failure(err *wire.JobError) *wire.Result {
	r := j.answer()
	r.Status, r.Code, r.Error = wire.StatusFailed, err.Code, err.Reason
	return r
}

// reject turns a job away. The answer repeats the job's signature, so that
// nobody can pass it off as the answer to somebody else's job of that id.
func (c *Coordinator) reject(token uint64, j *CheckedJob, err *wire.JobError) {
	r := j.failure(err)
	r.Rejected = j.Signed.Signature
	c.out.do(Reject{Token: token, Job: j.Signed, Result: r})
}

// onResult ends a job whose result was computed.
func (c *Coordinator) onResult(e resultMade) {
	if e.err != nil {
		c.out.fail(e.job, wire.Refuse(wire.CodeInternal, "result: %v", e.err))
		return
	}
	c.out.end(e.job, e.result)
}

// finish answers a job that has ended, and lets others have its capacity.
func (c *Coordinator) finish(j *activeJob) {
	c.out.do(Finish{Token: j.token, Job: j.Signed, Result: j.result})
	if c.jobs[j.key()] == j {
		delete(c.jobs, j.key())
	}
	c.keygen.release(j)
	c.signing.release(j)
}

// expiryReason explains what an expired job was waiting for.
func (c *Coordinator) expiryReason(j *activeJob) *wire.JobError {
	if j.sign != nil {
		return c.signing.expiryReason(j)
	}
	return c.keygen.expiryReason(j)
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

// leaderSkew is how far the clocks of the servers that lead the streams may differ.
const leaderSkew = time.Second

// round reports that a round was through. One that was before this copy of the
// job was stored belongs to an earlier copy, or to a server whose clock is behind.
func (o *outbox) round(j *activeJob, round RoundKind, id string, suite frost.Suite, at time.Time) {
	if at.Before(j.stored.Add(-leaderSkew)) {
		return
	}
	o.do(Round{
		Round: round, Kind: j.job.Kind, Suite: suite, Interactive: j.job.Interactive(), Trace: j.Signed.Trace,
		ID: id, From: j.stored, To: later(j.stored, at),
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
