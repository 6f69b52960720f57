package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Jobs that wait for approvals (docs/protocol.md, section 12). Each node computes for itself
// when such a job is over, from the approvals that verify under its own policy and by its own
// clock. Gateways know no approver's key: to them a job that lacks approvals has not ended,
// but waits, and is run again with each approval that comes.

// Pend has a job stand among those that wait for approvals, unless it does, or its client has
// as many there as it may have. It tells the client, and acknowledges the delivery. Finished
// answers it if it has a flight.
type Pend struct {
	Token  uint64
	Job    wire.SignedJob // with all approvals that it came with
	Result *wire.Result   // what the client is told: pending, and why
	Flight uint64
}

func (Pend) effect() {}

// Waits reports whether the job waits for approvals.
func (j *CheckedJob) Waits() bool { return j.job != nil && j.job.Waits() }

// Digest identifies the job.
func (j *CheckedJob) Digest() [32]byte { return j.digest }

// MayCount reports whether an approval may count by its time. One that is ahead of the clock
// would keep its maker from approving again, as the newest of an approver counts.
func (j *CheckedJob) MayCount(a wire.Approval, now time.Time) bool {
	return j.Waits() && j.job.Counts(a, now)
}

// WithApprovals is the job with other approvals: those that it came with, and those of the
// same job in PENDING.
func (j *CheckedJob) WithApprovals(list []wire.Approval) *CheckedJob {
	c := *j
	c.Signed.Approvals = list
	return &c
}

// Over is when nobody signs the job any more; zero if it can't be read.
func (j *CheckedJob) Over() time.Time {
	if j.job == nil {
		return time.Time{}
	}
	return j.job.Over()
}

// Lapsed is the answer to a job that has waited in vain, or can't be read.
func (j *CheckedJob) Lapsed() *wire.Result {
	if j.job == nil {
		return j.failure(j.invalid)
	}
	return j.failure(wire.Refuse(wire.CodeExpired, "too few approvals came until %s",
		j.job.ApproveUntil.UTC().Format(time.RFC3339)))
}

// Authentic reports whether a client of the access list signed the job.
func (j *CheckedJob) Authentic() bool { return j.unsigned == nil }

// pends reports whether a job that ended with a result waits for approvals now.
func (j *activeJob) pends() bool {
	return j.Waits() && j.result.Status == wire.StatusDenied && j.result.Code == wire.CodeApprovalRequired
}

// pend is the effect of that.
func (j *activeJob) pend(flight uint64, now time.Time) Pend {
	r, job := *j.result, j.approved()
	r.Status = wire.StatusPending
	job.Approvals = slices.DeleteFunc(slices.Clone(job.Approvals), func(a wire.Approval) bool { return !j.MayCount(a, now) })
	return Pend{Token: j.token, Job: job, Result: &r, Flight: flight}
}

// lifeOf is when a gateway gives a job up that it begins now. One that waits for approvals is
// run for as long as approvals count that are made now; which do, gateways can't tell. An
// approval that no gateway took in time is too old: then nodes say what the job lacks, and it
// waits on.
func lifeOf(job *wire.Job, now time.Time) time.Time {
	if !job.Waits() {
		return job.Expires
	}
	if until := now.Add(job.After()); until.Before(job.Over()) {
		return until
	}
	return job.Over()
}

// expired reports whether the gateway gives the job up.
func (j *activeJob) expired(now time.Time) bool { return now.After(j.until) }
