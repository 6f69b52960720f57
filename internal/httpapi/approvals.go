package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/wire"
)

var _ = resource((*Server).addApprovals)

func (s *Server) addApprovals() {
	register(s, operation{
		id: "listApprovals", method: http.MethodGet, path: "/v1/approvals", tag: "Approvals",
		scopes: []Scope{Approve, Read}, summary: "List the jobs that wait for approvals",
		text: "Each with the payload that its client signed, byte for byte, and what it means. Approve no job that is not " +
			"verified, and compute the digest of what you approve yourself (docs/jobs.md, Approvals).",
	}, s.listApprovals)
	register(s, operation{
		id: "approve", method: http.MethodPost, path: "/v1/approvals", tag: "Approvals", scopes: []Scope{Approve},
		status: http.StatusAccepted, summary: "Approve a job that waits",
		codes: []string{"not_found", string(wire.CodeBadSignature), string(wire.CodeUnknownClient), string(wire.CodeExpired),
			string(wire.CodeMalformedJob)},
		text: "The approval is carried to the nodes, whose policies alone know whose key counts: accepted does not mean " +
			"that it verifies. The same approval may be sent again.",
	}, s.approve)
}

// PendingApproval is a job that waits for approvals.
type PendingApproval struct {
	Client       string          `json:"client" doc:"Whose it is"`
	Job          string          `json:"job" doc:"UUID"`
	Kind         string          `json:"kind" doc:"What it asks for: raw, psbt, solana_transaction, bitcoin_message or solana_message; empty: it can't be read"`
	Digest       string          `json:"digest" pattern:"^[0-9a-f]{64}$" doc:"Hexadecimal: what an approval is of"`
	Payload      string          `json:"payload" doc:"The job, byte for byte as its client signed it"`
	Signature    string          `json:"signature" pattern:"^([0-9a-f]{128})?$" doc:"The client's, hexadecimal"`
	Verified     bool            `json:"verified" doc:"A client of the access list signed it, and it can be read. Do not approve another one"`
	Error        string          `json:"error,omitempty" doc:"Not verified: why"`
	Reading      Reading         `json:"reading"`
	Approvals    []GivenApproval `json:"approvals" doc:"That are there. Whether they count, nodes know"`
	ApproveUntil *time.Time      `json:"approve_until,omitempty"`
	ExpiresAfter int             `json:"expires_after,omitempty" doc:"Seconds from the last approval within which it is signed, or never"`
}

// Reading is a job as a person reads it.
type Reading struct {
	Text    string           `json:"text" doc:"For people, as frostctl approve shows it; empty: there is none"`
	Meaning *reading.Meaning `json:"meaning,omitempty" doc:"For programs. Amounts are in the smallest units"`
	Error   string           `json:"error,omitempty" doc:"Why there is none"`
}

// GivenApproval is an approval that is there.
type GivenApproval struct {
	Approver string    `json:"approver" doc:"As policies name it"`
	Time     time.Time `json:"time" doc:"When it was made, as the approver says"`
}

// ApprovalList is all of them, and what an approver signs beside a digest.
type ApprovalList struct {
	Fleet     string            `json:"fleet"`
	Network   string            `json:"network"`
	Manifest  string            `json:"manifest" pattern:"^[0-9a-f]{64}$" doc:"Hash of the fleet's founding manifest"`
	Approvals []PendingApproval `json:"approvals" doc:"The jobs that wait, by client and job"`
}

// ListApprovalsOutput is the answer.
type ListApprovalsOutput struct{ Body ApprovalList }

func (s *Server) listApprovals(ctx context.Context, _ *struct{}) (*ListApprovalsOutput, error) {
	waiting, err := s.cfg.Carrier.Pending(ctx, s.principal(ctx).Of())
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	id := s.cfg.Manifest.FleetID()
	list := ApprovalList{Fleet: s.cfg.Manifest.Fleet, Network: s.cfg.Manifest.Network, Manifest: hex.EncodeToString(id[:]),
		Approvals: make([]PendingApproval, len(waiting))}
	for i := range waiting {
		list.Approvals[i] = s.pendingApproval(&waiting[i])
	}
	slices.SortFunc(list.Approvals, func(a, b PendingApproval) int {
		return strings.Compare(a.Client+"."+a.Job, b.Client+"."+b.Job)
	})
	return &ListApprovalsOutput{list}, nil
}

// pendingApproval is a job that waits as answers have it. It is shown whatever is wrong with
// it, with what that is.
func (s *Server) pendingApproval(p *wire.PendingJob) PendingApproval {
	signed := p.All()
	digest := signed.Digest(s.cfg.Manifest)
	v := PendingApproval{
		Client: signed.Client, Job: wire.PeekJobID(signed.Payload), Digest: hex.EncodeToString(digest[:]),
		Payload: string(signed.Payload), Signature: hex.EncodeToString(signed.Signature),
		Approvals: make([]GivenApproval, len(signed.Approvals)),
	}
	for i, a := range signed.Approvals {
		v.Approvals[i] = GivenApproval{a.Name, a.At().UTC()}
	}
	job, refusal := s.open(signed)
	if refusal != nil {
		v.Error, v.Reading.Error = refusal.Error(), refusal.Error()
		return v
	}
	kind, _ := job.Request()
	until := job.ApproveUntil.UTC()
	v.Verified, v.Kind, v.ApproveUntil, v.ExpiresAfter = true, string(kind), &until, job.ExpiresAfter
	v.Reading = s.read(signed.Client, job)
	return v
}

// open checks that a client of the access list signed a job, and reads it.
func (s *Server) open(signed wire.SignedJob) (*wire.Job, *wire.JobError) {
	if refusal := signed.Authenticate(s.cfg.Manifest, s.cfg.Access()); refusal != nil {
		return nil, refusal
	}
	return signed.Parse(s.cfg.Now())
}

// ApproveInput is an approval.
type ApproveInput struct {
	Body struct {
		Client    string `json:"client" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Whose job it is"`
		Job       string `json:"job" minLength:"36" maxLength:"36" pattern:"^[0-9a-fA-F-]+$" doc:"Its id"`
		Approver  string `json:"approver" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"As policies name it"`
		Time      int64  `json:"time" minimum:"1" maximum:"253402300799" doc:"Unix seconds, as they are signed"`
		Signature string `json:"signature" pattern:"^[0-9a-f]{128}$" doc:"Ed25519, hexadecimal, over the text in docs/jobs.md, Approvals"`
	}
}

// CarriedApproval is an approval that is on its way.
type CarriedApproval struct {
	Client   string    `json:"client"`
	Job      string    `json:"job"`
	Approver string    `json:"approver"`
	Time     time.Time `json:"time"`
	Digest   string    `json:"digest" pattern:"^[0-9a-f]{64}$" doc:"Of the job that it is carried to"`
}

// ApproveOutput is the answer.
type ApproveOutput struct{ Body CarriedApproval }

func (s *Server) approve(ctx context.Context, in *ApproveInput) (*ApproveOutput, error) {
	b := in.Body
	signed, err := s.waits(ctx, b.Client, b.Job)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	job, refusal := s.open(signed)
	if refusal != nil {
		return nil, ofFleet(string(refusal.Code), "the job is none to approve: "+refusal.Reason)
	}
	raw, err := hex.DecodeString(b.Signature)
	if err != nil {
		return nil, problem("bad_request", "the signature is not hexadecimal")
	}
	a := wire.Approval{Name: b.Approver, Signature: raw, Time: b.Time}
	if _, err := wire.ParseApproval(a.Header()); err != nil {
		return nil, problem("bad_request", "the approval is malformed")
	}
	if !job.Counts(a, s.cfg.Now()) {
		p := problem("validation_failed", "an approval of that time counts for nothing")
		p.Errors = []Fault{{"body.time", "is ahead of this gateway's clock, or after the job's approve_until"}}
		return nil, p
	}
	given := wire.Given{Version: wire.GivenVersion, Client: b.Client, Job: b.Job, Approval: a}
	if err := s.cfg.Carrier.Approval(ctx, b.Approver, given); err != nil {
		return nil, s.fail(ctx, err)
	}
	digest := signed.Digest(s.cfg.Manifest)
	return &ApproveOutput{CarriedApproval{b.Client, b.Job, b.Approver, a.At().UTC(), hex.EncodeToString(digest[:])}}, nil
}

// waits finds a job that waits among those that the caller may see.
func (s *Server) waits(ctx context.Context, client, id string) (wire.SignedJob, error) {
	if of := s.principal(ctx).Of(); of == "" || of == client {
		waiting, err := s.cfg.Carrier.Pending(ctx, client)
		if err != nil {
			return wire.SignedJob{}, err
		}
		for i := range waiting {
			if waiting[i].Client == client && wire.PeekJobID(waiting[i].Payload) == id {
				return waiting[i].All(), nil
			}
		}
	}
	return wire.SignedJob{}, problem("not_found",
		"no such job waits for approvals: it is signed, has ended, or is another client's")
}
