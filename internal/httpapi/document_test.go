package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/recent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// answers checks answers against the document: the status is there, with this media type, and the
// body fits its schema.
type answers struct {
	t        *testing.T
	doc      any
	compiler *jsonschema.Compiler
}

func documented(t *testing.T, s *Server) *answers {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ask(s, "GET", "/openapi.json", "", "").Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("mem:///openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return &answers{t, doc, c}
}

func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a *answers) check(s *Server, method, path, target, token, body string) []byte {
	a.t.Helper()
	w := ask(s, method, target, token, body)
	media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	where := []string{"paths", path, strings.ToLower(method), "responses", fmt.Sprint(w.Code), "content", media}
	if at(a.doc, where...) == nil {
		a.t.Errorf("%s %s: %d %s is not in the document: %s", method, target, w.Code, media, w.Body)
		return w.Body.Bytes()
	}
	if !strings.HasSuffix(media, "json") || media == ndjsonType {
		return w.Body.Bytes()
	}
	pointer := "mem:///openapi.json#"
	for _, part := range append(where, "schema") {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
	}
	schema, err := a.compiler.Compile(pointer)
	if err != nil {
		a.t.Fatalf("%s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		a.t.Errorf("%s %s: %d does not fit the document: %v\n%s", method, target, w.Code, err, w.Body)
	}
	return w.Body.Bytes()
}

// keysOnAShelf are keys of two clients: of bitcoin and of solana.
func keysOnAShelf() *shelf {
	public := append([]byte{2}, unhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")...)
	ed := unhex("5866666666666666666666666666666666666666666666666666666666666666")
	return &shelf{keys: []directory.Key{
		{ID: "a.0", Client: "shop", Chain: wire.Bitcoin, PublicKey: public, ChainCode: sum("c"), Address: "bcrt1own", Job: "j1",
			Created: now, Label: "=rent", Metadata: map[string]string{"a": "b"}},
		{ID: "b.0", Client: "shop", Chain: wire.Solana, PublicKey: ed, ChainCode: sum("d"), Address: "So1own", Job: "j2", Created: now},
		{ID: "c.0", Client: "bank", Chain: wire.Solana, PublicKey: ed, ChainCode: sum("e"), Address: "So1bank", Job: "j3", Created: now},
	}, jobs: []directory.Job{{ID: "j1", Client: "shop", Kind: wire.KindKeygen, State: directory.Done, Count: 1, Done: 1, Created: now}}}
}

func unhex(text string) (b []byte) {
	for i := 0; i < len(text); i += 2 {
		var c byte
		_, _ = fmt.Sscanf(text[i:i+2], "%02x", &c)
		b = append(b, c)
	}
	return b
}

// TestAnswersFitTheDocument asks for what needs no fleet.
func TestAnswersFitTheDocument(t *testing.T) {
	t.Parallel()
	var ring recent.Ring
	ring.Add(now.Add(-time.Minute), recent.End{Kind: wire.KindSign, Items: 3, Took: time.Second})
	ring.Add(now.Add(-time.Minute), recent.End{Kind: wire.KindSign, Code: "policy_denied", Rule: "r: c"})
	dir := keysOnAShelf()
	s := testServer(t, func(c *Config) { c.Directory, c.Recent = dir, ring.Look })
	a := documented(t, s)
	list := a.check(s, "GET", "/v1/keys", "/v1/keys?limit=1&chain=bitcoin", full, "")
	if !bytes.Contains(list, []byte(`"descriptor":"tr([`)) || bytes.Contains(list, []byte("So1")) {
		t.Errorf("%s", list)
	}
	if all := a.check(s, "GET", "/v1/keys", "/v1/keys", full, ""); bytes.Contains(all, []byte("So1bank")) {
		t.Errorf("another client's key: %s", all)
	}
	if all := a.check(s, "GET", "/v1/keys", "/v1/keys", everyone, ""); !bytes.Contains(all, []byte("So1bank")) {
		t.Errorf("all clients' keys: %s", all)
	}
	if own := a.check(s, "GET", "/v1/keys/{id}", "/v1/keys/c.0", full, ""); !bytes.Contains(own, []byte("not_found")) {
		t.Errorf("another client's key: %s", own)
	}
	a.check(s, "GET", "/v1/keys/{id}", "/v1/keys/a.0", reader, "")
	a.check(s, "GET", "/v1/addresses/{address}", "/v1/addresses/bcrt1own", reader, "")
	a.check(s, "GET", "/v1/addresses/{address}", "/v1/addresses/So1bank", reader, "")
	a.check(s, "GET", "/v1/fleet", "/v1/fleet", reader, "")
	stats := a.check(s, "GET", "/v1/stats", "/v1/stats", reader, "")
	if !bytes.Contains(stats, []byte(`"denials":[{"rule":"r: c","count":1}]`)) || !bytes.Contains(stats, []byte("null,")) {
		t.Errorf("%s", stats)
	}
	a.check(s, "GET", "/v1/jobs", "/v1/jobs", reader, "")
	a.check(s, "GET", "/v1/jobs/{id}", "/v1/jobs/j1", reader, "")
	a.check(s, "PATCH", "/v1/keys/{id}", "/v1/keys/b.0", full, `{"label":"north","metadata":{"x":"y"}}`)
	a.check(s, "PATCH", "/v1/jobs/{id}", "/v1/jobs/j1", full, `{"label":""}`)
	a.check(s, "PATCH", "/v1/keys/{id}", "/v1/keys/c.0", full, `{"label":"mine now"}`)
	if len(dir.notes) != 2 || dir.notes[0].By != "full" || dir.notes[0].Client != "shop" || dir.notes[0].Key != "b.0" {
		t.Errorf("remarks %+v", dir.notes)
	}
	a.check(s, "POST", "/v1/keys", "/v1/keys", full, `{"chain":"solana"}`)
	a.check(s, "POST", "/v1/keys", "/v1/keys", reader, `{"chain":"solana"}`)
	a.check(s, "POST", "/v1/keys", "/v1/keys", full, `{}`)
	lines := a.check(s, "GET", "/v1/keys/export", "/v1/keys/export", full, "")
	if bytes.Count(lines, []byte("\n")) != 2 || !json.Valid(bytes.SplitN(lines, []byte("\n"), 2)[0]) {
		t.Errorf("export %s", lines)
	}
	csv := a.check(s, "GET", "/v1/keys/export", "/v1/keys/export?format=csv", full, "")
	if !bytes.HasPrefix(csv, []byte("id,client,")) || !bytes.Contains(csv, []byte(`,'=rent,`)) {
		t.Errorf("export %s", csv)
	}
	if w := ask(s, "GET", "/v1/keys?limit=1&chain=solana", everyone, ""); !strings.Contains(w.Header().Get("Link"),
		`</v1/keys?chain=solana&cursor=2&limit=1>; rel="next"`) {
		t.Errorf("Link %q", w.Header().Get("Link"))
	}
}

// TestDocument: the document is whole, in both forms and as a page, and none of them needs a token.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for target, want := range map[string]string{
		"/openapi.json": `"openapi": "3.1.0"`, "/openapi.yaml": "openapi: 3.1.0", "/docs": "<h1>Frostfleet gateway: HTTP API</h1>",
		"/docs/style.css": "color-scheme",
	} {
		w := ask(s, "GET", target, "", "")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.200s", target, w.Code, w.Body)
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	page := ask(s, "GET", "/docs", "", "").Body.String()
	for path := range s.api.OpenAPI().Paths {
		if !strings.Contains(page, path) {
			t.Errorf("/docs lacks %s", path)
		}
	}
	for _, bad := range []string{"<script", "style=", "http://", "https://", "onclick"} {
		if strings.Contains(page, bad) {
			t.Errorf("/docs has %q", bad)
		}
	}
}

// FuzzBodies: no body is answered with a fault.
func FuzzBodies(f *testing.F) {
	for _, text := range []string{`{"chain":"solana"}`, `{"chain":"bitcoin","count":7,"metadata":{"a":"b"}}`, `[[[`, "\xff", `{"a":1e999}`,
		`{"label":"\ud800"}`} {
		f.Add(text)
	}
	s := testServer(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"/v1/keys", "/v1/signatures", "/v1/jobs", "/v1/messages"} {
			if w := ask(s, "POST", target, full, body); w.Code >= 500 {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
		}
	})
}

// FuzzPaths: no path is answered with a fault or a redirect.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{"v1/keys", "v1/keys/a.0", "../x", "%2e%2e/", "v1/keys?limit=1", "console/x"} {
		f.Add(path)
	}
	s := testServer(f)
	f.Fuzz(func(t *testing.T, path string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1/"+path, nil)
		if err != nil {
			return
		}
		target := r.URL.RequestURI()
		if !strings.HasPrefix(target, "/") {
			return
		}
		if w := ask(s, "GET", target, full, ""); w.Code >= 500 || w.Code/100 == 3 {
			t.Errorf("%q: %d %s", target, w.Code, w.Body)
		}
	})
}

// BenchmarkAddress is one look-up, without the network: two thousand a second are wanted of a core.
func BenchmarkAddress(b *testing.B) {
	s := testServer(b, func(c *Config) { c.Directory = keysOnAShelf() })
	for b.Loop() {
		if w := ask(s, "GET", "/v1/addresses/bcrt1own", reader, ""); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
