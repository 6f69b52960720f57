package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
)

// TestRefusals: what is turned away, with which code, and that the code is in the document of the
// operation.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := testServer(t, func(c *Config) { c.Directory = &shelf{} })
	deep := strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)
	for name, c := range map[string]struct {
		method, target, token, body string
		headers                     []string
		code                        string
	}{
		"no token":                {"GET", "/v1/keys", "", "", nil, "unauthorized"},
		"unknown token":           {"GET", "/v1/keys", "ff_nobody", "", nil, "unauthorized"},
		"expired token":           {"GET", "/v1/keys", gone, "", nil, "unauthorized"},
		"token in the query":      {"GET", "/v1/keys?token=" + full, "", "", nil, "unauthorized"},
		"access_token":            {"GET", "/v1/keys?access_token=" + full, "", "", nil, "unauthorized"},
		"basic":                   {"GET", "/v1/keys", "", "", []string{"Authorization", "Basic " + full}, "unauthorized"},
		"no scheme":               {"GET", "/v1/keys", "", "", []string{"Authorization", full}, "unauthorized"},
		"huge token":              {"GET", "/v1/keys", strings.Repeat("x", 5000), "", nil, "unauthorized"},
		"a hash as a token":       {"GET", "/v1/keys", "\x00\x01", "", nil, "unauthorized"},
		"scope":                   {"POST", "/v1/keys", reader, `{"chain":"solana"}`, nil, "forbidden_scope"},
		"scope of all clients":    {"POST", "/v1/keys", everyone, `{"chain":"solana"}`, nil, "forbidden_scope"},
		"key of no client here":   {"POST", "/v1/keys", full, `{"chain":"solana"}`, nil, "not_held"},
		"cross site":              {"GET", "/v1/keys", full, "", []string{"Sec-Fetch-Site", "cross-site"}, "cross_site"},
		"another port":            {"GET", "/v1/keys", full, "", []string{"Sec-Fetch-Site", "same-site"}, "cross_site"},
		"another origin":          {"GET", "/v1/keys", full, "", []string{"Origin", "http://evil.example"}, "cross_site"},
		"origin of another port":  {"GET", "/v1/keys", full, "", []string{"Origin", "http://127.0.0.1:81"}, "cross_site"},
		"origin null":             {"GET", "/v1/keys", full, "", []string{"Origin", "null"}, "cross_site"},
		"rebound name":            {"GET", "/v1/keys", full, "", []string{"Host", "evil.example"}, "wrong_host"},
		"rebound name with port":  {"GET", "/readyz", "", "", []string{"Host", "evil.example:80"}, "wrong_host"},
		"no host":                 {"GET", "/v1/keys", full, "", []string{"Host", ""}, "wrong_host"},
		"unknown path":            {"GET", "/v1/nothing", full, "", nil, "not_found"},
		"unknown path of a page":  {"GET", "/nothing", "", "", nil, "not_found"},
		"trailing slash":          {"GET", "/v1/keys/", full, "", nil, "not_found"},
		"double slash":            {"GET", "/v1//keys", full, "", nil, "not_found"},
		"leading slashes":         {"GET", "//evil.example/v1/keys", full, "", nil, "not_found"},
		"dots":                    {"GET", "/v1/../v1/keys", full, "", nil, "not_found"},
		"one dot":                 {"GET", "/v1/./keys", full, "", nil, "not_found"},
		"escaped dots":            {"GET", "/v1/%2e%2e/v1/keys", full, "", nil, "not_found"},
		"escaped slash":           {"GET", "/v1/keys%2fexport", full, "", nil, "not_found"},
		"escaped slash in an id":  {"GET", "/v1/keys/a%2fb", full, "", nil, "not_found"},
		"backslash":               {"GET", "/v1/keys/..%5c..", full, "", nil, "not_found"},
		"NUL in an id":            {"GET", "/v1/keys/a%00b", full, "", nil, "not_found"},
		"no such key":             {"GET", "/v1/keys/a.1", full, "", nil, "not_found"},
		"method":                  {"DELETE", "/v1/keys", full, "", nil, "method_not_allowed"},
		"method nobody has":       {"BREW", "/v1/keys", full, "", nil, "method_not_allowed"},
		"method of a page":        {"POST", "/openapi.json", "", "{}", nil, "method_not_allowed"},
		"accept":                  {"GET", "/v1/keys", full, "", []string{"Accept", "text/html"}, "not_acceptable"},
		"accept none":             {"GET", "/v1/keys", full, "", []string{"Accept", "application/json;q=0"}, "not_acceptable"},
		"accept of a post":        {"POST", "/v1/keys", full, `{}`, []string{"Accept", "image/png"}, "not_acceptable"},
		"form":                    {"POST", "/v1/keys", full, `chain=solana`, []string{"Content-Type", "application/x-www-form-urlencoded"}, "unsupported_media_type"},
		"text":                    {"POST", "/v1/keys", full, `{}`, []string{"Content-Type", "text/plain"}, "unsupported_media_type"},
		"no media type":           {"POST", "/v1/keys", full, `{}`, []string{"Content-Type", ""}, "unsupported_media_type"},
		"json of another kind":    {"POST", "/v1/keys", full, `{}`, []string{"Content-Type", "application/ld+json"}, "unsupported_media_type"},
		"latin-1":                 {"POST", "/v1/keys", full, `{}`, []string{"Content-Type", "application/json; charset=latin1"}, "unsupported_media_type"},
		"no body":                 {"POST", "/v1/keys", full, "", []string{"Content-Type", "application/json"}, "bad_request"},
		"no JSON":                 {"POST", "/v1/keys", full, `{`, nil, "bad_request"},
		"two values":              {"POST", "/v1/keys", full, `{"chain":"solana"} {}`, nil, "bad_request"},
		"a member twice":          {"POST", "/v1/keys", full, `{"chain":"solana","chain":"bitcoin"}`, nil, "bad_request"},
		"deep":                    {"POST", "/v1/keys", full, `{"metadata":` + deep + `}`, nil, "bad_request"},
		"very deep":               {"POST", "/v1/keys", full, strings.Repeat("[", 60_000), nil, "bad_request"},
		"no UTF-8":                {"POST", "/v1/keys", full, "{\"chain\":\"solana\",\"label\":\"\xff\"}", nil, "bad_request"},
		"NUL":                     {"POST", "/v1/keys", full, `{"chain":"solana","label":"a\u0000"}`, nil, "bad_request"},
		"an array":                {"POST", "/v1/keys", full, `[]`, nil, "validation_failed"},
		"null":                    {"POST", "/v1/keys", full, `null`, nil, "bad_request"},
		"null in a member":        {"POST", "/v1/keys", full, `{"chain":"solana","metadata":null}`, nil, "bad_request"},
		"empty idempotency key":   {"POST", "/v1/keys", full, `{"chain":"solana"}`, []string{"Idempotency-Key", ""}, "validation_failed"},
		"unknown member":          {"POST", "/v1/keys", full, `{"chain":"solana","colour":"red"}`, nil, "validation_failed"},
		"missing member":          {"POST", "/v1/keys", full, `{"count":1}`, nil, "validation_failed"},
		"chain":                   {"POST", "/v1/keys", full, `{"chain":"dogecoin"}`, nil, "validation_failed"},
		"count 0":                 {"POST", "/v1/keys", full, `{"chain":"solana","count":0}`, nil, "validation_failed"},
		"count 5001":              {"POST", "/v1/keys", full, `{"chain":"solana","count":5001}`, nil, "validation_failed"},
		"count of a string":       {"POST", "/v1/keys", full, `{"chain":"solana","count":"1"}`, nil, "validation_failed"},
		"count that is no number": {"POST", "/v1/keys", full, `{"chain":"solana","count":1.5}`, nil, "validation_failed"},
		"count beyond all":        {"POST", "/v1/keys", full, `{"chain":"solana","count":1e400}`, nil, "bad_request"},
		"label of another kind":   {"POST", "/v1/keys", full, `{"chain":"solana","label":7}`, nil, "validation_failed"},
		"label that turns round":  {"POST", "/v1/keys", full, `{"chain":"solana","label":"a\u202eb"}`, nil, "validation_failed"},
		"metadata beyond LABELS": {"POST", "/v1/keys", full, `{"chain":"solana","metadata":{` + quoted() + `}}`, nil,
			"validation_failed"},
		"label with a line break": {"POST", "/v1/keys", full, `{"chain":"solana","label":"a\nb"}`, nil, "validation_failed"},
		"label of 129 bytes":      {"POST", "/v1/keys", full, `{"chain":"solana","label":"` + strings.Repeat("ü", 64) + `a"}`, nil, "validation_failed"},
		"metadata of a list":      {"POST", "/v1/keys", full, `{"chain":"solana","metadata":[]}`, nil, "validation_failed"},
		"metadata with no name":   {"POST", "/v1/keys", full, `{"chain":"solana","metadata":{"":"a"}}`, nil, "validation_failed"},
		"a long value":            {"POST", "/v1/keys", full, `{"chain":"solana","metadata":{"a":"` + strings.Repeat("x", 1025) + `"}}`, nil, "validation_failed"},
		"large body":              {"POST", "/v1/keys", full, `{"label":"` + strings.Repeat("x", noteBody) + `"}`, nil, "body_too_large"},
		"wait too long":           {"POST", "/v1/keys?wait=61s", full, `{"chain":"solana"}`, nil, "validation_failed"},
		"wait of nothing":         {"POST", "/v1/keys?wait=", full, `{"chain":"solana"}`, nil, "validation_failed"},
		"wait of a word":          {"POST", "/v1/keys?wait=long", full, `{"chain":"solana"}`, nil, "validation_failed"},
		"idempotency key":         {"POST", "/v1/keys", full, `{"chain":"solana"}`, []string{"Idempotency-Key", "a b"}, "validation_failed"},
		"long idempotency key":    {"POST", "/v1/keys", full, `{"chain":"solana"}`, []string{"Idempotency-Key", strings.Repeat("k", 129)}, "validation_failed"},
		"unknown parameter":       {"GET", "/v1/keys?colour=red", full, "", nil, "validation_failed"},
		"parameter twice":         {"GET", "/v1/keys?limit=1&limit=2", full, "", nil, "validation_failed"},
		"limit 0":                 {"GET", "/v1/keys?limit=0", full, "", nil, "validation_failed"},
		"limit 1001":              {"GET", "/v1/keys?limit=1001", full, "", nil, "validation_failed"},
		"limit of a word":         {"GET", "/v1/keys?limit=many", full, "", nil, "validation_failed"},
		"since yesterday":         {"GET", "/v1/keys?since=yesterday", full, "", nil, "validation_failed"},
		"query that is none":      {"GET", "/v1/keys?label=%zz", full, "", nil, "bad_request"},
		"query that is no UTF-8":  {"GET", "/v1/keys?label=%ff", full, "", nil, "bad_request"},
		"query with a NUL":        {"GET", "/v1/keys?label=a%00", full, "", nil, "bad_request"},
		"query with a semicolon":  {"GET", "/v1/keys?a=b;c=d", full, "", nil, "bad_request"},
		"cursor":                  {"GET", "/v1/keys?cursor=xyz", full, "", nil, "bad_cursor"},
		"format":                  {"GET", "/v1/keys/export?format=xml", full, "", nil, "validation_failed"},
		"cursor of an export":     {"GET", "/v1/keys/export?cursor=xyz", full, "", nil, "validation_failed"},
		"account":                 {"GET", "/v1/keys/a.1/addresses?account=0'", full, "", nil, "validation_failed"},
		"many addresses":          {"GET", "/v1/keys/a.1/addresses?count=1001", full, "", nil, "validation_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(s, c.method, c.target, c.token, c.body, c.headers...)
			p := problemIn(t, w)
			if p.Code != c.code || w.Code != problems[c.code].status || p.Retryable != problems[c.code].retryable {
				t.Errorf("%s %s: %d %s, want %s", c.method, c.target, w.Code, w.Body, c.code)
			}
			if w.Header().Get("Location") != "" || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("a redirect, or CORS: %v", w.Header())
			}
			if (p.Code == "unauthorized") != strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
			}
			if p.Code == "method_not_allowed" && !strings.Contains(w.Header().Get("Allow"), "GET") {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
			for _, secret := range []string{full, "yesterday", "dogecoin", "red", "colour=red"} {
				if strings.Contains(w.Body.String(), secret) && !strings.Contains(c.target, "red") && secret != "red" {
					t.Errorf("the answer repeats %q: %s", secret, w.Body)
				}
			}
		})
	}
}

// TestProblemsAreDocumented: every status that an operation can answer with is in the document,
// and every code of this package is one of the table.
func TestProblemsAreDocumented(t *testing.T) {
	t.Parallel()
	codes := regexp.MustCompile(`problem\("([a-z_]+)"`)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codes.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, ok := problems[m[1]]; !ok {
				t.Errorf("%s: problem %q is not in the table", f.Name(), m[1])
			}
		}
	}
	if found < 20 {
		t.Fatalf("%d codes: the search is broken", found)
	}
}

// TestGuideListsProblems: docs/http.md has the table of problems, with status and whether to try
// again.
func TestGuideListsProblems(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+) \\| ([0-9]{3}) \\| (yes|no) \\|").FindAllStringSubmatch(string(text), -1) {
		for code := range strings.SplitSeq(row[1], ", ") {
			listed[strings.Trim(code, "` ")] = row[2] + " " + row[3]
		}
	}
	var missing []string
	for code, row := range problems {
		want := http.StatusText(row.status)
		if want == "" {
			t.Errorf("%s has status %d", code, row.status)
		}
		again := map[bool]string{true: "yes", false: "no"}[row.retryable]
		if got := listed[code]; got != strings.TrimSpace(jsonOf(row.status)+" "+again) {
			missing = append(missing, code+" ("+jsonOf(row.status)+", "+again+"; the page has "+got+")")
		}
		delete(listed, code)
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("docs/http.md does not list:\n%s", strings.Join(missing, "\n"))
	}
	if len(listed) > 0 {
		t.Errorf("docs/http.md lists what is not there: %v", listed)
	}
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestRate: who asks too often waits as long as the answer says, and others do not.
func TestRate(t *testing.T) {
	t.Parallel()
	at := now
	s := testServer(t, func(c *Config) { c.Now = func() time.Time { return at } })
	get := func(token string) *httptest.ResponseRecorder { return ask(s, "GET", "/v1/keys", token, "") }
	if w := get(slow); w.Code != http.StatusOK {
		t.Fatalf("the first: %s", w.Body)
	}
	w := get(slow)
	if p := problemIn(t, w); p.Code != "rate_limited" || w.Header().Get("Retry-After") != "1" || !p.Retryable {
		t.Fatalf("the second: %s, Retry-After %q", w.Body, w.Header().Get("Retry-After"))
	}
	if w := get(reader); w.Code != http.StatusOK {
		t.Errorf("another caller: %s", w.Body)
	}
	s.cfg.Callers.Set(callersOf(s)) // a reload gives nobody another first request
	if w := get(slow); w.Code != http.StatusTooManyRequests {
		t.Errorf("after a reload: %d", w.Code)
	}
	at = at.Add(time.Second)
	if w := get(slow); w.Code != http.StatusOK {
		t.Errorf("a second later: %s", w.Body)
	}
}

func callersOf(s *Server) (all []Caller) {
	for _, p := range s.cfg.Callers.all.Load().tokens {
		all = append(all, p.Caller)
	}
	return all
}

// TestReloadedCallers: a token that is gone counts no more, and a new one does at once.
func TestReloadedCallers(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	all := callersOf(s)
	s.cfg.Callers.Set(slices.DeleteFunc(slices.Clone(all), func(c Caller) bool { return c.Name == "reader" }))
	if w := ask(s, "GET", "/v1/keys", reader, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("a token that is gone: %d", w.Code)
	}
	s.cfg.Callers.Set(all)
	if w := ask(s, "GET", "/v1/keys", reader, ""); w.Code != http.StatusOK {
		t.Errorf("a token that is back: %d", w.Code)
	}
}

// TestHeaders: who answers under which name, which request ids are taken over, and what every
// answer has.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := testServer(t, func(c *Config) { c.Hosts = []string{"gw.example.org"} })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "[::1]:8080": 200, "::1": 200,
		"gw.example.org": 200, "GW.example.org:443": 200, "gw.example.org.": 200, "example.org": 421, "localhost.example.org": 421,
		"127.0.0.1.example.org": 421, "10.0.0.1": 200,
	} {
		if w := ask(s, "GET", "/livez", "", "", "Host", host); w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
	secure := testServer(t, func(c *Config) { c.Plaintext = false })
	if w := ask(secure, "GET", "/livez", "", "", "Host", "anything.example"); w.Code != 200 {
		t.Errorf("with TLS, whose certificate says the name: %d", w.Code)
	}
	for id, taken := range map[string]bool{"abc-123": true, "a b": false, "": false, strings.Repeat("x", 65): false, "<b>": false} {
		w := ask(s, "GET", "/v1/keys", full, "", "X-Request-Id", id)
		if got := w.Header().Get("X-Request-Id"); (got == id) != taken || got == "" {
			t.Errorf("request id %q became %q", id, got)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", w.Header())
		}
	}
	if w := ask(s, "OPTIONS", "/v1/keys", "", ""); w.Code != http.StatusNoContent || w.Header().Get("Allow") != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
	}
	if w := ask(s, "OPTIONS", "/v1/keys/export", "", ""); w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("OPTIONS of a path that is also a key's: %v", w.Header())
	}
	if w := ask(s, "HEAD", "/v1/keys", full, ""); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// TestFaults: what goes wrong inside is logged, and told to nobody; nor is a token logged.
func TestFaults(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	dir := &shelf{fault: errors.New("page 17 is torn")}
	s := testServer(t, func(c *Config) {
		c.Directory, c.Log = dir, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for _, target := range []string{"/v1/keys", "/v1/keys/a.1", "/v1/addresses/x"} {
		w := ask(s, "GET", target, full, "")
		if p := problemIn(t, w); p.Code != "internal" || strings.Contains(w.Body.String(), "torn") {
			t.Errorf("%s: %s", target, w.Body)
		} else if !strings.Contains(log.String(), p.RequestID) {
			t.Errorf("%s: the log does not have %s", target, p.RequestID)
		}
	}
	dir.panics = true
	if p := problemIn(t, ask(s, "GET", "/v1/keys", full, "")); p.Code != "internal" {
		t.Errorf("a panic: %+v", p)
	}
	ask(s, "GET", "/v1/keys", "ff_unknown", "")
	if text := log.String(); !strings.Contains(text, "page 17 is torn") || !strings.Contains(text, "panicked") ||
		!strings.Contains(text, `route="GET /v1/keys/{id}"`) || !strings.Contains(text, "caller=full") ||
		strings.Contains(text, full) || strings.Contains(text, "ff_unknown") {
		t.Errorf("log:\n%s", text)
	}
}

// TestErrorsOfTheFleet: what package client and the directory say becomes the code that it is.
func TestErrorsOfTheFleet(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&client.BusyError{RetryAfter: 200 * time.Millisecond}, 503, "busy"},
		{&client.JobError{Code: client.CodeUnknownKey, Message: "m"}, 404, "unknown_key"},
		{&client.DeniedError{JobError: client.JobError{Code: client.CodePolicyDenied}}, 403, "policy_denied"},
		{&client.JobError{Code: "of_tomorrow", Message: "m"}, 422, "of_tomorrow"},
		{&client.AccountError{Code: client.CodeInvalidChild}, 422, "invalid_child"},
		{directory.ErrNotFound, 404, "not_found"},
		{directory.ErrCursor, 400, "bad_cursor"},
		{errors.New("anything"), 500, "internal"},
		{problem("not_held", "x"), 403, "not_held"},
	} {
		p, ok := errors.AsType[*Problem](s.fail(t.Context(), c.err))
		if !ok || p.Status != c.status || p.Code != c.code || p.Type != "urn:frostfleet:problem:"+c.code {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
	if s.fail(t.Context(), nil) != nil {
		t.Error("nothing is a problem")
	}
	if h := problem("busy", "x").after(200 * time.Millisecond).GetHeaders(); h.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", h.Get("Retry-After"))
	}
}

// TestFull: as many requests as may be answered at once, and the next one is told to come later.
func TestFull(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for range maxInFlight {
		s.flying <- struct{}{}
	}
	w := ask(s, "GET", "/v1/keys", full, "")
	if p := problemIn(t, w); p.Code != "busy" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	<-s.flying
	if w := ask(s, "GET", "/v1/keys", full, ""); w.Code != http.StatusOK || len(s.flying) != maxInFlight-1 {
		t.Errorf("%d, %d under way", w.Code, len(s.flying))
	}
}

// TestHealth says no more than whether the gateway works.
func TestHealth(t *testing.T) {
	t.Parallel()
	f := &fleetStub{}
	s := testServer(t, func(c *Config) { c.Fleet = f; c.Directory = &shelf{} })
	if w := ask(s, "GET", "/readyz", "", ""); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.err = errors.New("node 2 at 10.0.0.7 is away")
	w := ask(s, "GET", "/readyz", "", "")
	if p := problemIn(t, w); p.Code != "not_ready" || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(s, "GET", "/livez", "", ""); w.Code != 200 {
		t.Errorf("livez: %d", w.Code)
	}
}

// quoted is metadata of which each value is in its bounds, and each byte is two in JSON.
func quoted() string {
	var pairs []string
	for i := range directory.MaxMetadata {
		pairs = append(pairs, fmt.Sprintf("\"%d\":\"%s\"", i, strings.Repeat(`\"`, directory.MaxValue)))
	}
	return strings.Join(pairs, ",")
}
