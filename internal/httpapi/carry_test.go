package httpapi

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// wagon is a Carrier that keeps jobs.
type wagon struct {
	Carrier
	mu   sync.Mutex
	jobs []wire.SignedJob
	err  error
}

func (w *wagon) Job(_ context.Context, job wire.SignedJob) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	w.jobs = append(w.jobs, job)
	return nil
}

func (w *wagon) carried() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs)
}

// depot is a server that holds no client's key.
type depot struct {
	*Server
	wagon *wagon
	known *memory
	shop  ed25519.PrivateKey
	other ed25519.PrivateKey
}

func newDepot(t testing.TB) *depot {
	t.Helper()
	d := &depot{wagon: &wagon{}, known: newMemory(), shop: keyOf(1), other: keyOf(2)}
	access, err := wire.NewAccess([]wire.Client{
		{Name: "shop", Key: publicOf(d.shop), Kinds: wire.Kinds},
		{Name: "other", Key: publicOf(d.other), Kinds: wire.Kinds},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Server = testServer(t, func(c *Config) {
		c.Carrier, c.Directory, c.Access = d.wagon, d.known, func() *wire.Access { return access }
	})
	return d
}

const aJob = "0198c0de-7a10-7cc3-98c4-dc0c0c07398f"

func keygenPayload(id string, expires time.Time) string {
	return fmt.Sprintf(`{"job":%q,"kind":"keygen","expires":%q,"chain":"bitcoin","count":1}`, id, expires.Format(time.RFC3339))
}

func (d *depot) body(key ed25519.PrivateKey, of, payload string) string {
	job := wire.SignJob(key, d.cfg.Manifest, "keygen", of, []byte(payload))
	return carryBody(payload, hex.EncodeToString(job.Signature))
}

func carryBody(payload, signature string) string {
	text, err := json.Marshal(map[string]any{"payload": payload, "signature": signature})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestCarried: a job goes byte for byte as its client signed it, also in odd spelling, with
// its approvals and its trace, and again when it is sent again.
func TestCarried(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	upper := strings.ToUpper(aJob)
	for i, payload := range []string{
		keygenPayload(aJob, now.Add(time.Minute)),
		keygenPayload(aJob, now.Add(time.Minute)),
		"{ \"count\":1,\t\"job\":\"" + upper + `", "expires":"2026-11-30T12:30:00Z","kind":"keygen","chain":"sol` + `ana"}`,
	} {
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		w := ask(d, "POST", "/v1/jobs", full, d.body(d.shop, "shop", payload), "traceparent", trace)
		if w.Code != http.StatusAccepted || d.wagon.carried() != i+1 {
			t.Fatalf("%d %s, %d carried", w.Code, w.Body, d.wagon.carried())
		}
		got := d.wagon.jobs[i]
		if string(got.Payload) != payload || got.Client != "shop" || got.Trace != trace {
			t.Errorf("carried %+v, sent %s", got, payload)
		}
	}
	if w := ask(d, "GET", "/v1/jobs/"+upper, full, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), upper) {
		t.Errorf("a job whose id is in upper case: %d %s", w.Code, w.Body)
	}
	if w := ask(d, "GET", "/v1/jobs/"+strings.ToLower(upper[:8])+upper[8:], full, ""); w.Code != http.StatusNotFound {
		t.Errorf("a job whose id is another text: %d %s", w.Code, w.Body)
	}
}

// TestCarriedWithApprovals: those that are well formed go with the job.
func TestCarriedWithApprovals(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	payload := keygenPayload(aJob, now.Add(time.Minute))
	job := wire.SignJob(d.shop, d.cfg.Manifest, "keygen", "shop", []byte(payload))
	a := wire.Approve(keyOf(5), "erin", d.cfg.Manifest, job.Digest(d.cfg.Manifest), now)
	body := func(name string) string {
		return fmt.Sprintf(`{"payload":%q,"signature":"%x","approvals":[{"approver":%q,"time":%d,"signature":"%x"}]}`, payload,
			job.Signature, name, a.Time, a.Signature)
	}
	w := ask(d, "POST", "/v1/jobs", full, body("erin"))
	if w.Code != http.StatusAccepted || len(d.wagon.jobs[0].Approvals) != 1 || d.wagon.jobs[0].Approvals[0].Name != "erin" {
		t.Fatalf("%d %s: %+v", w.Code, w.Body, d.wagon.jobs)
	}
	if p := problemIn(t, ask(d, "POST", "/v1/jobs", full, body("a b"))); p.Code != "validation_failed" || d.wagon.carried() != 1 {
		t.Errorf("an approver that can't be: %+v", p)
	}
}

// TestNotCarried: junk costs the bus no message, and says why.
func TestNotCarried(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	good := keygenPayload(aJob, now.Add(time.Minute))
	elsewhere := &wire.Manifest{Fleet: "elsewhere", Network: "regtest", N: 3, T: 2}
	foreign := wire.SignJob(d.shop, elsewhere, "keygen", "shop", []byte(good))
	as := func(payload string) string { return d.body(d.shop, "shop", payload) }
	asSign := func(payload string) string {
		job := wire.SignJob(d.shop, d.cfg.Manifest, "sign", "shop", []byte(payload))
		return carryBody(payload, hex.EncodeToString(job.Signature))
	}
	for name, c := range map[string]struct {
		token, body, code string
		status            int
	}{
		"another client's":      {full, d.body(d.other, "other", good), "bad_signature", 403},
		"another client's key":  {full, d.body(d.other, "shop", good), "bad_signature", 403},
		"of another fleet":      {full, carryBody(good, hex.EncodeToString(foreign.Signature)), "bad_signature", 403},
		"another payload":       {full, strings.Replace(as(good), "bitcoin", "solana", 1), "bad_signature", 403},
		"expired":               {full, as(keygenPayload(aJob, now)), "expired", 409},
		"far away":              {full, as(keygenPayload(aJob, now.Add(2*time.Hour))), "expiry_too_far", 422},
		"a member twice":        {full, as(good[:len(good)-1] + `,"count":2}`), "malformed_job", 422},
		"the kind twice":        {full, as(good[:len(good)-1] + `,"kind":"keygen"}`), "malformed_job", 422},
		"a member in caps":      {full, as(strings.Replace(good, `"count"`, `"Count"`, 1)), "malformed_job", 422},
		"something after it":    {full, as(good + "{}"), "malformed_job", 422},
		"no kind":               {full, as(`{"job":"x"}`), "malformed_job", 422},
		"no JSON":               {full, as(`nothing`), "malformed_job", 422},
		"no UUID":               {full, as(keygenPayload("../../etc", now.Add(time.Minute))), "malformed_job", 422},
		"unknown kind":          {full, as(strings.Replace(good, "keygen", "steal", 1)), "malformed_job", 422},
		"no items":              {full, asSign(`{"job":"` + aJob + `","kind":"sign","expires":"2026-11-30T12:30:00Z","items":[]}`), "empty_batch", 422},
		"a payload of 2 MiB":    {full, as(good + strings.Repeat(" ", 2<<20)), "too_large", 422},
		"a body over 2 MiB":     {full, as(good + strings.Repeat(" ", 3<<20)), "body_too_large", 413},
		"a payload over a MiB":  {full, as(good + strings.Repeat(" ", 1<<20)), "too_large", 422},
		"no signature":          {full, carryBody(good, ""), "validation_failed", 422},
		"a body's member twice": {full, strings.Replace(as(good), `{"payload"`, `{"payload":"{}","payload"`, 1), "bad_request", 400},
		"by a reader":           {reader, as(good), "forbidden_scope", 403},
		"by everybody's token":  {everyone, as(good), "forbidden_scope", 403},
		"by nobody":             {"", as(good), "unauthorized", 401},
	} {
		w := ask(d, "POST", "/v1/jobs", c.token, c.body)
		if p := problemIn(t, w); p.Code != c.code || p.Status != c.status {
			t.Errorf("%s: %d %s (%s), want %d %s", name, p.Status, p.Code, p.Detail, c.status, c.code)
		}
	}
	if n := d.wagon.carried(); n != 0 {
		t.Errorf("%d were carried", n)
	}
}

// TestCarriedScopes: a job needs the scope of its kind.
func TestCarriedScopes(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.cfg.Callers.Set([]Caller{{Name: "signer", Client: "shop", Scopes: []Scope{Sign}, SHA256: sha("ff_signer")}})
	w := ask(d, "POST", "/v1/jobs", "ff_signer", d.body(d.shop, "shop", keygenPayload(aJob, now.Add(time.Minute))))
	if p := problemIn(t, w); p.Code != "forbidden_scope" || d.wagon.carried() != 0 {
		t.Errorf("%+v", p)
	}
}

// TestCarrierFails: what was not stored is a problem that says whether to repeat.
func TestCarrierFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		code   string
		status int
		retry  bool
	}{
		{&client.BusyError{RetryAfter: time.Second}, "busy", 503, true},
		{client.ErrNoStream, "busy", 503, true},
		{&client.JobError{Code: client.CodeTooLarge, Message: "m"}, "too_large", 422, false},
		{errors.New("secret path /etc"), "internal", 500, true},
	} {
		d := newDepot(t)
		d.wagon.err = c.err
		w := ask(d, "POST", "/v1/jobs", full, d.body(d.shop, "shop", keygenPayload(aJob, now.Add(time.Minute))))
		p := problemIn(t, w)
		if p.Code != c.code || p.Status != c.status || p.Retryable != c.retry || strings.Contains(w.Body.String(), "/etc") {
			t.Errorf("%v: %s", c.err, w.Body)
		}
		if c.status == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", c.err)
		}
	}
}

// TestCarriedAndWaited: a caller may wait for the end.
func TestCarriedAndWaited(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	go func() {
		for d.wagon.carried() == 0 {
			time.Sleep(time.Millisecond)
		}
		d.known.set(directory.Job{ID: aJob, Client: "shop", Kind: "keygen", State: directory.Failed, Code: "frozen", Error: "why",
			Ended: now})
	}()
	w := ask(d, "POST", "/v1/jobs?wait=30s", full, d.body(d.shop, "shop", keygenPayload(aJob, now.Add(time.Minute))))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"failed","code":"frozen","error":"why"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzCarry: whatever comes, nothing is carried but jobs that their client signed.
func FuzzCarry(f *testing.F) {
	good := keygenPayload(aJob, now.Add(time.Minute))
	d := newDepot(f)
	f.Add(d.body(d.shop, "shop", good))
	f.Add(carryBody(good, strings.Repeat("0", 128)))
	f.Add(`{"payload":"{\"kind\":\"sign\"}","signature":"` + strings.Repeat("0", 128) + `","approvals":[{"approver":"a","time":1,"signature":"` +
		strings.Repeat("0", 128) + `"}]}`)
	f.Add(`{"payload":`)
	f.Fuzz(func(t *testing.T, body string) {
		if body == "" {
			return
		}
		before := d.wagon.carried()
		w := ask(d, "POST", "/v1/jobs", full, body)
		switch {
		case w.Code == http.StatusAccepted && d.wagon.carried() == before+1:
			job := d.wagon.jobs[before]
			if job.Client != "shop" || !ed25519.Verify(publicOf(d.shop), wire.JobSigningInput(d.cfg.Manifest, job.Kind, "shop", job.Payload),
				job.Signature) {
				t.Errorf("carried %+v", job)
			}
		case w.Code >= 500 || w.Code < 400 || d.wagon.carried() != before:
			t.Errorf("%d %s, %d carried", w.Code, w.Body, d.wagon.carried()-before)
		}
	})
}
