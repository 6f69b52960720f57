package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// TestPagesTakeNoPlaces: readers of pages, who need no token, keep nobody from the API, nor a load
// balancer from asking whether the gateway is ready.
func TestPagesTakeNoPlaces(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for range maxPages {
		s.pages <- struct{}{}
	}
	for target, want := range map[string]int{"/openapi.json": 503, "/docs": 503, "/nothing": 503, "/v1/keys": 200,
		"/livez": 200, "/readyz": 200} {
		if w := ask(s, "GET", target, full, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

// TestOneCallerIsNotAll: who holds many requests open leaves places to others, also after a reload,
// and has places again when they end.
func TestOneCallerIsNotAll(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	of := func() *Principal { return s.cfg.Callers.all.Load().tokens[sha(full)] }
	of().share.flying.used.Store(maxOfCaller)
	s.cfg.Callers.Set(callersOf(s))
	w := ask(s, "GET", "/v1/keys", full, "")
	if p := problemIn(t, w); p.Code != "busy" || w.Header().Get("Retry-After") == "" || !p.Retryable {
		t.Errorf("one more: %s", w.Body)
	}
	if w := ask(s, "GET", "/v1/keys", reader, ""); w.Code != http.StatusOK {
		t.Errorf("another caller: %s", w.Body)
	}
	of().share.flying.give(1)
	for range 2 {
		if w := ask(s, "GET", "/v1/keys", full, ""); w.Code != http.StatusOK {
			t.Errorf("after the end of one: %s", w.Body)
		}
	}
	if n := of().share.flying.used.Load(); n != maxOfCaller-1 {
		t.Errorf("%d under way", n)
	}
}

// TestStreamsOfTheGone: a stream ends when its token expires, is taken away, or loses its scope;
// nothing is told to it from then on.
func TestStreamsOfTheGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Caller){
		"expired": func(c *Caller) { c.Expires = now },
		"gone":    func(c *Caller) { c.SHA256 = sha("ff_another") },
		"scope":   func(c *Caller) { c.Scopes = []Scope{Sign, Approve} },
		"client":  func(c *Caller) { c.Client = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDepot(t)
			d.streams.beat = 10 * time.Millisecond
			url := serve(t, d.Server)
			d.known.set(line(directory.Accepted, 0))
			s := open(t, url, full, aJob, "")
			s.next()
			s.event(1, "accepted")
			all := callersOf(d.Server)
			i := slices.IndexFunc(all, func(c Caller) bool { return c.Name == "full" })
			change(&all[i])
			d.cfg.Callers.Set(all)
			for {
				got := s.next()
				if got == "" {
					return
				}
				if got != ":" {
					t.Fatalf("then it says %q", got)
				}
			}
		})
	}
}

// TestHeadsEnd: HEAD of what lasts is answered at once.
func TestHeadsEnd(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.known.set(line(directory.Accepted, 0))
	for target, media := range map[string]string{
		"/v1/jobs/" + aJob + "/events": "text/event-stream", "/v1/keys/export": ndjsonType,
		"/v1/keys/export?format=csv": csvType + "; charset=utf-8",
	} {
		w := ask(d, "HEAD", target, reader, "")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != media || w.Body.Len() > 0 {
			t.Errorf("%s: %d %v %q", target, w.Code, w.Header(), w.Body)
		}
	}
}

// TestNothingIsUnpacked: a body that a few bytes make large is refused as it is.
func TestNothingIsUnpacked(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for coding, code := range map[string]string{"gzip": "unsupported_media_type", "br, gzip": "unsupported_media_type",
		"deflate": "unsupported_media_type", "zstd": "unsupported_media_type",
		"identity, gzip": "unsupported_media_type", "identity": "not_held"} {
		w := ask(s, "POST", "/v1/keys", full, `{"chain":"solana"}`, "Content-Encoding", coding)
		if p := problemIn(t, w); p.Code != code {
			t.Errorf("%s: %s", coding, p.Code)
		}
	}
}

// TestAbandonedSearch: who goes away has no addresses derived any more.
func TestAbandonedSearch(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	s := w.servers[0]
	k, err := w.known.Key("shop", aKey)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	err = s.children(ctx, &k, "0", 0, 100, func(ChildAddress) bool {
		n++
		cancel()
		return true
	})
	if err == nil || n != 1 {
		t.Errorf("%d addresses, %v", n, err)
	}
}

// TestSameKeygenKeepsLaterLabels: a request for keys that is sent again, as its answer was lost, does
// not take back what was said of the job since then.
func TestSameKeygenKeepsLaterLabels(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	dir := &shelf{}
	s.cfg.Directory = dir
	if s.labelled("shop", aJob) {
		t.Error("a job that nobody knows has a label")
	}
	for _, c := range []struct {
		job  directory.Job
		want bool
	}{
		{directory.Job{State: directory.Accepted}, false}, // its gateway died before it said anything
		{directory.Job{State: directory.Accepted, Label: "x"}, true},
		{directory.Job{State: directory.Accepted, Metadata: map[string]string{"a": "b"}}, true},
		{directory.Job{State: directory.Done}, true}, // taken away
	} {
		c.job.ID, c.job.Client = aJob, "shop"
		dir.set(c.job)
		if got := s.labelled("shop", aJob); got != c.want {
			t.Errorf("%+v: %v", c.job, got)
		}
	}
}

// TestNoHeaderIsSplit: what a caller names comes back in no header and in no log line of its own.
func TestNoHeaderIsSplit(t *testing.T) {
	t.Parallel()
	s := testServer(t, func(c *Config) { c.Directory = keysOnAShelf() })
	for _, target := range []string{"/v1/keys?limit=1&text=re%0d%0aX-Evil:%201",
		"/v1/keys?limit=1&label=%3Drent%0d%0a%0d%0a", "/v1/jobs/a%0d%0aX-Evil:1",
		"/v1/keys/a%0d%0aX-Evil:1", "/v1/addresses/a%0d%0ab"} {
		w := ask(s, "GET", target, full, "", "Traceparent", "00-x\r\nX-Evil: 1")
		for name, values := range w.Header() {
			if name == "X-Evil" || strings.ContainsAny(strings.Join(values, ""), "\r\n") {
				t.Errorf("%s: %s: %q", target, name, values)
			}
		}
		if w.Code >= 500 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

// TestRoomForBodies: bodies that are read take room, which they give back once they are parsed, or
// refused; one that does not say how long it is takes that of the longest.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	s := d.Server
	all := &s.bodies.used
	own := &s.cfg.Callers.all.Load().tokens[sha(full)].share.bodies.used
	post := func(body string, size int64) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://127.0.0.1/v1/jobs", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+full)
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = size
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	body := d.body(d.shop, "shop", keygenPayload(aJob, now.Add(time.Hour)))
	for _, c := range []struct {
		name      string
		all, own  int64
		size      int64
		want      int
		otherwise string
	}{
		{"idle", 0, 0, int64(len(body)), 202, body},
		{"idle, refused", 0, 0, 2, 422, "{}"},
		{"idle, no JSON", 0, 0, 1, 400, "{"},
		{"just room", maxBodies - int64(len(body)), 0, int64(len(body)), 202, body},
		{"no room", maxBodies - int64(len(body)) + 1, 0, int64(len(body)), 503, body},
		{"no room of its own", 0, maxBodiesOfCaller, int64(len(body)), 503, body},
		{"room for the longest", maxBodies - carriedBody, 0, -1, 202, body},
		{"none for the longest", maxBodies - carriedBody + 1, 0, -1, 503, body},
	} {
		all.Store(c.all)
		own.Store(c.own)
		if w := post(c.otherwise, c.size); w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.want)
		}
		if all.Load() != c.all || own.Load() != c.own {
			t.Errorf("%s: %d and %d bytes are not given back", c.name, all.Load()-c.all, own.Load()-c.own)
		}
	}
}
