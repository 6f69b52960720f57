package console_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/console"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// object is a JSON object.
type object = map[string]any

// fake is an API as docs/http.md has it, without a fleet behind it, which says what a test wants.
type fake struct {
	*httptest.Server
	manifest *wire.Manifest
	client   string
	payload  string // of the job that waits
	jobID    string

	mu       sync.Mutex
	answers  map[string]any // by method and path
	problems map[string]object
	sent     []object // bodies of what was posted and patched
	down     bool
}

const fakeToken = "ff_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		manifest: wiretest.New(t, 2, 3, nil).Manifest,
		client:   "treasury", jobID: "0198c0de-7a10-7cc3-98c4-dc0c0c073991",
	}
	f.payload = fmt.Sprintf(`{"job":%q,"kind":"sign","approve_until":"2099-12-07T12:00:00Z","expires_after":600,`+
		`"psbt":"cHNidP8="}`, f.jobID)
	f.problems, f.answers = map[string]object{}, map[string]any{}
	f.fill()
	mux := http.NewServeMux()
	mux.Handle("/", console.Handler())
	mux.HandleFunc("/v1/", f.serve)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// digest is that of the job that waits.
func (f *fake) digest() [32]byte {
	return wire.SignedJob{Kind: wire.KindSign, Client: f.client, Payload: []byte(f.payload)}.Digest(f.manifest)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("X-Request-Id", "req-17")
	if f.down {
		panic(http.ErrAbortHandler)
	}
	question := r.Method + " " + r.URL.Path
	switch said, wrong := f.problems[question]; {
	case r.Header.Get("Authorization") != "Bearer "+fakeToken:
		problem(w, object{"status": 401, "code": "unauthorized", "title": "Unauthorized", "detail": "No such token."})
		return
	case wrong:
		problem(w, said)
		return
	case strings.HasSuffix(r.URL.Path, "/events"):
		f.mu.Unlock()
		f.stream(w, r)
		f.mu.Lock()
		return
	case r.Method != http.MethodGet:
		var body object
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			problem(w, object{"status": 400, "code": "bad_request", "title": "Bad request", "detail": err.Error()})
			return
		}
		f.sent = append(f.sent, body)
		if said, ok := f.answers["GET "+r.URL.Path].(object); ok && r.Method == http.MethodPatch {
			said["label"] = body["label"]
		}
	}
	said, ok := f.answers["GET "+r.URL.Path]
	if !ok {
		problem(w, object{"status": 404, "code": "not_found", "title": "Not found", "detail": "There is nothing here."})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(said)
}

// stream sends a job as it is, and whenever it is another, until it has ended.
func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	path, last := strings.TrimSuffix(r.URL.Path, "/events"), ""
	for id := 1; r.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		job, _ := f.answers["GET "+path].(object)
		data, _ := json.Marshal(job)
		f.mu.Unlock()
		if string(data) == last {
			continue
		}
		last = string(data)
		fmt.Fprintf(w, ": still here\n\nevent: job\nid: %d\ndata: %s\n\n", id, data)
		_ = http.NewResponseController(w).Flush()
		if id++; job["status"] == "done" {
			return
		}
	}
}

func problem(w http.ResponseWriter, said object) {
	said["type"], said["request_id"] = fmt.Sprint("urn:frostfleet:problem:", said["code"]), "req-17"
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(said["status"].(int))
	_ = json.NewEncoder(w).Encode(said)
}

func (f *fake) set(path string, answer any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers["GET "+path] = answer
}

func (f *fake) last() object {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sent) == 0 {
		return nil
	}
	return f.sent[len(f.sent)-1]
}

func (f *fake) fill() {
	now, id := time.Now().UTC().Truncate(time.Second), f.manifest.FleetID()
	at := func(ago time.Duration) string { return now.Add(-ago).Format(time.RFC3339) }
	f.set("/v1/fleet", object{
		"fleet": f.manifest.Fleet, "network": f.manifest.Network, "n": 3, "t": 2, "ready": true,
		"manifest": hex.EncodeToString(id[:]), "gateways": []string{"gateway0", "gateway1"},
		"demand": object{"queued": 3, "longest": 0.4}, "version": "v0.9.0",
		"resharing": object{"from": strings.Repeat("ab", 32), "to": strings.Repeat("cd", 32), "done": 1200, "total": 4000},
		"nodes": []object{
			{"index": 1, "name": "worker-1", "present": true, "since": at(time.Second), "host": "rack-1",
				"device":   object{"kind": "aws-kms", "calls": 4821, "cost_usd": 0.0145, "month_usd": 12.5},
				"holdings": strings.Repeat("cc", 32), "lag": 0.02, "load": 4, "backlog": 0,
				"version": "v0.9.0", "policy": strings.Repeat("a1", 32), "generation": 1},
			{"index": 2, "name": "worker-2", "present": true, "since": at(time.Second), "host": "rack-2",
				"holdings": strings.Repeat("cc", 32), "lag": 0.03, "load": 4, "backlog": 2,
				"version": "v0.9.0", "policy": strings.Repeat("b2", 32), "generation": 1},
			{"index": 3, "name": "worker-3", "present": false, "since": at(5 * time.Minute), "lag": 300.5,
				"host": "rack-3", "load": 0, "backlog": 0,
				"version": "v0.8.0", "policy": "", "generation": 1},
		},
	})
	f.set("/v1/freezes", object{"freezes": []object{}})
	job := object{"id": f.jobID, "client": f.client, "kind": "sign", "status": "pending", "count": 4, "done": 0,
		"created": at(time.Minute), "label": "rent", "metadata": object{"invoice": "17"}}
	f.set("/v1/jobs/"+f.jobID, job)
	f.set("/v1/jobs", object{"jobs": []object{job,
		{"id": "0198c0de-7a10-7cc3-98c4-dc0c0c073992", "client": "shop", "kind": "keygen", "chain": "bitcoin", "status": "done",
			"count": 1000, "done": 1000, "created": at(time.Hour), "ended": at(time.Hour - 3*time.Second), "gateway": "gateway0"},
		{"id": "0198c0de-7a10-7cc3-98c4-dc0c0c073993", "client": "shop", "kind": "sign", "status": "denied", "count": 1,
			"code": "policy_denied", "error": "worker-1: rule treasury: destination <img src=x onerror=alert(1)>",
			"created": at(2 * time.Hour), "ended": at(2 * time.Hour)},
	}})
	key := object{"id": strings.Repeat("60", 16) + ".5", "client": "shop", "chain": "bitcoin",
		"address": "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", "public_key": strings.Repeat("02", 33),
		"job": "0198c0de-7a10-7cc3-98c4-dc0c0c073992", "generation": 1, "created": at(time.Hour), "label": "",
		"descriptor": "tr(tpubD6NzVbkrYhZ4/<0;1>/*)#abcdefgh"}
	f.set("/v1/keys", object{"keys": []object{key}})
	f.set("/v1/keys/"+key["id"].(string), key)
	digest := f.digest()
	f.set("/v1/approvals", object{"fleet": f.manifest.Fleet, "network": f.manifest.Network,
		"manifest": hex.EncodeToString(id[:]), "approvals": []object{{
			"client": f.client, "job": f.jobID, "kind": "psbt", "digest": hex.EncodeToString(digest[:]), "payload": f.payload,
			"approve_until": "2099-12-07T12:00:00Z", "expires_after": 600, "verified": true,
			"approvals": []object{{"approver": "anna", "time": at(30 * time.Second)}},
			"reading": object{
				"text": "Bitcoin transaction (PSBT) 17 on testnet\n  pays  output 0  0.50000000 BTC to tb1qpayee\n",
				"meaning": object{"kind": "psbt", "payments": []object{
					{"at": 0, "to": "tb1qpayee", "asset": "btc", "units": 50_000_000},
					{"at": 1, "to": "tb1qother", "asset": "spl:mint", "units": uint64(18446744073709551615)}},
					"fee": 1234, "outflow": []object{{"asset": "btc", "units": 50_001_234}}, "unclear": []object{}, "refused": []object{}},
			},
		}}})
	f.set("/v1/stats", stats(now))
}

// given is an approval that the page sent, as a node would see it.
func given(t *testing.T, sent object) wire.Approval {
	t.Helper()
	signature, err := hex.DecodeString(fmt.Sprint(sent["signature"]))
	seconds, ok := sent["time"].(float64)
	if err != nil || !ok {
		t.Fatalf("sent %v", sent)
	}
	return wire.Approval{Name: fmt.Sprint(sent["approver"]), Time: int64(seconds), Signature: signature}
}

func seedOf(key ed25519.PrivateKey) string { return hex.EncodeToString(key.Seed()) + "\n" }
