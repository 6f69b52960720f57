package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

var _ = resource((*Server).addKeygen)

func (s *Server) addKeygen() {
	register(s, operation{
		id: "createKeys", method: http.MethodPost, path: "/v1/keys", tag: "Keys", scopes: []Scope{Keygen},
		summary: "Generate keys", body: noteBody, status: http.StatusAccepted, also: []int{http.StatusOK},
		codes: append([]string{"not_held", "idempotency_key_reused"}, refusedKeygens...),
		text: "Publishes one job, signed with the key that this gateway holds for the client. The answer is 202 once the " +
			"job is stored; with wait it is 200 once the job has ended within that time, with its keys, or with the code " +
			"for which it failed. Go on with GET /v1/jobs/{id}.",
	}, s.createKeys)
}

// refusedKeygens are the codes with which a job is refused before it is published.
var refusedKeygens = []string{"kind_not_allowed", "malformed_job", "too_large", "empty_batch", "expired", "expiry_too_far",
	"unknown_chain"}

// KeygenBody asks for keys.
type KeygenBody struct {
	Chain    string   `json:"chain" enum:"bitcoin,solana"`
	Count    int      `json:"count,omitempty" minimum:"1" maximum:"5000" default:"1"`
	Label    Label    `json:"label,omitempty"`
	Metadata Metadata `json:"metadata,omitempty"`
}

// KeygenInput is one request for keys.
type KeygenInput struct {
	WaitParam
	Idempotent
	Body KeygenBody
}

// KeygenAnswer is how far the job has come.
type KeygenAnswer struct {
	Job    string `json:"job" doc:"Id of the job"`
	Status string `json:"status" enum:"accepted,pending,done,partial,denied,failed"`
	Code   string `json:"code,omitempty" doc:"Of a job that failed: why, for programs"`
	Error  string `json:"error,omitempty" doc:"Of a job that failed: why, for people"`
	Keys   []Key  `json:"keys,omitempty" doc:"Of a job that is done"`
}

// KeygenOutput is the answer.
type KeygenOutput struct {
	Status   int
	Location string `header:"Location" doc:"Of the job"`
	Body     KeygenAnswer
}

func (s *Server) createKeys(ctx context.Context, in *KeygenInput) (*KeygenOutput, error) {
	p := s.principal(ctx)
	if refusal := checkRemark(in.Body.Label, in.Body.Metadata); refusal != nil {
		return nil, refusal
	}
	until := time.Now().Add(in.duration())
	cl, made, err := book(ctx, s, in.IdempotencyKey, wanted{body: in.Body, kind: wire.KindKeygen, count: in.Body.Count},
		func(cl *claimed) (*client.Made[client.KeygenResult], error) {
			return cl.client.Maker().Keygen(client.KeygenRequest{
				Chain: in.Body.Chain, Count: in.Body.Count, JobID: cl.Job, Expires: cl.Expires})
		})
	if err != nil {
		return nil, err
	}
	// Before the keys, so that they never lack it. What was said since then, the same request
	// sent again does not take back.
	if (in.Body.Label != "" || len(in.Body.Metadata) > 0) && !(cl.again && s.labelled(p.Client, cl.Job)) {
		body := RemarkBody{in.Body.Label, in.Body.Metadata}
		if err := s.note(ctx, directory.Remark{Client: p.Client, Job: cl.Job}, body); err != nil {
			return nil, s.fail(ctx, err)
		}
	}
	o, err := perform(ctx, s, cl, made, in.duration())
	if err != nil {
		return nil, err
	}
	out := &KeygenOutput{Status: o.status(), Location: jobPath(cl.Job),
		Body: KeygenAnswer{Job: cl.Job, Status: string(o.state), Code: o.code, Error: o.text}}
	if o.state == directory.Done {
		if out.Body.Keys = s.keysOf(ctx, cl, in.Body.Count, until); out.Body.Keys == nil {
			out.Status, out.Body.Status = http.StatusAccepted, string(directory.Accepted)
		}
	}
	return out, nil
}

// labelled reports whether a job is known to be labelled: it has ended, or has a label.
func (s *Server) labelled(client, id string) bool {
	job, err := s.cfg.Directory.Job(client, id)
	return err == nil && (job.State.Ended() || job.Label != "" || len(job.Metadata) > 0)
}

// claimSkew is more than clocks of gateways and servers differ.
const claimSkew = time.Hour

// keysOf are the keys of a job that is done, once the directory has read all of them; nil if it
// has not by then. Where its idempotency key was used a day before and more, that job's keys
// have the same id of a job, and are none of this one's.
func (s *Server) keysOf(ctx context.Context, cl *claimed, count int, until time.Time) []Key {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	for pause := (backoff.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond}); ; {
		if keys, err := s.allOf(cl.Client, cl.Job, cl.Time.Add(-claimSkew)); err == nil && len(keys) >= count {
			return keys
		}
		if pause.Wait(ctx) != nil {
			return nil
		}
	}
}

func (s *Server) allOf(client, job string, since time.Time) (keys []Key, err error) {
	q := directory.KeyQuery{Client: client, Job: job, Since: since, Limit: directory.MaxPage}
	for {
		page, err := s.cfg.Directory.Keys(q)
		if err != nil {
			return nil, err
		}
		for i := range page.Keys {
			keys = append(keys, s.view(&page.Keys[i]))
		}
		if page.Next == "" {
			return keys, nil
		}
		q.After = page.Next
	}
}
