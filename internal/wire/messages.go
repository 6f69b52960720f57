package wire

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
)

// MaxAttempts bounds the attempts of one part of a job: they count from 0 to it.
const MaxAttempts = 256

// Task is a gateway's word that a job's part is to be worked on, with the job
// as the client signed it: workers check everything again.
type Task struct {
	Job     SignedJob `cbor:"1,keyasint"`
	Part    uint32    `cbor:"2,keyasint"`
	Attempt uint32    `cbor:"3,keyasint"`
	Items   []uint32  `cbor:"4,keyasint,omitempty"` // sign: which of the job's items, ascending
	Exclude []uint8   `cbor:"5,keyasint,omitempty"` // sign: nodes that sit this attempt out, ascending
	Draft   string    `cbor:"6,keyasint,omitempty"` // sign: the draft of BIP 445 that the gateway aggregates by
	// Manifest is the one whose nodes are to work; zero: the fleet's founding one.
	Manifest [32]byte `cbor:"7,keyasint,omitzero"`
	Form     uint32   `cbor:"8,keyasint,omitempty"` // of the attempt's rounds; see the constant Form
}

// For has a task worked on by the nodes of a manifest.
func (t *Task) For(m *Manifest) *Task {
	if m.Successor() {
		t.Manifest = m.Hash()
	}
	return t
}

// Of reports whether a task is for the nodes of a manifest.
func (t *Task) Of(m *Manifest) bool {
	if t.Manifest == [32]byte{} {
		return !m.Successor()
	}
	return t.Manifest == m.Hash()
}

// SignTask returns a task of this program's draft for some of a job's items.
func SignTask(job SignedJob, attempt int, items []uint32, exclude []uint8) *Task {
	return &Task{Job: job, Attempt: uint32(attempt), Items: items, Exclude: exclude, Draft: bip445.Draft}
}

const maxDraft = 32 // bytes of the name of a draft

// InForm has the rounds of a task's attempt encoded in a form.
func (t *Task) InForm(form uint32) *Task {
	t.Form = form
	return t
}

// Session is the signing session's identity: draft, job, attempt, items, exclusions, the form unless it is 0, and the
// approvals if there are any.
// Programs of different drafts never meet in one session: their nonces and shares would not fit together, and honest
// nodes would be blamed. A job that waited days for another approval begins at attempt 0 again, and is another session.
func (t *Task) Session(m *Manifest) [32]byte {
	mh, digest := m.Hash(), t.Job.Digest(m)
	var items []byte
	for _, i := range t.Items {
		items = binary.BigEndian.AppendUint32(items, i)
	}
	parts := [][]byte{mh[:], []byte(t.Draft), digest[:], Be32(t.Attempt), items, t.Exclude}
	if len(t.Job.Approvals) > 0 {
		parts = append(parts, Encode(t.Job.Approvals))
	}
	if t.Form > 0 {
		return frost.Hash("frostfleet/sign/v3", append([][]byte{Be32(t.Form)}, parts...)...)
	}
	return frost.Hash("frostfleet/sign/v2", parts...)
}

// DecodeTask opens a task's body, with the bounds that hold for every task.
func DecodeTask(body []byte, m *Manifest) (*Task, error) {
	var t Task
	if err := Decode(body, MaxJobSize+1<<16, &t); err != nil {
		return nil, err
	}
	nodes := m.N
	if !t.Of(m) {
		nodes = MaxNodes // how many there are its own nodes know
	}
	if t.Part > MaxJobKeys || t.Attempt > MaxAttempts || !ascending(t.Items, MaxJobItems) || !ascending(t.Exclude, nodes) ||
		len(t.Draft) > maxDraft {
		return nil, fmt.Errorf("task with part %d, attempt %d, %d items, %d exclusions, draft %.40q is out of bounds",
			t.Part, t.Attempt, len(t.Items), len(t.Exclude), t.Draft)
	}
	if t.Form > Form {
		return nil, fmt.Errorf("task whose rounds have form %d: this program knows 0 to %d", t.Form, Form)
	}
	if err := t.Job.checkApprovals(); err != nil {
		return nil, err
	}
	return &t, nil
}

func ascending[T uint8 | uint32](list []T, limit int) bool {
	for i, v := range list {
		if int(v) >= limit || i > 0 && list[i-1] >= v {
			return false
		}
	}
	return true
}

// Complaint is an abort (of a batch) or a refusal (of a signing session).
// Session is the batch's or the session's context.
type Complaint struct {
	Session [32]byte `cbor:"1,keyasint"`
	Code    Code     `cbor:"2,keyasint"`
	Reason  string   `cbor:"3,keyasint"`
	Culprit *uint8   `cbor:"4,keyasint,omitempty"`
}

func DecodeComplaint(body []byte) (*Complaint, error) {
	var c Complaint
	if err := Decode(body, 2*maxReason, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// CommitBody is a node's public nonces for every item of a session.
type CommitBody struct {
	Session     [32]byte     `cbor:"1,keyasint"`
	Points      []byte       `cbor:"2,keyasint"`
	Attestation *Attestation `cbor:"3,keyasint,omitempty"`
}

func CommitLeaf(m *Manifest, session [32]byte, node int, points []byte) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/commitment/v1", mh[:], session[:], Be32(node), points)
}

// DecodeCommit reads a node's commitment for a session, and checks that its HSM
// signed it where the manifest asks for that. The points are not checked.
func (o *Opener) DecodeCommit(body []byte, session [32]byte, node int) (*CommitBody, error) {
	var c CommitBody
	if err := Decode(body, MaxMessageSize, &c); err != nil {
		return nil, err
	}
	if c.Session != session {
		return nil, fmt.Errorf("commitment for another session")
	}
	if o.manifest.AttestSigning {
		if err := o.attested(c.Attestation, node, CommitLeaf(o.manifest, session, node, c.Points)); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// ShareBody is a node's signature shares, and the set that they are for.
type ShareBody struct {
	Session [32]byte `cbor:"1,keyasint"`
	Set     [32]byte `cbor:"2,keyasint"` // setHash
	Shares  []byte   `cbor:"3,keyasint"`
}

func DecodeShare(body []byte, session [32]byte) (*ShareBody, error) {
	var s ShareBody
	if err := Decode(body, MaxMessageSize, &s); err != nil {
		return nil, err
	}
	if s.Session != session || len(s.Shares) > MaxJobItems*frost.ScalarSize {
		return nil, fmt.Errorf("share for another session, or too long")
	}
	return &s, nil
}

func Clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxReason)], "")
}
