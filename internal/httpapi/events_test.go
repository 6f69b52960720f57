package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// stream is an open stream of events.
type stream struct {
	t    testing.TB
	resp *http.Response
	in   *bufio.Reader
}

func serve(t testing.TB, s *Server) string {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL
}

// open asks for the events of a job.
func open(t testing.TB, url, token, job, last string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/jobs/"+job+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &stream{t, resp, bufio.NewReader(resp.Body)}
}

// next is the next event's fields, or what else stands between two empty lines; "" at the end.
func (s *stream) next() string {
	s.t.Helper()
	var lines []string
	for {
		line, err := s.in.ReadString('\n')
		if err == io.EOF {
			return strings.Join(lines, "|")
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return strings.Join(lines, "|")
		}
		lines = append(lines, line)
	}
}

// event wants an event with this id and status.
func (s *stream) event(id int, status string) {
	s.t.Helper()
	got := s.next()
	if !strings.HasPrefix(got, fmt.Sprintf("event: job|id: %d|data: {", id)) || !strings.Contains(got, `"status":"`+status+`"`) {
		s.t.Fatalf("event %s, want id %d and %s", got, id, status)
	}
}

func line(state directory.State, done int) directory.Job {
	return directory.Job{ID: aJob, Client: "shop", Kind: "keygen", State: state, Count: 3, Done: done, Created: now}
}

// TestEvents: a reader hears each state until the last one, and one that was cut off what is
// newer than what it has.
func TestEvents(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	url := serve(t, d.Server)
	d.known.set(line(directory.Accepted, 0))
	s := open(t, url, reader, aJob, "")
	if ct := s.resp.Header.Get("Content-Type"); s.resp.StatusCode != http.StatusOK || ct != "text/event-stream" {
		t.Fatalf("%d %s", s.resp.StatusCode, ct)
	}
	if got := s.next(); !strings.HasPrefix(got, ": ") {
		t.Errorf("it begins with %q", got)
	}
	s.event(1, "accepted")
	d.known.set(line(directory.Accepted, 2))
	s.event(3, "accepted")
	again := open(t, url, reader, aJob, "3") // cut off after the second event
	again.next()
	d.known.set(line(directory.Done, 3))
	again.event(2_000_000, "done")
	s.event(2_000_000, "done")
	if got := s.next(); got != "" {
		t.Errorf("after the last state: %q", got)
	}
	if late := open(t, url, reader, aJob, "3"); late.next() == "" {
		t.Error("nothing for a reader that lacks the end")
	} else {
		late.event(2_000_000, "done")
	}
	if ended := open(t, url, reader, aJob, "2000000"); ended.resp.StatusCode != http.StatusNoContent {
		t.Errorf("a reader that has the end: %d", ended.resp.StatusCode)
	}
	if junk := open(t, url, reader, aJob, "x"); junk.resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a Last-Event-ID that is none: %d", junk.resp.StatusCode)
	}
}

// TestEventsOfOthers: another client's job is as one that is not there.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	job := line(directory.Accepted, 0)
	job.Client = "other"
	d.known.set(job)
	d.known.results["other "+aJob] = []byte("{}")
	for _, path := range []string{"", "/events", "/result", "?wait=1ms"} {
		w := ask(d, "GET", "/v1/jobs/"+aJob+path, reader, "")
		if p := problemIn(t, w); p.Code != "not_found" || p.Status != http.StatusNotFound {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	if w := ask(d, "GET", "/v1/jobs/"+aJob+"/result", everyone, ""); w.Code != http.StatusOK {
		t.Errorf("for all clients: %d %s", w.Code, w.Body)
	}
	if w := ask(d, "GET", "/v1/jobs", reader, ""); strings.Contains(w.Body.String(), aJob) {
		t.Errorf("another client's job is listed: %s", w.Body)
	}
}

// TestManyStreams: a caller has so many at once, and another one after the end of one.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	url := serve(t, d.Server)
	d.known.set(line(directory.Accepted, 0))
	var all []*stream
	for range maxWatchers {
		s := open(t, url, reader, aJob, "")
		s.next()
		all = append(all, s)
	}
	more := open(t, url, reader, aJob, "")
	if more.resp.StatusCode != http.StatusTooManyRequests || more.resp.Header.Get("Retry-After") == "" {
		t.Fatalf("one more: %d", more.resp.StatusCode)
	}
	if s := open(t, url, full, aJob, ""); s.resp.StatusCode != http.StatusOK {
		t.Errorf("another caller's: %d", s.resp.StatusCode)
	}
	all[0].resp.Body.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s := open(t, url, reader, aJob, "")
		if s.resp.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no place after the end of one")
		}
	}
}

// TestStreamsDrain: a server that stops sends its readers elsewhere.
func TestStreamsDrain(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	url := serve(t, d.Server)
	d.known.set(line(directory.Accepted, 0))
	s := open(t, url, reader, aJob, "")
	s.next()
	s.event(1, "accepted")
	d.drain()
	if got := s.next(); got != "retry: 1000" {
		t.Errorf("at the end it says %q", got)
	}
	if got := s.next(); got != "" {
		t.Errorf("and then %q", got)
	}
}

// TestSlowReader: one that does not read is let go, and holds no place.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.streams.patience = 50 * time.Millisecond
	url := serve(t, d.Server)
	job := line(directory.Accepted, 0)
	d.known.set(job)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", aJob, reader)
	places := func() int {
		d.streams.mu.Lock()
		defer d.streams.mu.Unlock()
		return d.streams.open["reader"]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := false
	for n := 1; ctx.Err() == nil; n++ {
		if places() == 0 && began {
			return
		}
		began = began || places() == 1
		job.Done, job.Label = n, strings.Repeat("x", 1<<20)
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
			if began && d.known.room() {
				d.known.set(job)
			}
		}
	}
	t.Fatal("a reader that does not read keeps its place")
}

// TestJobs: lists, one job, and waiting for one.
func TestJobs(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.known.set(line(directory.Partial, 2))
	w := ask(d, "GET", "/v1/jobs?limit=1&kind=keygen&status=partial", reader, "")
	if want := `{"jobs":[{"id":"` + aJob + `","client":"shop","kind":"keygen","status":"partial","count":3,"done":2,"created":` +
		`"2026-11-30T12:00:00Z","label":"","metadata":{},"links":{"self":"/v1/jobs/` + aJob + `","events":"/v1/jobs/` + aJob +
		`/events","result":"/v1/jobs/` + aJob + `/result"}}]}`; strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%s\nwant %s", w.Body, want)
	}
	d.known.results["shop "+aJob] = []byte(`{"job": "as it was signed" }`)
	w = ask(d, "GET", "/v1/jobs/"+aJob+"/result", reader, "")
	if w.Body.String() != `{"job": "as it was signed" }` || w.Header().Get("Frost-Gateway") != "gateway0" ||
		w.Header().Get("Frost-Signature") != "abcd" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	for _, wait := range []string{"-1", "1e9", "1000000000", "61s", "0s", "1h", "-1s", "10", "%31%65%39"} {
		if w := ask(d, "GET", "/v1/jobs/"+aJob+"?wait="+wait, reader, ""); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("wait=%s: %d %s", wait, w.Code, w.Body)
		}
	}
	open := line(directory.Accepted, 0)
	open.ID = "0198c0de-7a10-7cc3-98c4-dc0c0c073990"
	d.known.set(open)
	if w := ask(d, "GET", "/v1/jobs/"+open.ID+"?wait=10ms", reader, ""); !strings.Contains(w.Body.String(), `"accepted"`) {
		t.Errorf("a job that does not end in time: %s", w.Body)
	}
	for _, id := range []string{"x", "0198c0de-7a10-7cc3-98c4-dc0c0c073991", "*", "0198c0de*"} {
		for _, of := range []string{"", "/result", "/events"} {
			if w := ask(d, "GET", "/v1/jobs/"+id+of, full, ""); w.Code != http.StatusNotFound {
				t.Errorf("job %s%s: %d %s", id, of, w.Code, w.Body)
			}
		}
	}
}
