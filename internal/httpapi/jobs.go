package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Job is a job as answers have it.
type Job struct {
	ID       string            `json:"id" doc:"UUID"`
	Client   string            `json:"client" doc:"Whose it is"`
	Kind     string            `json:"kind" enum:"keygen,sign"`
	Status   string            `json:"status" enum:"accepted,pending,done,partial,denied,failed" doc:"accepted and pending are on the way; pending waits for approvals"`
	Code     string            `json:"code,omitempty" doc:"Not done: why, for programs (docs/jobs.md)"`
	Error    string            `json:"error,omitempty" doc:"Not done: why, for people"`
	Count    int               `json:"count,omitempty" doc:"Keys or signatures that it asks for; missing: not known here"`
	Done     int               `json:"done" doc:"Of them"`
	Created  time.Time         `json:"created"`
	Ended    *time.Time        `json:"ended,omitempty"`
	Gateway  string            `json:"gateway,omitempty" doc:"That signed its result"`
	Chain    string            `json:"chain,omitempty" doc:"keygen: bitcoin or solana"`
	Label    string            `json:"label"`
	Metadata map[string]string `json:"metadata"`
	Links    JobLinks          `json:"links"`
}

type JobLinks struct {
	Self   string `json:"self"`
	Events string `json:"events"`
	Result string `json:"result,omitempty" doc:"Missing until it has ended"`
}

// JobBody is a job as GET /v1/jobs/{id} answers, for webhooks.
func JobBody(j directory.Job) any { return viewJob(&j) }

func viewJob(j *directory.Job) Job {
	v := Job{
		ID: j.ID, Client: j.Client, Kind: string(j.Kind), Status: string(j.State), Code: string(j.Code), Error: j.Error,
		Count: j.Count, Done: j.Done, Created: j.Created.UTC(), Gateway: j.Gateway, Chain: j.Chain, Label: j.Label,
		Metadata: j.Metadata, Links: JobLinks{Self: jobPath(j.ID), Events: jobPath(j.ID) + "/events"},
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if !j.Ended.IsZero() {
		ended := j.Ended.UTC()
		v.Ended = &ended
	}
	if j.State.Ended() {
		v.Links.Result = jobPath(j.ID) + "/result"
	}
	return v
}

// jobPath is where a job is.
func jobPath(id string) string { return "/v1/jobs/" + url.PathEscape(id) }

var _ = resource((*Server).addJobs)

func (s *Server) addJobs() {
	register(s, operation{
		id: "listJobs", method: http.MethodGet, path: "/v1/jobs", tag: "Jobs", scopes: []Scope{Read},
		summary: "List jobs", codes: []string{"bad_cursor"},
		text: "A page of the jobs of the last 30 days that the parameters choose, newest first. The next page is at the " +
			"header Link, and with cursor=next_cursor.",
	}, s.listJobs)
	register(s, operation{
		id: "getJob", method: http.MethodGet, path: "/v1/jobs/{id}", tag: "Jobs", scopes: []Scope{Read},
		summary: "Show a job", text: "With wait, once it has ended, or as it is after that time.",
	}, s.getJob)
	register(s, operation{
		id: "getResult", method: http.MethodGet, path: "/v1/jobs/{id}/result", tag: "Jobs", scopes: []Scope{Read},
		summary: "Get a job's result", opaque: true,
		text: "The result as its gateway signed it, byte for byte: whoever signed the job checks it with the headers. It is " +
			"kept for 24 hours.",
	}, s.getResult)
}

type ListJobsInput struct {
	Kind   string    `query:"kind" enum:"keygen,sign"`
	Status string    `query:"status" enum:"accepted,pending,done,partial,denied,failed"`
	Since  time.Time `query:"since" doc:"Created then or later"`
	Until  time.Time `query:"until" doc:"Created before"`
	PageParams
}

type JobPage struct {
	Jobs []Job  `json:"jobs"`
	Next string `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

type ListJobsOutput struct {
	Link string `header:"Link" doc:"rel=next (RFC 8288), missing on the last page"`
	Body JobPage
}

func (s *Server) listJobs(ctx context.Context, in *ListJobsInput) (*ListJobsOutput, error) {
	page, err := s.cfg.Directory.Jobs(directory.JobQuery{
		Client: s.principal(ctx).Of(), Kind: wire.Kind(in.Kind), State: directory.State(in.Status), Since: in.Since,
		Until: in.Until, After: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &ListJobsOutput{Link: nextLink(ctx, page.Next), Body: JobPage{Jobs: make([]Job, len(page.Jobs)), Next: page.Next}}
	for i := range page.Jobs {
		out.Body.Jobs[i] = viewJob(&page.Jobs[i])
	}
	return out, nil
}

type GetJobInput struct {
	JobID
	WaitParam
}

type JobOutput struct{ Body Job }

func (s *Server) getJob(ctx context.Context, in *GetJobInput) (*JobOutput, error) {
	job, err := s.line(ctx, s.principal(ctx).Of(), in.ID)
	if err == nil && !job.State.Ended() && in.duration() > 0 {
		job, err = s.await(ctx, job.Client, in.ID, in.duration())
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &JobOutput{viewJob(&job)}, nil
}

// lineTime is for a job that was just stored to be in the directory, at any gateway.
const lineTime = 500 * time.Millisecond

// line is a job as the directory has it, or will have in a moment.
func (s *Server) line(ctx context.Context, client, id string) (directory.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, lineTime)
	defer cancel()
	for pause := noticed; ; {
		job, err := s.cfg.Directory.Job(client, id)
		if !errors.Is(err, directory.ErrNotFound) || !wire.IsJobID(id) || pause.Wait(ctx) != nil {
			return job, err
		}
	}
}

type ResultOutput struct {
	ContentType string `header:"Content-Type"`
	Gateway     string `header:"Frost-Gateway" doc:"Name of the gateway that signed it"`
	Signature   string `header:"Frost-Signature" doc:"Ed25519, hexadecimal (docs/protocol.md, section 3)"`
	Body        []byte
}

func (s *Server) getResult(ctx context.Context, in *JobID) (*ResultOutput, error) {
	owner := s.principal(ctx).Of()
	if owner == "" {
		job, err := s.cfg.Directory.Job("", in.ID)
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		owner = job.Client
	}
	if !wire.IsJobID(in.ID) { // it becomes part of a subject
		return nil, s.fail(ctx, directory.ErrNotFound)
	}
	payload, headers, err := s.cfg.Directory.Result(ctx, owner, in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &ResultOutput{ContentType: "application/json", Body: payload,
		Gateway: first(headers, wire.HeaderGateway), Signature: first(headers, wire.HeaderSignature)}, nil
}

// first is the value of a header, whatever case NATS has kept.
func first(headers map[string][]string, name string) string {
	for k, values := range headers {
		if strings.EqualFold(k, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
