package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// SignJob is a job that carries a PSBT, a Solana transaction or a message. It was read, with
// keys that are proven, and found right. The same job may be published any number of times,
// and by another process that has its payload and Approvals: it is one job, and has one
// result.
type SignJob struct {
	ID        string
	Expires   time.Time  // when nobody signs it any more
	Wait      Wait       // for approvals; zero: it does not
	Payload   string     // byte for byte as it is signed
	Replaces  string     // id of the job whose fee this one bumps, if it does
	Approvals []Approval // that go with it when it is published

	// OnPending, if set, is called when the job is found to wait for approvals, with what it
	// lacks, and SignJob waits on. Otherwise SignJob returns a *PendingError.
	OnPending func(message string)

	kind    intent.Kind
	keys    []wire.SignKey
	final   bool
	roots   []intent.Root
	reading tx.Reading
}

// Approval is somebody's agreement to a job, where the policies of nodes want one: an
// Ed25519 signature over the job's digest and a time. They say whose keys count, and how many.
type Approval struct {
	Name      string // of the approver, as policies have it
	Signature []byte // 64 bytes
	Time      int64  // when it was made, Unix seconds: signed, too
}

// ParseSignJob reads the payload of a job of a PSBT, a transaction or a message. Keys are
// those that the payload names, and may be others beside them; they are proven, as Keygen
// and Proof.Verify return them.
func ParseSignJob(m *Manifest, payload string, keys []Key) (*SignJob, error) {
	job, err := parseSaved(wire.SignedJob{Kind: wire.KindSign, Payload: []byte(payload)})
	if err != nil {
		return nil, err
	}
	return readJob(m, newBranches(), job, payload, keys)
}

// at is when a job of a request is judged.
type at func(*wire.Job) time.Time

func presently(*wire.Job) time.Time { return time.Now() }

// newSignJob makes a job of a request.
func newSignJob(m *Manifest, branches *derive.Cache, job wire.Job, keys []Key, at at) (*SignJob, error) {
	if m == nil || m.core == nil {
		return nil, errors.New("client: there is no manifest: make one with ParseManifest")
	}
	job.Kind = wire.KindSign
	payload, err := complete(&job)
	if err != nil {
		return nil, err
	}
	if kind, content := job.Request(); len(content) == 0 { // JSON would leave it out
		return nil, &JobError{Job: job.ID, Code: CodeEmptyBatch, Message: string(kind) + " is empty"}
	}
	if _, refusal := (wire.SignedJob{Kind: job.Kind, Payload: payload}).Parse(at(&job)); refusal != nil {
		return nil, &JobError{Job: job.ID, Code: Code(refusal.Code), Message: refusal.Reason}
	}
	return readJob(m, branches, &job, string(payload), keys)
}

// readJob reads what a job carries, as every node will.
func readJob(m *Manifest, branches *derive.Cache, job *wire.Job, payload string, keys []Key) (*SignJob, error) {
	kind, content := job.Request()
	if kind == intent.Raw {
		return nil, fmt.Errorf("client: job %s has items, and none of a PSBT, a transaction and a message", job.ID)
	}
	roots, used, err := rootsOf(m, job.Keys, keys)
	if err != nil {
		return nil, err
	}
	refuse := func(code Code, format string, args ...any) error {
		return &JobError{Job: job.ID, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	for _, k := range used {
		if suite, _ := wire.ChainSuite(k.Chain); suite != wire.RequestSuite(kind) {
			return nil, refuse(CodeBadMessage, "key %s is of %s, and a %s is signed with keys of suite %s", k.ID, k.Chain,
				kind, wire.RequestSuite(kind))
		}
	}
	reading, refusal := tx.Read(tx.Request{Kind: kind, Bytes: content, Roots: roots, Partial: job.Partial}, m.Network,
		branches)
	if refusal != nil {
		return nil, refuse(Code(refusal.Code), "%s", refusal.Reason)
	}
	if n := len(reading.Intent().Signatures); n > MaxJobItems {
		return nil, refuse(CodeTooLarge, "it asks for %d signatures: a job has at most %d", n, MaxJobItems)
	}
	wait := Wait{Until: job.ApproveUntil, After: job.After()}
	return &SignJob{ID: job.ID, Expires: job.Over(), Wait: wait, Payload: payload, Replaces: job.Replaces, kind: kind, keys: job.Keys,
		final: job.Finalize, roots: roots, reading: reading}, nil
}

// SavedKeys are the ids of the keys that the payload of such a job names; none if it is a
// job of items.
func SavedKeys(payload string) ([]string, error) {
	job, err := parseSaved(wire.SignedJob{Kind: wire.KindSign, Payload: []byte(payload)})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, k := range job.Keys {
		ids = append(ids, k.Key)
	}
	return ids, nil
}

// Reading is what the job means, for programs of this project.
func (j *SignJob) Reading() (*intent.Intent, []intent.Root) { return j.reading.Intent(), j.roots }

// Digest identifies the job: the manifest, the client and the payload.
func (j *SignJob) Digest(m *Manifest, client string) [32]byte {
	return wire.SignedJob{Client: client, Kind: wire.KindSign, Payload: []byte(j.Payload)}.Digest(m.core)
}

// Approve adds an approver's agreement to the job of a client.
func (j *SignJob) Approve(m *Manifest, client, name string, key ed25519.PrivateKey) error {
	if !wire.IsToken(name) {
		return fmt.Errorf("client: approver %.64q: want 1 to 64 letters, digits, _ and -", name)
	}
	made := wire.Approve(key, name, m.core, j.Digest(m, client), time.Now())
	return j.AddApprovals(Approval(made))
}

// ApprovedBy are those of named keys whose approvals of a client's job verify.
func (j *SignJob) ApprovedBy(m *Manifest, client string, keys map[string]ed25519.PublicKey) (names []string) {
	digest := j.Digest(m, client)
	for _, a := range wireApprovals(j.Approvals) {
		if key, ok := keys[a.Name]; ok && a.Verify(key, m.core, digest) && !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// AddApprovals adds approvals, each once. Whether they verify is for those to say who know
// the approvers' keys: nodes.
func (j *SignJob) AddApprovals(approvals ...Approval) error {
	all := wire.MergeApprovals(wireApprovals(j.Approvals), wireApprovals(approvals))
	for _, a := range all {
		if _, err := wire.ParseApproval(a.Header()); err != nil {
			return fmt.Errorf("client: approval: %w", err)
		}
	}
	if len(all) > wire.MaxApprovals {
		return fmt.Errorf("client: %d approvals: a job has at most %d", len(all), wire.MaxApprovals)
	}
	j.Approvals = nil
	for _, a := range all {
		j.Approvals = append(j.Approvals, Approval(a))
	}
	return nil
}

func wireApprovals(list []Approval) (all []wire.Approval) {
	for _, a := range list {
		all = append(all, wire.Approval(a))
	}
	return all
}

// signNew publishes a job that was just made, unless that failed.
func (c *Client) signNew(ctx context.Context, job *SignJob, save func(*SignJob) error, err error) (*Signed, error) {
	if err == nil && save != nil {
		err = save(job)
	}
	if err != nil {
		return nil, err
	}
	return c.SignJob(ctx, job)
}

// SignJob publishes a job with its approvals, waits for the answer, and checks it. While the
// fleet is busy it waits. It may be called again with the same job, also one of ParseSignJob.
// Errors: as Handle.Wait.
func (c *Client) SignJob(ctx context.Context, job *SignJob) (*Signed, error) {
	j, err := c.repeatSign(job)
	if err != nil {
		return nil, err
	}
	if _, refusal := j.Parse(time.Now()); refusal != nil {
		return nil, &JobError{Job: job.ID, Code: Code(refusal.Code), Message: refusal.Reason}
	}
	h, err := submitMade(ctx, c, newRead(c, job, j), true)
	return waitJob(ctx, c, h, err)
}

// FetchSigned is FetchKeygen for a job of a PSBT, a transaction or a message.
func (c *Client) FetchSigned(ctx context.Context, job *SignJob) (*Signed, error) {
	j, err := c.repeatSign(job)
	if err != nil {
		return nil, err
	}
	return fetch(ctx, c, j, job.check(c.manifest, c.recheck), nil)
}

func (c *Client) repeatSign(job *SignJob) (*prepared, error) {
	if job == nil || job.reading == nil {
		return nil, errors.New("client: the job was not read: make it with Job of a request, or with ParseSignJob")
	}
	if err := job.AddApprovals(); err != nil { // those that a caller put there
		return nil, err
	}
	j, err := c.repeat(wire.KindSign, job.Payload)
	if err != nil {
		return nil, err
	}
	j.Approvals = wireApprovals(job.Approvals)
	return j, nil
}
