package wire

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"
)

// A sign job that waits for approvals has no expiry of its own: the fleet keeps it until
// enough of them are there, and it is over a while after the last one (docs/protocol.md,
// section 12).

// MaxWait is how long a job may wait for approvals, from its stream time.
const MaxWait = 7 * 24 * time.Hour

// Waits reports whether a job waits for approvals.
func (job *Job) Waits() bool { return !job.ApproveUntil.IsZero() }

// After is how long a job that waits may be worked on, from the last approval that counts.
func (job *Job) After() time.Duration { return time.Duration(job.ExpiresAfter) * time.Second }

// Over is when nobody signs the job any more, whatever approvals it has.
func (job *Job) Over() time.Time {
	if job.Waits() {
		return job.ApproveUntil.Add(job.After())
	}
	return job.Expires
}

// Counts reports whether an approval of that time may count for the job, by a clock. Times
// are the approvers' own: one that is ahead of all clocks would make the job live longer
// than anybody meant. Jobs that do not wait expire whenever they were approved.
func (job *Job) Counts(a Approval, now time.Time) bool {
	return !job.Waits() || !a.At().After(job.ApproveUntil) && !a.At().After(now.Add(ClockSkew))
}

// Approved is whose approvals of the job count, in order, given the keys of approvers by name,
// and when the job is over by them. A while after the last of them none counts: what a policy
// allows without them is allowed still, and another approval makes all count again.
func (job *Job) Approved(list []Approval, keys map[string]ed25519.PublicKey, m *Manifest, digest [32]byte, now time.Time) (
	names []string, over time.Time) {
	var last time.Time
	for _, a := range list {
		if key := keys[a.Name]; key != nil && job.Counts(a, now) && a.Verify(key, m, digest) {
			names = append(names, a.Name)
			if a.At().After(last) {
				last = a.At()
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch until := last.Add(job.After()); {
	case !job.Waits():
		return names, job.Expires
	case len(names) == 0 || now.After(until):
		return nil, job.Over()
	default:
		return names, until
	}
}

// checkLife checks until when a job is to be worked on, against when the bus stored it.
func (job *Job) checkLife(stored time.Time) *JobError {
	text := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case !job.Waits() && job.ExpiresAfter != 0:
		return Refuse(CodeMalformedJob, "expires_after without approve_until: they make a job that waits for approvals")
	case job.Waits() && !job.Expires.IsZero():
		return Refuse(CodeMalformedJob, "expires and approve_until in one job: one that waits for approvals has no expires")
	case job.Waits() && job.Kind != KindSign:
		return Refuse(CodeMalformedJob, "approve_until in a %s job: only sign jobs wait for approvals", job.Kind)
	case job.Waits() && (job.ExpiresAfter < 1 || job.ExpiresAfter > int(MaxJobLife.Seconds())):
		return Refuse(CodeMalformedJob, "expires_after is %d: want 1 to %d seconds, counted from the last approval",
			job.ExpiresAfter, int(MaxJobLife.Seconds()))
	case job.Waits() && !job.Over().After(stored): // the bus stores it with each task
		return Refuse(CodeExpired, "the job waited for approvals until %s and arrived at %s", text(job.ApproveUntil), text(stored))
	case job.Waits() && job.ApproveUntil.Sub(stored) > MaxWait+ClockSkew:
		return Refuse(CodeExpiryTooFar, "the job waits for approvals until %s: it may for at most %s", text(job.ApproveUntil),
			MaxWait)
	case job.Waits():
		return nil
	case job.Expires.IsZero():
		return Refuse(CodeExpired, "expires is missing: say until when the fleet is to try")
	case !job.Expires.After(stored):
		return Refuse(CodeExpired, "the job expired at %s and arrived at %s", text(job.Expires), text(stored))
	case job.Expires.Sub(stored) > MaxJobLife+ClockSkew:
		return Refuse(CodeExpiryTooFar, "the job expires at %s: a job lives at most %s", text(job.Expires), MaxJobLife)
	}
	return nil
}

// Limits of the jobs that wait. The gateways keep them; NATS bounds no count under several
// subjects.
const (
	MaxPending = 64   // of a client
	MaxGiven   = 1024 // bytes of an approval on its way
)

// PendingSubject is where a job stands while it waits, as its client published it, with the
// approvals that came since in headers of their own. Both may be "*".
func PendingSubject(client, job string) string { return "pending." + client + "." + job }

// ParsePending reads the subject of a job that waits.
func ParsePending(subject string) (JobRef, error) {
	t, err := tokens(subject, 3, "pending")
	if err != nil {
		return JobRef{}, err
	}
	return JobRef{Kind: KindSign, Client: t[1], Job: t[2]}, nil
}

const approveSubject = "approve"

// ApproveSubject is where an approver leaves approvals of jobs that wait. The server lets
// nobody else write there, and it takes so many at a time.
func ApproveSubject(approver string) string { return approveSubject + "." + approver }

// IsApprove reports whether a subject is ApproveSubject's, and whose.
func IsApprove(subject string) (approver string, ok bool) {
	t, err := tokens(subject, 2, approveSubject)
	if err != nil {
		return "", false
	}
	return t[1], true
}

// GivenVersion is the format of approvals on their way.
const GivenVersion = 1

// Given is an approval on its way to a job that waits.
type Given struct {
	Version  uint32   `cbor:"1,keyasint"`
	Client   string   `cbor:"2,keyasint"` // whose job it is
	Job      string   `cbor:"3,keyasint"` // id
	Approval Approval `cbor:"4,keyasint"`
}

// DecodeGiven reads an approval that came under an approver's subject. Whether it
// verifies, only those can tell who know the approvers' keys: nodes, by their policies.
func DecodeGiven(subject string, data []byte) (*Given, error) {
	approver, ok := IsApprove(subject)
	if !ok {
		return nil, fmt.Errorf("subject %.100q is none of approvals", subject)
	}
	a := &Given{}
	if err := Decode(data, MaxGiven, a); err != nil {
		return nil, fmt.Errorf("approval of %s: %w", approver, err)
	}
	switch {
	case a.Version != GivenVersion:
		return nil, fmt.Errorf("approval of %s of format %d, and this program reads %d", approver, a.Version, GivenVersion)
	case !IsToken(a.Client) || !IsJobID(a.Job):
		return nil, fmt.Errorf("approval of %s for job %.64q of client %.64q, which can't be", approver, a.Job, a.Client)
	case a.Approval.Name != approver || !a.Approval.wellFormed():
		return nil, fmt.Errorf("approval of %s is malformed, or made by %.64q", approver, a.Approval.Name)
	}
	return a, nil
}

// ApprovedAgain puts an approval among those that approvers left beside a job, in the place
// of an older one by the same approver, or of the oldest one where there is no room. It is
// false if that changes nothing: it is there, or what would make room for it is newer.
func ApprovedAgain(list []Approval, a Approval) ([]Approval, bool) {
	all := NewestApprovals(MergeApprovals(list, []Approval{a}), maxGiven)
	return all, !slices.EqualFunc(all, list, func(x, y Approval) bool { return compareApprovals(x, y) == 0 })
}

// NewestApprovals is the newest approval of each approver, in order, of at most so many: the
// newest.
func NewestApprovals(list []Approval, most int) []Approval {
	var all []Approval
	for i, a := range list { // in order: the newest of a name is its last
		if i+1 == len(list) || list[i+1].Name != a.Name {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b Approval) int { return cmp.Compare(b.Time, a.Time) })
	return MergeApprovals(all[:min(len(all), most)], nil)
}

// Headers are the headers with which a job stands on the bus, but for its trace.
func (j SignedJob) Headers() map[string][]string {
	headers := map[string][]string{HeaderClient: {j.Client}, HeaderSignature: {j.SignatureHeader()}}
	for _, a := range j.Approvals {
		headers[HeaderApproval] = append(headers[HeaderApproval], a.Header())
	}
	return headers
}

// HeaderGiven is the header, in PENDING, of an approval that came under its approver's
// subject. The server saw to whose it is; so what a client publishes takes none of their
// places.
const HeaderGiven = "Frost-Given"

// PendingJob is a job that waits: as its client published it, and the approvals that
// approvers left beside it since, one of each.
type PendingJob struct {
	SignedJob
	Given []Approval
}

// ReadPending reads a job in PENDING, as ReadJob does.
func ReadPending(client string, payload []byte, headers map[string][]string) PendingJob {
	p := PendingJob{SignedJob: ReadJob(KindSign, client, payload, headers)}
	var err error
	if p.Given, err = readApprovals(headers, HeaderGiven, maxGiven); err != nil && p.fault == "" {
		p.fault = err.Error()
	}
	return p
}

// Headers are the headers of a job in PENDING.
func (p PendingJob) Headers() map[string][]string {
	headers := p.SignedJob.Headers()
	for _, a := range p.Given {
		headers[HeaderGiven] = append(headers[HeaderGiven], a.Header())
	}
	return headers
}

// With is the job with approvals of a copy besides its client's own, the newest of each name
// and MaxApprovals at most; and whether that changes it.
func (p PendingJob) With(copied []Approval) (PendingJob, bool) {
	more := slices.DeleteFunc(slices.Clone(copied), func(a Approval) bool {
		return slices.ContainsFunc(p.Given, func(b Approval) bool { return compareApprovals(a, b) == 0 })
	})
	all := NewestApprovals(MergeApprovals(p.Approvals, more), MaxApprovals)
	changed := !slices.EqualFunc(all, p.Approvals, func(x, y Approval) bool { return compareApprovals(x, y) == 0 })
	p.Approvals = all
	return p, changed
}

// All is the job with all of its approvals, as it is run.
func (p PendingJob) All() SignedJob {
	job := p.SignedJob
	job.Approvals = MergeApprovals(p.Approvals, p.Given)
	return job
}
