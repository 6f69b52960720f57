package httpapi

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// TestMembersHaveOneSpelling: encoding/json takes a member in any case for one of a struct, so that
// a second spelling would replace what was validated.
func TestMembersHaveOneSpelling(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for _, body := range []string{
		`{"chain":"solana","count":1,"COUNT":5000000}`,
		`{"chain":"solana","COUNT":5000000,"count":1}`,
		`{"Chain":"solana"}`,
		`{"chain":"solana","Chain":"dogecoin"}`,
		`{"chain":"solana","metadata":{"a":"b"},"Metadata":{"a":"\u0007"}}`,
	} {
		if p := problemIn(t, ask(s, "POST", "/v1/keys", full, body)); p.Code != "validation_failed" {
			t.Errorf("%s: %s", body, p.Code)
		}
	}
	// U+017F folds to s, and U+212A to k.
	for path, body := range map[string]string{
		"/v1/approvals": `{"client":"shop","job":"0198c0de-7a10-7cc3-98c4-dc0c0c07398f","approver":"carol",` +
			`"Approver":"a.b.>","time":1,"signature":"` + strings.Repeat("0", 128) + `"}`,
		"/v1/freezes":    `{"administrator":"a","Administrator":"a.>","message":"00"}`,
		"/v1/jobs":       `{"payload":"{}","signature":"` + strings.Repeat("0", 128) + `","ſignature":"\r\nX: y"}`,
		"/v1/signatures": `{"items":[{"key":"a.0","message":"00","` + "\u212a" + `ey":"b"}]}`,
		"/v1/messages":   `{"key":"a.0","text":"a","TEXT":"b"}`,
	} {
		if p := problemIn(t, ask(s, "POST", path, full, body)); p.Code != "validation_failed" {
			t.Errorf("%s %s: %s", path, body, p.Code)
		}
	}
}

// TestAccept: whatever Accept says, what is answered has a media type of the document, and nothing
// panics.
func TestAccept(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for _, accept := range []string{"application/json, a;", "application/json;", "application/json;q", "*/*,;;;,",
		"json, application/json;q=0.5",
		"application/*", "*/*;q=0.1", "application/json;q=0.5;x=y, json;q=1", ";", "*/*, json;q=" + strings.Repeat("9",
			400)} {
		for _, target := range []string{"/v1/keys", "/v1/keys?limit=0"} {
			w := ask(s, "GET", target, full, "", "Accept", accept)
			media := w.Header().Get("Content-Type")
			if w.Code >= 500 || media != "application/json" && media != problemType {
				t.Errorf("Accept %q: %d %q %s", accept, w.Code, media, w.Body)
			}
		}
	}
}

// each calls do with every operation of the document, as a client makes requests of it: with names
// in the path filled in.
func each(s *Server, do func(method, path, target string, op *huma.Operation)) {
	for path, item := range s.api.OpenAPI().Paths {
		target := strings.NewReplacer("{id}", "a.0", "{address}", "bcrt1own").Replace(path)
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodHead: item.Head, http.MethodPost: item.Post, http.MethodPut: item.Put,
			http.MethodPatch: item.Patch, http.MethodDelete: item.Delete, http.MethodOptions: item.Options,
			http.MethodTrace: item.Trace,
		} {
			if op != nil {
				do(method, path, target, op)
			}
		}
	}
}

// TestEveryOperationNeedsItsScope walks the document: nothing of /v1 answers without a token, or
// with one of another scope, whatever the body.
func TestEveryOperationNeedsItsScope(t *testing.T) {
	t.Parallel()
	all := []Scope{Keygen, Sign, Read, Approve}
	s := testServer(t, func(c *Config) {
		c.Directory = keysOnAShelf()
		for _, scope := range all {
			c.Callers.Set(append(callersOf(&Server{cfg: *c}), tokenOf("ff_"+string(scope), Caller{Name: string(scope),
				Client: "shop", Scopes: []Scope{scope}})))
		}
	})
	seen := 0
	each(s, func(method, path, target string, op *huma.Operation) {
		seen++
		body := ""
		if method != http.MethodGet {
			body = "{}"
		}
		for name, token := range map[string]string{"none": "", "unknown": "ff_nobody", "expired": gone} {
			w := ask(s, method, target, token, body)
			if p := problemIn(t, w); p.Code != "unauthorized" || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s, token %s: %s", method, path, name, p.Code)
			}
		}
		if method == http.MethodGet { // net/http answers HEAD with the same handler
			if w := ask(s, http.MethodHead, target, "", ""); w.Code != http.StatusUnauthorized {
				t.Errorf("HEAD %s: %d", path, w.Code)
			}
		}
		needs := op.Security[0][bearer]
		if len(needs) == 0 || len(op.Security) != 2 || !slices.Equal(op.Security[1][mutual], needs) {
			t.Errorf("%s %s: the document asks for %v", method, path, op.Security)
		}
		for _, scope := range all {
			if slices.Contains(needs, string(scope)) {
				continue
			}
			if p := problemIn(t, ask(s, method, target, "ff_"+string(scope), body)); p.Code != "forbidden_scope" {
				t.Errorf("%s %s with scope %s: %s, and it needs %v", method, path, scope, p.Code, needs)
			}
		}
	})
	if seen < 20 {
		t.Errorf("%d operations: the walk is broken", seen)
	}
}

func tokenOf(token string, c Caller) Caller {
	c.SHA256 = sha256.Sum256([]byte(token))
	return c
}

// TestTenancy: a client's token never shows or changes what is another client's: 404, not 403, and
// lists without it.
func TestTenancy(t *testing.T) {
	t.Parallel()
	dir := keysOnAShelf()
	s := testServer(t, func(c *Config) {
		c.Directory = dir
		c.Callers.Set([]Caller{tokenOf("ff_bank", Caller{Name: "bank", Client: "bank", Scopes: []Scope{Keygen, Sign,
			Read, Approve}})})
	})
	note := `{"label":"mine"}`
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/v1/keys/a.0", ""}, {"PATCH", "/v1/keys/a.0", note}, {"GET", "/v1/keys/a.0/addresses", ""},
		{"GET", "/v1/keys/a.0/descriptor", ""}, {"GET", "/v1/addresses/bcrt1own", ""}, {"GET",
			"/v1/addresses/bcrt1own?key=a.0", ""},
		{"GET", "/v1/jobs/j1", ""}, {"PATCH", "/v1/jobs/j1", note}, {"GET", "/v1/jobs/j1?wait=1ms", ""},
		{"GET", "/v1/jobs/j1/result", ""}, {"GET", "/v1/jobs/j1/events", ""},
	} {
		if p := problemIn(t, ask(s, c.method, c.target, "ff_bank", c.body)); p.Code != "not_found" {
			t.Errorf("%s %s: %s", c.method, c.target, p.Code)
		}
	}
	for _, target := range []string{"/v1/keys", "/v1/keys?job=j1", "/v1/keys?text=rent", "/v1/keys/export",
		"/v1/keys/export?format=csv", "/v1/jobs"} {
		w := ask(s, "GET", target, "ff_bank", "")
		for _, of := range []string{"a.0", "b.0", "j1", "shop", "rent", "bcrt1own"} {
			if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"`+of) || strings.Contains(w.Body.String(),
				of+",") {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
		}
	}
	if len(dir.notes) > 0 {
		t.Errorf("noted: %v", dir.notes)
	}
}

// TestNothingIsRepeated: problems have no value of the request, so that a token in the wrong place
// is in no log of a proxy or a client.
func TestNothingIsRepeated(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.cfg.Directory = keysOnAShelf()
	s := d.Server
	const secret = "ff_s3cr3t"
	hex128 := strings.Repeat("0", 128)
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/v1/keys/" + secret, ""}, {"GET", "/v1/jobs/" + secret, ""}, {"GET", "/v1/keys?label=" + secret +
			"&limit=0", ""},
		{"GET", "/v1/keys?limit=" + secret, ""}, {"GET", "/v1/keys?chain=" + secret, ""}, {"GET", "/v1/keys?since=" +
			secret, ""},
		{"GET", "/v1/keys?cursor=" + secret, ""}, {"GET", "/v1/addresses/" + secret, ""}, {"GET", "/" + secret, ""},
		{"POST", "/v1/keys", `{"chain":"` + secret + `"}`}, {"POST", "/v1/keys", `{"chain":7,"label":["` + secret + `"]}`},
		{"POST", "/v1/keys", `{"chain":"solana","metadata":"` + secret + `"}`}, {"POST", "/v1/keys?wait=" + secret,
			`{"chain":"solana"}`},
		{"POST", "/v1/keys", secret}, {"POST", "/v1/signatures", `{"items":[{"key":"` + secret + `","message":"00"}]}`},
		{"POST", "/v1/signatures", `{"items":[{"key":"a.0","message":"` + secret + `"}]}`},
		{"POST", "/v1/signatures", `{"items":[{"key":"a.0","message":"00","path":"` + secret + `"}]}`},
		{"POST", "/v1/messages", `{"key":"a.0","text":"x","path":"` + secret + `"}`},
		{"POST", "/v1/psbt", `{"psbt":"` + secret + `","keys":["` + secret + `"]}`},
		{"POST", "/v1/freezes", `{"administrator":"` + secret + `","message":"00"}`},
		{"POST", "/v1/jobs", `{"payload":"` + secret + `","signature":"` + hex128 + `"}`},
		{"POST", "/v1/jobs", `{"payload":"{\"kind\":\"` + secret + `\"}","signature":"` + hex128 + `"}`},
		{"POST", "/v1/jobs", `{"payload":"{\"kind\":\"sign\"}","signature":"` + hex128 + `","approvals":[{"approver":"` +
			secret +
			`\r\nX: y","time":1,"signature":"` + hex128 + `"}]}`},
	} {
		w := ask(s, c.method, c.target, full, c.body)
		if p := problemIn(t, w); p.Status >= 500 || strings.Contains(w.Body.String(), "s3cr3t") {
			t.Errorf("%s %s: %s", c.method, c.target, w.Body)
		}
		for name, values := range w.Header() {
			if strings.Contains(strings.Join(values, " "), "s3cr3t") {
				t.Errorf("%s %s: header %s: %v", c.method, c.target, name, values)
			}
		}
	}
}

// TestDocumentHasNoCredentials: what anybody can read says nothing of this gateway's callers.
func TestDocumentHasNoCredentials(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	for _, target := range []string{"/openapi.json", "/openapi.yaml", "/docs", "/livez", "/readyz"} {
		w := ask(s, "GET", target, "", "")
		for _, c := range callersOf(s) {
			hash, _ := json.Marshal(c.SHA256)
			if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"`+c.Name+`"`) ||
				strings.Contains(w.Body.String(), string(hash)) {
				t.Errorf("%s: %d, or caller %s is in it", target, w.Code, c.Name)
			}
		}
	}
}

// TestCertificateExpires: a connection that outlives its certificate is nobody's.
func TestCertificateExpires(t *testing.T) {
	t.Parallel()
	cert, _, _, _ := issue(t, newAuthority(t), false)
	c := NewCallers([]Caller{{Name: "cert", Client: "shop", Scopes: []Scope{Read}, Cert: sha256.Sum256(cert.Raw)}})
	r := httptest.NewRequest("GET", "/v1/keys", nil)
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	if _, refusal := c.identify(r, cert.NotAfter); refusal != nil {
		t.Errorf("while it is valid: %v", refusal)
	}
	if _, refusal := c.identify(r, cert.NotAfter.Add(time.Second)); refusal == nil || refusal.Code != "unauthorized" {
		t.Errorf("after that: %v", refusal)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}} // not verified
	if _, refusal := c.identify(r, cert.NotAfter); refusal == nil {
		t.Error("a certificate that nobody verified counts")
	}
}
