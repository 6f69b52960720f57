package webhook

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Bounds of what an event keeps of a result, in bytes: a gateway that lies may sign more, and a
// receiver that is down has them kept.
const (
	maxError = 4 << 10
	maxName  = 64
)

// event is something that happened to a job, from a message that proves it.
type event struct {
	subject string // of that message; the event's name here
	job     directory.Job
	at      time.Time // when the server stored it
}

// id is the message's, the same however often it is sent, by whichever gateway.
func (e *event) id() string { return e.job.Client + "." + e.job.ID + "." + string(e.job.State) }

// readResult makes an event of a message of RESULTS. A result that no gateway of the access
// list signed is none.
func readResult(m *wire.Manifest, a *wire.Access, msg bus.Message) (*event, error) {
	ref, err := wire.ParseResult(msg.Subject)
	if err != nil {
		return nil, err
	}
	gateway := header(msg, wire.HeaderGateway)
	signature, err := hex.DecodeString(header(msg, wire.HeaderSignature))
	if err != nil {
		return nil, fmt.Errorf("the header %s is not hexadecimal", wire.HeaderSignature)
	}
	if err := a.VerifyResult(m, gateway, ref.Client, ref.Job, msg.Data, signature); err != nil {
		return nil, err
	}
	var r wire.Result
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	state := directory.State(r.Status)
	if r.Job != ref.Job || r.Client != ref.Client || !state.Ended() {
		return nil, fmt.Errorf("the result is of job %.64q of client %.64q, and %.32q", r.Job, r.Client, string(r.Status))
	}
	if len(r.Code) > maxName || len(r.Chain) > maxName || len(r.Kind) > maxName {
		return nil, fmt.Errorf("the result of job %s has a code, a kind or a chain that is too long", r.Job)
	}
	if len(r.Error) > maxError {
		r.Error = strings.Clone(strings.ToValidUTF8(r.Error[:maxError], "")) // and not all of it
	}
	return &event{subject: msg.Subject, at: msg.Time, job: directory.Job{
		ID: r.Job, Client: r.Client, Kind: r.Kind, State: state, Code: r.Code, Error: r.Error,
		Count: max(len(r.Keys), len(r.Sigs)), Done: r.Amount(), Created: msg.Time, Ended: msg.Time, Gateway: gateway,
		Chain: r.Chain,
	}}, nil
}

// readPending makes an event of a message of PENDING, which its client has signed.
func readPending(m *wire.Manifest, a *wire.Access, msg bus.Message) (*event, error) {
	ref, err := wire.ParsePending(msg.Subject)
	if err != nil {
		return nil, err
	}
	signed := wire.ReadPending(ref.Client, msg.Data, msg.Header).All()
	if refusal := signed.Authenticate(m, a); refusal != nil {
		return nil, refusal
	}
	if id := wire.PeekJobID(signed.Payload); id != ref.Job {
		return nil, fmt.Errorf("it is job %.64q, and stands under another's name", id)
	}
	return &event{subject: msg.Subject, at: msg.Time, job: directory.Job{
		ID: ref.Job, Client: ref.Client, Kind: ref.Kind, State: directory.Pending, Created: msg.Time,
	}}, nil
}

// with is the event's job with what the directory knows beside it. What was proven stays.
func (e *event) with(known directory.Job) directory.Job {
	job := known
	proven := e.job
	job.ID, job.Client, job.Kind, job.State = proven.ID, proven.Client, proven.Kind, proven.State
	job.Code, job.Error = proven.Code, proven.Error
	job.Count = max(known.Count, proven.Count)
	if proven.State.Ended() {
		job.Done, job.Ended, job.Gateway = proven.Done, proven.Ended, proven.Gateway
	}
	if proven.Chain != "" {
		job.Chain = proven.Chain
	}
	if job.Created.IsZero() {
		job.Created = proven.Created
	}
	return job
}

// header is a header's one value, in whatever case its name is; empty if there is none.
func header(m bus.Message, name string) string {
	for k, values := range m.Header {
		if strings.EqualFold(k, name) && len(values) == 1 {
			return values[0]
		}
	}
	return ""
}
