package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a caller signed is carried as it is, and judged before: junk costs the bus nothing.
// Nobody has to believe that: nodes and gateways judge the job once more.

// carriedBody is room for the largest payload, of which a JSON string may escape each second
// character.
const carriedBody = 2*wire.MaxJobSize + 64<<10

// refusals are the codes with which a job is not carried.
var refusals = []string{string(wire.CodeUnknownClient), string(wire.CodeBadSignature), string(wire.CodeKindNotAllowed),
	string(wire.CodeMalformedJob), string(wire.CodeTooLarge), string(wire.CodeEmptyBatch), string(wire.CodeExpired),
	string(wire.CodeExpiryTooFar), string(wire.CodeUnknownChain)}

var _ = resource((*Server).addCarry)

func (s *Server) addCarry() {
	register(s, operation{
		id: "carryJob", method: http.MethodPost, path: "/v1/jobs", tag: "Jobs", scopes: []Scope{Keygen, Sign},
		summary: "Carry a job that the caller signed", body: carriedBody, status: http.StatusAccepted,
		also: []int{http.StatusOK}, codes: refusals,
		text: "End to end: the gateway holds no key of the client, and can't ask for anything in its name. The payload is a " +
			"job as docs/jobs.md has it, the signature as docs/protocol.md, section 3, has it. It is published byte for byte; " +
			"sent again it is the same job. Check its result yourself: GET /v1/jobs/{id}/result.",
	}, s.carry)
}

// CarryInput is a signed job.
type CarryInput struct {
	WaitParam
	Body struct {
		Payload   string        `json:"payload" minLength:"2" doc:"The job's JSON, byte for byte as it was signed"`
		Signature string        `json:"signature" pattern:"^[0-9a-fA-F]{128}$" doc:"Ed25519, of the client's key"`
		Approvals []JobApproval `json:"approvals,omitempty" maxItems:"16" doc:"That go with it"`
	}
}

// JobApproval is an approval that a job has with it.
type JobApproval struct {
	Approver  string `json:"approver" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"As policies name it"`
	Time      int64  `json:"time" minimum:"0" doc:"Unix seconds: signed, too"`
	Signature string `json:"signature" pattern:"^[0-9a-fA-F]{128}$" doc:"Ed25519, of the approver's key"`
}

// CarryOutput is how far the job has come.
type CarryOutput struct {
	Status   int
	Location string `header:"Location" doc:"Of the job"`
	Body     CarryAnswer
}

// CarryAnswer is what this gateway knows of a job that it carried.
type CarryAnswer struct {
	Job    string `json:"job" doc:"Id of the job"`
	Status string `json:"status" enum:"accepted,pending,done,partial,denied,failed"`
	Code   string `json:"code,omitempty" doc:"denied, failed: why, for programs (docs/jobs.md)"`
	Error  string `json:"error,omitempty" doc:"denied, failed: why, for people"`
}

func (s *Server) carry(ctx context.Context, in *CarryInput) (*CarryOutput, error) {
	signed, job, err := s.judge(s.principal(ctx), in)
	if err != nil {
		return nil, err
	}
	signed.Trace = tracing.FromContext(ctx)
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		s.noteClaim(ctx, s.carried(s.principal(ctx), signed, job))
	}()
	if err := s.publish(ctx, job.ID, signed); err != nil {
		return nil, err
	}
	<-noted
	out := &CarryOutput{Status: http.StatusAccepted, Location: jobPath(job.ID),
		Body: CarryAnswer{Job: job.ID, Status: string(directory.Accepted)}}
	if in.duration() <= 0 {
		return out, nil
	}
	if line, err := s.await(ctx, signed.Client, job.ID, in.duration()); err == nil {
		out.Body = CarryAnswer{Job: job.ID, Status: string(line.State), Code: string(line.Code), Error: line.Error}
		if line.State.Ended() {
			out.Status = http.StatusOK
		}
	}
	return out, nil
}

// judge refuses what the fleet would: the signature first.
func (s *Server) judge(p *Principal, in *CarryInput) (wire.SignedJob, *wire.Job, error) {
	payload := []byte(in.Body.Payload)
	if len(payload) > wire.MaxJobSize {
		return wire.SignedJob{}, nil, problem(string(wire.CodeTooLarge), "payload of %d bytes is over the limit of %d",
			len(payload), wire.MaxJobSize)
	}
	kind, scope := kindOf(payload)
	switch {
	case scope == "":
		return wire.SignedJob{}, nil, problem(string(wire.CodeMalformedJob), "the payload is not that of a job: its kind is %s",
			wire.Or(wire.Kinds))
	case p.Client == Everybody || !p.Can(scope):
		return wire.SignedJob{}, nil, problem("forbidden_scope", "it lacks the scope that a %s job needs", kind)
	}
	signed := wire.ReadJob(kind, p.Client, payload, in.headers(p.Client))
	if refusal := signed.Authenticate(s.cfg.Manifest, s.cfg.Access()); refusal != nil {
		return signed, nil, problem(string(refusal.Code), "%s", refusal.Reason)
	}
	job, refusal := signed.Parse(s.cfg.Now())
	if refusal != nil {
		return signed, nil, problem(string(refusal.Code), "%s", refusal.Reason)
	}
	return signed, job, nil
}

// kindOf is what a payload says that it is, and the scope that this needs; empty if none.
func kindOf(payload []byte) (wire.Kind, Scope) {
	var job struct {
		Kind wire.Kind `json:"kind"`
	}
	if json.Unmarshal(payload, &job) != nil {
		return "", ""
	}
	switch job.Kind {
	case wire.KindKeygen:
		return job.Kind, Keygen
	case wire.KindSign:
		return job.Kind, Sign
	}
	return "", ""
}

// headers are those of the job on the bus: they are read as nodes and gateways read them.
func (in *CarryInput) headers(client string) map[string][]string {
	h := map[string][]string{wire.HeaderClient: {client}, wire.HeaderSignature: {in.Body.Signature}}
	for _, a := range in.Body.Approvals {
		signature, _ := hex.DecodeString(a.Signature) // one of another length is refused
		h[wire.HeaderApproval] = append(h[wire.HeaderApproval],
			wire.Approval{Name: a.Approver, Time: a.Time, Signature: signature}.Header())
	}
	return h
}

// carried is the claim of a job that its caller made: a note for lists.
func (s *Server) carried(p *Principal, signed wire.SignedJob, job *wire.Job) directory.Request {
	digest := frost.Hash("frostfleet/http-request/v1", []byte("carried"), signed.Payload)
	return directory.Request{Client: p.Client, Job: job.ID, Kind: job.Kind, Digest: digest,
		Count: max(job.Count, len(job.Items)), Expires: job.Over(), By: p.Name, Time: s.cfg.Now().UTC()}
}

// publish stores a job in JetStream.
func (s *Server) publish(ctx context.Context, id string, signed wire.SignedJob) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), submitTime)
	defer cancel()
	err := s.cfg.Carrier.Job(ctx, signed)
	var busy *client.BusyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &busy):
		return s.fail(ctx, err)
	case errors.Is(err, client.ErrNoStream), ctx.Err() != nil:
		return problem("busy", "it is not known whether job %s is stored: send it again", id).after(time.Second)
	}
	return s.fail(ctx, err)
}
