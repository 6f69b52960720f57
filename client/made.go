package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Maker makes jobs of one client and checks their results, without a connection: for jobs
// that somebody else carries to the fleet, such as a gateway's HTTP API. Who carries a job
// can read it and lose it, and do nothing else with it.
//
//	maker, err := client.NewMaker(config)
//	made, err := maker.Sign(client.SignRequest{Items: items})
//	... made.Payload and made.Signature go out, the result comes back with two headers
//	sigs, err := made.Check(result, gateway, signature)
//
// All methods may be called concurrently.
type Maker struct{ c *Client }

// NewMaker needs Manifest, Gateways, Name and Key of a Config, and of the rest only
// SecondKeys counts. Of gateways that are revoked later it does not hear: make another one
// when the access list changes.
func NewMaker(cfg Config) (*Maker, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c, err := newClient(&cfg)
	if err != nil {
		return nil, err
	}
	return &Maker{c}, nil
}

// Maker makes jobs of this client. [Submit] publishes them.
func (c *Client) Maker() *Maker { return &Maker{c} }

// Made is a job that is signed and found right, and not published. Made anew of the same
// request with the same JobID and Expires, or Wait, it is the same job, byte for byte, also
// after it is over: then its result can be had, and nothing else.
type Made[R any] struct {
	ID        string // UUID
	Kind      string // keygen or sign
	Payload   string // byte for byte as it is signed
	Signature []byte // Ed25519, 64 bytes: docs/protocol.md, section 3
	Approvals []Approval
	Over      time.Time // nobody works on it after that

	from      *Client
	j         *prepared
	check     func(*prepared, *answer) (*R, error)
	short     func(*R) error // see Handle
	ahead     func()         // does what checking needs and what can be done before
	onPending func(string)
}

func newMade[R any](c *Client, j *prepared, check func(*prepared, *answer) (*R, error)) *Made[R] {
	m := &Made[R]{ID: j.job.ID, Kind: string(j.Kind), Payload: string(j.Payload), Signature: j.Signature,
		Over: j.job.Over(), from: c, j: j, check: check, ahead: func() {}}
	for _, a := range j.Approvals {
		m.Approvals = append(m.Approvals, Approval(a))
	}
	return m
}

// newRead is one that nodes read.
func newRead(c *Client, job *SignJob, j *prepared) *Made[Signed] {
	made := newMade(c, j, job.check(c.manifest, c.recheck))
	made.onPending = job.OnPending
	return made
}

// Keygen makes the job of a request that fits one: 1 to MaxJobKeys keys.
func (m *Maker) Keygen(req KeygenRequest) (*Made[KeygenResult], error) {
	j, err := m.c.prepare(req.job(req.Count))
	if err != nil {
		return nil, err
	}
	return newMade(m.c, j, m.c.checkKeygen), nil
}

// Sign makes the job of a request that fits one: 1 to MaxJobItems items and 1 MiB. The
// caller may use the bytes of its items again.
func (m *Maker) Sign(req SignRequest) (*Made[SignResult], error) {
	items := make([]SignItem, len(req.Items))
	for i, it := range req.Items {
		items[i] = it.clone()
	}
	return m.c.makeSign(req, items)
}

// PSBT makes the job of a PSBT. OnJob is not called.
func (m *Maker) PSBT(req SignPSBTRequest) (*Made[Signed], error) {
	return m.read(req.job(m.c.stated, m.c.branches, lastly))
}

// SolanaTransaction makes the job of a Solana transaction. OnJob is not called.
func (m *Maker) SolanaTransaction(req SignSolanaRequest) (*Made[Signed], error) {
	return m.read(req.job(m.c.stated, m.c.branches, lastly))
}

// Message makes the job of a text. OnJob is not called.
func (m *Maker) Message(req SignMessageRequest) (*Made[Signed], error) {
	return m.read(req.job(m.c.stated, m.c.branches, lastly))
}

func (m *Maker) read(job *SignJob, err error) (*Made[Signed], error) {
	if err != nil {
		return nil, err
	}
	return m.Job(job)
}

// Job makes one of a job that was read, with its approvals.
func (m *Maker) Job(job *SignJob) (*Made[Signed], error) {
	j, err := m.c.repeatSign(job)
	if err != nil {
		return nil, err
	}
	return newRead(m.c, job, j), nil
}

// Check checks a result as the fleet stored it: its bytes, and what stands beside them in
// the headers Frost-Gateway and Frost-Signature, the latter decoded. It does what Handle.Wait
// does with an answer, with the same errors.
func (m *Made[R]) Check(result []byte, gateway string, signature []byte) (r *R, err error) {
	a, err := m.from.readSigned(m.j, result, gateway, signature)
	if err == nil && a.result.Status == wire.StatusPending {
		return nil, &PendingError{Job: m.ID, Message: a.result.Error, Gateway: gateway}
	}
	if err != nil {
		return nil, fmt.Errorf("client: this is no result of job %s: %w", m.ID, err)
	}
	if err := a.failure(); err != nil {
		return nil, err
	}
	if r, err = m.check(m.j, a); err != nil {
		return nil, unproven(m.ID, gateway, err)
	}
	if m.short != nil {
		err = m.short(r)
	}
	return r, err
}

// Submit publishes a job that this client's Maker made, and returns once it is stored. If
// the fleet is busy it says so at once, with a *BusyError. Submitted again it is the same
// job, and is answered with the first result.
func Submit[R any](ctx context.Context, c *Client, made *Made[R]) (*Handle[R], error) {
	if made.from != c {
		return nil, errOtherMaker
	}
	return submitMade(ctx, c, made, false)
}

// Fetch is FetchKeygen for a job that this client's Maker made: what came of it, by the
// result that the fleet stores for 24 hours.
func Fetch[R any](ctx context.Context, c *Client, made *Made[R]) (*R, error) {
	if made.from != c {
		return nil, errOtherMaker
	}
	return fetch(ctx, c, made.j, made.check, made.short)
}

var errOtherMaker = errors.New("client: this job was made by the Maker of another client")
