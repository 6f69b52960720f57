package protocol

import (
	"bytes"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a job comes in, and the ways in which it ends.

// Events of a Coordinator.
type (
	// JobArrived is a delivery from JOBS.
	JobArrived struct {
		Token    uint64 // names the delivery in the effects that end it
		Job      *CheckedJob
		Stored   time.Time
		Existing *ExistingResult // under the job's client and id, if there is one
	}
	// JobPoisoned is a delivery that came too often: whoever worked on it died.
	JobPoisoned struct {
		Token      uint64
		Job        *CheckedJob
		Existing   *ExistingResult
		Deliveries int
	}
	// KeysRead says that all of KEYS, as it stood at the start, was read. Once its
	// summaries are done too the directory is complete; until then a key that is not
	// in it is looked up on its own.
	KeysRead struct{}
)

func (JobArrived) event()  {}
func (JobPoisoned) event() {}
func (KeysRead) event()    {}

// onJob admits a job: who asks, what was answered before, and what is asked.
func (c *Coordinator) onJob(e JobArrived) {
	if err := c.revoked(e.Job); err != nil {
		c.reject(e.Token, e.Job, err)
		return
	}
	switch {
	case e.Job.unsigned != nil:
		c.reject(e.Token, e.Job, e.Job.unsigned)
		return
	case e.Job.ID == "": // a job that has none is invalid
		c.reject(e.Token, e.Job, e.Job.invalid)
		return
	case e.Existing != nil:
		c.onExisting(e.Token, e.Job, e.Existing)
		return
	}
	j := &activeJob{CheckedJob: e.Job, token: e.Token, stored: e.Stored, approvals: e.Job.Signed.Approvals}
	if j.job != nil {
		j.until = lifeOf(j.job, later(j.stored, c.opener.Time()))
	}
	if old := c.jobs[j.key()]; old != nil {
		c.again(old, j)
		return
	}
	c.jobs[j.key()] = j
	frozen := c.frozenClient(j)
	switch {
	case j.invalid != nil:
		c.out.fail(j, j.invalid)
	case frozen != nil:
		c.out.fail(j, frozen)
	case j.expired(c.opener.Time()):
		c.out.unserved(j)
		c.out.fail(j, wire.Refuse(wire.CodeExpired, "the job expired at %s, before this gateway had it; "+
			"another may have worked on it", j.until.UTC().Format(time.RFC3339)))
	case j.job.Kind == wire.KindKeygen:
		c.keygen.start(j, c.keygenView(j))
	default:
		c.signing.start(j)
	}
}

// keygenView is under which manifest a job's keys are generated: that under which it was
// begun, by an earlier life of this gateway or by another one, or else the one for new keys.
func (c *Coordinator) keygenView(j *activeJob) *view {
	if v := c.keygen.begunUnder(j); v != nil {
		return v
	}
	if last, ok := c.signing.latest[j.key()]; ok && last.view != nil {
		return last.view
	}
	return c.views.forKeys()
}

// revoked returns what keeps a job out that waited, after its checks, while the access
// list changed.
func (c *Coordinator) revoked(j *CheckedJob) *wire.JobError {
	access := c.access.Load()
	if j.access == access || j.unsigned != nil {
		return nil
	}
	return j.Signed.Authenticate(c.views.pinned, access)
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
	if revoked := c.revoked(e.Job); revoked != nil {
		err = revoked
	}
	switch {
	case err.Code != wire.CodePoison || e.Job.ID == "" || e.Job.unsigned != nil:
		c.reject(e.Token, e.Job, err)
		return
	case e.Existing != nil:
		c.onExisting(e.Token, e.Job, e.Existing)
		return
	}
	j := &activeJob{CheckedJob: e.Job, token: e.Token, approvals: e.Job.Signed.Approvals}
	if old := c.jobs[j.key()]; old != nil {
		if !c.again(old, j) {
			return
		}
		j = old
	}
	c.out.fail(j, err)
}

// again reports whether a job is the one in work that has its id. Then that has its
// delivery now; another job is turned away.
func (c *Coordinator) again(old, j *activeJob) bool {
	if old.digest != j.digest {
		c.reject(j.token, j.CheckedJob,
			wire.Refuse(wire.CodeJobIDReused, "job %s is in work with other content: take a new id", j.ID))
		return false
	}
	c.supersede(old, j.token)
	old.until = later(old.until, j.until)
	if old.approve(j.approvals) {
		c.signing.approved(old)
	}
	return true
}

// supersede goes on with a job under its newer delivery.
func (c *Coordinator) supersede(j *activeJob, token uint64) {
	c.out.do(Supersede{Old: j.token, New: token})
	j.token = token
}

// reject turns a job away. The answer repeats the job's signature, so that
// nobody can pass it off as the answer to somebody else's job of that id.
func (c *Coordinator) reject(token uint64, j *CheckedJob, err *wire.JobError) {
	r := j.failure(err)
	if r.Rejected = j.Signed.Signature; len(r.Rejected) == 0 {
		r.Rejected = unsigned // nobody's, as an answer without it would count by its digest
	}
	c.out.do(Reject{Token: token, Job: j.Signed, Result: r})
}

// unsigned stands for the signature of a job that had none.
var unsigned = []byte{0}

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
	if flight := c.signing.storing(j); j.pends() {
		c.out.do(j.pend(flight, c.opener.Time()))
	} else {
		c.out.do(Finish{Token: j.token, Job: j.Signed, Result: j.result, Flight: flight, Nodes: c.signing.signers(j)})
	}
	if c.jobs[j.key()] == j {
		delete(c.jobs, j.key())
	}
	c.keygen.release(j)
	c.signing.release(j)
}

// expiryReason explains what an expired job was waiting for.
func (c *Coordinator) expiryReason(j *activeJob) *wire.JobError {
	if j.Signed.Kind == wire.KindSign {
		return c.signing.expiryReason(j)
	}
	return c.keygen.expiryReason(j)
}
