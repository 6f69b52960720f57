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
	c, err := s.signer(p)
	if err != nil {
		return nil, err
	}
	if refusal := checkRemark(in.Body.Label, in.Body.Metadata); refusal != nil {
		return nil, refusal
	}
	id, expires, err := s.claim(ctx, p, wire.KindKeygen, in.Body.Count, in.IdempotencyKey, in.Body)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if in.Body.Label != "" || len(in.Body.Metadata) > 0 { // before the keys: they never lack it
		body := RemarkBody{in.Body.Label, in.Body.Metadata}
		if err := s.note(ctx, directory.Remark{Client: p.Client, Job: id}, body); err != nil {
			return nil, s.fail(ctx, err)
		}
	}
	if !s.isOver(p.Client, id) {
		req := client.KeygenRequest{Chain: in.Body.Chain, Count: in.Body.Count, JobID: id, Expires: expires}
		if _, err := c.SubmitKeygen(ctx, req); err != nil {
			return nil, s.fail(ctx, err)
		}
	}
	out := &KeygenOutput{Status: http.StatusAccepted, Location: "/v1/jobs/" + id,
		Body: KeygenAnswer{Job: id, Status: string(directory.Accepted)}}
	if in.duration() <= 0 {
		return out, nil
	}
	until := time.Now().Add(in.duration())
	job, err := s.await(ctx, p.Client, id, in.duration())
	if err != nil || !job.State.Ended() {
		return out, nil // stored it is
	}
	if job.State != directory.Done {
		out.Status = http.StatusOK
		out.Body = KeygenAnswer{Job: id, Status: string(job.State), Code: string(job.Code), Error: job.Error}
		return out, nil
	}
	if keys := s.keysOf(ctx, p.Client, id, in.Body.Count, until); keys != nil {
		out.Status, out.Body.Status, out.Body.Keys = http.StatusOK, string(job.State), keys
	}
	return out, nil
}

// isOver reports whether the directory has the end of a job: publishing it again would be refused
// once it has expired, though its result is there.
func (s *Server) isOver(client, id string) bool {
	job, err := s.cfg.Directory.Job(client, id)
	return err == nil && job.State.Ended()
}

// keysOf are the keys of a job that is done, once the directory has read all of them; nil if it
// has not by then.
func (s *Server) keysOf(ctx context.Context, client, job string, count int, until time.Time) []Key {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for pause := (backoff.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond}); ; {
		if keys, err := s.allOf(client, job); err == nil && len(keys) >= count {
			return keys
		}
		if pause.Wait(ctx) != nil {
			return nil
		}
	}
}

func (s *Server) allOf(client, job string) (keys []Key, err error) {
	q := directory.KeyQuery{Client: client, Job: job, Limit: directory.MaxPage}
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
