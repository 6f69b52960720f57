package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/frostfleet/frostfleet/internal/directory"
)

const (
	maxWatchers  = 16               // of one caller at once
	heartbeat    = 15 * time.Second // between two signs of life
	eventTime    = 10 * time.Second // for a reader to take an event
	streamLength = 30 * time.Minute // then the reader comes again
	// retryAfter is how long a reader waits before it comes again, in milliseconds: it goes
	// to another gateway, or to this one's next life.
	retryAfter = 1000
)

// streams counts the event streams that are open, by caller.
type streams struct {
	mu   sync.Mutex
	open map[string]int

	patience time.Duration // for a reader to take an event
	beat     time.Duration // between two signs of life
}

// begin takes a place for one of a caller.
func (s *streams) begin(caller string) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	if s.open[caller] >= maxWatchers {
		return false
	}
	s.open[caller]++
	return true
}

func (s *streams) end(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[caller]--; s.open[caller] <= 0 {
		delete(s.open, caller)
	}
}

var _ = resource((*Server).addEvents)

func (s *Server) addEvents() {
	register(s, operation{
		id: "watchJob", method: http.MethodGet, path: "/v1/jobs/{id}/events", tag: "Jobs", scopes: []Scope{Read},
		summary: "Watch a job", produces: []string{"text/event-stream"},
		empty: http.StatusNoContent, chunk: s.event(),
		text: "Server-sent events: `event: job`, whose data is the job as it is now and whenever it changes. The stream ends " +
			"after the job has. A reader that was cut off sends Last-Event-ID, to any gateway, and hears what is newer; 204 " +
			"where nothing will be.",
	}, s.watchJob)
}

// event is one event of a stream, as readers of event streams give it.
func (s *Server) event() *huma.Schema {
	job := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Job](), true, "Job")
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"event", "id", "data"},
		Properties: map[string]*huma.Schema{
			"event": {Type: huma.TypeString, Enum: []any{"job"}},
			"id":    {Type: huma.TypeString, Pattern: "^[0-9]+$", Description: "For Last-Event-ID"},
			"data": {Type: huma.TypeString, Description: "A job",
				Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": job}},
		},
	}
}

// WatchInput names a job.
type WatchInput struct {
	JobID
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"id of the last event that was read"`
}

func (s *Server) watchJob(ctx context.Context, in *WatchInput) (*huma.StreamResponse, error) {
	p := s.principal(ctx)
	job, err := s.line(ctx, p.Of(), in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	last, err := strconv.ParseUint(in.LastEventID, 10, 64)
	if in.LastEventID != "" && err != nil {
		fault := problem("validation_failed", "validation failed")
		fault.Errors = []Fault{{"header.Last-Event-ID", "is none of this stream's"}}
		return nil, fault
	}
	if job.State.Ended() && last >= eventID(&job) {
		return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
	}
	if !s.streams.begin(p.Name) {
		return nil, problem("rate_limited", "this token or certificate has %d streams open", maxWatchers).after(heartbeat)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer s.streams.end(p.Name)
		if r, w := humagoUnwrap(c); r.Method == http.MethodHead {
			w.Header().Set("Content-Type", "text/event-stream")
			return
		}
		s.stream(c, p, job.Client, in.ID, last)
	}}, nil
}

// eventID orders the states of a job in the same way at every gateway: how far it is.
func eventID(j *directory.Job) uint64 {
	switch {
	case j.State.Ended():
		return 2_000_000
	case j.State == directory.Pending:
		return 1_000_000
	}
	return 1 + uint64(max(j.Done, 0))
}

// stream writes events until the job has ended, its reader has gone, is too slow or may read no
// more, or the server drains.
func (s *Server) stream(c huma.Context, p *Principal, owner, id string, last uint64) {
	ctx, cancel := context.WithTimeout(c.Context(), streamLength)
	defer cancel()
	lines, err := s.cfg.Directory.Watch(ctx, owner, id)
	if err != nil {
		_, w := humagoUnwrap(c)
		if own, ok := s.fail(ctx, err).(*Problem); ok { //nolint:errorlint // fail makes no other
			r, _ := humagoUnwrap(c)
			own.write(w, r)
		}
		return
	}
	out := newEventWriter(c, s.streams.patience)
	beat := time.NewTicker(s.streams.beat)
	defer beat.Stop()
	out.write(": job %s\n\n", id)
	for out.err == nil && s.cfg.Callers.still(p, Read, s.cfg.Now()) {
		select {
		case job, more := <-lines:
			if !more {
				if ctx.Err() != nil { // its time is over, or its reader is gone
					out.write("retry: %d\n\n", retryAfter)
				}
				return
			}
			if n := eventID(&job); n > last && s.cfg.Callers.still(p, Read, s.cfg.Now()) {
				out.job(n, &job)
				last = 0 // it is live from here on: what changes beside the state counts, too
			}
		case <-beat.C:
			out.write(":\n\n")
		case <-s.draining.Done():
			out.write("retry: %d\n\n", retryAfter)
			return
		}
	}
}

// eventWriter writes a stream (WHATWG HTML, section 9.2), each event at once and in its time.
type eventWriter struct {
	w        http.ResponseWriter
	ctl      *http.ResponseController
	patience time.Duration
	err      error
}

func newEventWriter(c huma.Context, patience time.Duration) *eventWriter {
	_, w := humagoUnwrap(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that would collect events
	w.WriteHeader(http.StatusOK)
	return &eventWriter{w: w, ctl: http.NewResponseController(w), patience: patience}
}

func (e *eventWriter) write(format string, args ...any) {
	if e.err != nil {
		return
	}
	if e.err = e.ctl.SetWriteDeadline(time.Now().Add(e.patience)); e.err != nil {
		return
	}
	if _, e.err = fmt.Fprintf(e.w, format, args...); e.err == nil {
		e.err = e.ctl.Flush()
	}
}

func (e *eventWriter) job(n uint64, job *directory.Job) {
	data, err := json.Marshal(viewJob(job)) // one line: JSON escapes what would end it
	if err != nil {
		e.err = err
		return
	}
	e.write("event: job\nid: %d\ndata: %s\n\n", n, data)
}
