package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// plain are texts without control characters.
const plain = `^[^\x00-\x1f\x7f-\x9f]*$`

// Label is what people call keys.
type Label string

// Schema implements huma.SchemaProvider.
func (Label) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, MaxLength: new(directory.MaxLabel), Pattern: plain,
		Description: "What people call it: up to 128 bytes of UTF-8 without control characters; empty takes it away"}
	s.PrecomputeMessages()
	return s
}

// Metadata is what programs note of keys.
type Metadata map[string]string

// Schema implements huma.SchemaProvider.
func (Metadata) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type:                 huma.TypeObject,
		MaxProperties:        new(directory.MaxMetadata),
		AdditionalProperties: &huma.Schema{Type: huma.TypeString, MaxLength: new(directory.MaxValue), Pattern: plain},
		Extensions: map[string]any{"propertyNames": map[string]any{
			"minLength": 1, "maxLength": directory.MaxName, "pattern": plain}},
		Description: "What programs note of it: up to 16 names of up to 64 bytes, with values of up to 1,024 bytes",
	}
	s.PrecomputeMessages()
	return s
}

// checkRemark refuses what the schemas can't: their lengths are of characters, and they know
// nothing of the directory's bounds for the whole and for what changes the direction of text.
func checkRemark(label Label, m Metadata) *Problem {
	p := problem("validation_failed", "validation failed")
	if len(label) > directory.MaxLabel || !isPlain(string(label)) {
		p.Errors = append(p.Errors, Fault{"body.label", "is longer than 128 bytes, or has control characters"})
	}
	for name, value := range m {
		switch {
		case name == "" || len(name) > directory.MaxName || !isPlain(name):
			p.Errors = append(p.Errors, Fault{"body.metadata", "has a name that is empty, longer than 64 bytes, or with " +
				"control characters"})
		case len(value) > directory.MaxValue || !isPlain(value):
			p.Errors = append(p.Errors, Fault{place("body.metadata." + name), "is longer than 1,024 bytes, or has control " +
				"characters"})
		}
	}
	if len(p.Errors) > 0 {
		return p
	}
	if err := (directory.Remark{Label: string(label), Metadata: m}).CheckText(); err != nil {
		p.Errors = []Fault{{"body", err.Error()}}
		return p
	}
	return nil
}

func isPlain(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

// RemarkBody replaces what is said of a key or a job.
type RemarkBody struct {
	Label    Label    `json:"label" example:"order 4711"`
	Metadata Metadata `json:"metadata,omitempty"`
}

var _ = resource((*Server).addRemarks)

func (s *Server) addRemarks() {
	register(s, operation{
		id: "labelKey", method: http.MethodPatch, path: "/v1/keys/{id}", tag: "Keys", scopes: []Scope{Keygen},
		summary: "Label a key", body: noteBody,
		text: "Replaces its label and its metadata. The last one counts, at every gateway, and the audit log has all. A " +
			"key's own label counts before that of its job.",
	}, s.labelKey)
	register(s, operation{
		id: "labelJob", method: http.MethodPatch, path: "/v1/jobs/{id}", tag: "Jobs", scopes: []Scope{Keygen, Sign},
		summary: "Label a job", body: noteBody,
		text: "Replaces its label and its metadata, and with them those of its keys that have none of their own.",
	}, s.labelJob)
}

// noteBody is room for the longest remark.
const noteBody = 128 << 10

// LabelKeyInput is a remark on a key.
type LabelKeyInput struct {
	KeyID
	Body RemarkBody
}

func (s *Server) labelKey(ctx context.Context, in *LabelKeyInput) (*KeyOutput, error) {
	p := s.principal(ctx)
	k, err := s.cfg.Directory.Key(p.Of(), in.ID)
	if err == nil {
		err = s.note(ctx, directory.Remark{Client: k.Client, Key: k.ID}, in.Body)
	}
	if err == nil { // where it lacks what its job has, that counts
		k, err = s.cfg.Directory.Key(p.Of(), in.ID)
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &KeyOutput{s.view(&k)}, nil
}

// JobID is the path's.
type JobID struct {
	ID string `path:"id" minLength:"1" maxLength:"64" doc:"Of the job"`
}

// LabelJobInput is a remark on a job.
type LabelJobInput struct {
	JobID
	Body RemarkBody
}

// LabelJobOutput is the remark as it stands.
type LabelJobOutput struct{ Body RemarkBody }

func (s *Server) labelJob(ctx context.Context, in *LabelJobInput) (*LabelJobOutput, error) {
	p := s.principal(ctx)
	job, err := s.cfg.Directory.Job(p.Of(), in.ID)
	if err == nil {
		err = s.note(ctx, directory.Remark{Client: job.Client, Job: job.ID}, in.Body)
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &LabelJobOutput{in.Body}, nil
}

// noteTime is for a remark to be stored, and to be in the directory.
const noteTime = 10 * time.Second

// note stores a remark.
func (s *Server) note(ctx context.Context, r directory.Remark, body RemarkBody) error {
	if p := checkRemark(body.Label, body.Metadata); p != nil {
		return p
	}
	r.Label, r.Metadata = string(body.Label), body.Metadata
	r.By, r.Time = s.principal(ctx).Name, s.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, noteTime)
	defer cancel()
	err := s.cfg.Directory.Note(ctx, r)
	if ctx.Err() != nil && err != nil {
		return problem("busy", "it is not known whether that is noted: repeat the request").after(time.Second)
	}
	return err
}
