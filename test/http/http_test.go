// Package http_test asks a fleet of real programs over HTTP: two gateways, one of which is
// killed again and again.
package http_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

// patience is for what takes a second on an idle machine.
const patience = 2 * time.Minute

// stand is a fleet with two gateways that answer over HTTP.
type stand struct {
	*fleettest.Processes
	t      *testing.T
	urls   [2]string
	broken atomic.Int32 // attempts that got no answer
}

func newStand(t *testing.T) *stand {
	t.Helper()
	ports := [2]int{freeport.New(t), freeport.New(t)}
	s := &stand{t: t}
	for i, port := range ports {
		s.urls[i] = fmt.Sprintf("http://127.0.0.1:%d", port)
	}
	s.Processes = fleettest.StartProcesses(t, fleettest.Options{BeforeStart: fleettest.WithHTTP(t, ports[0], ports[1])})
	s.StartSecondGateway()
	s.AwaitReady()
	for i := range s.urls {
		s.ready(i)
	}
	return s
}

// ready waits until a gateway's API answers for everything.
func (s *stand) ready(gateway int) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var a reply
		if a, err = s.try(s.t.Context(), gateway, "GET", "/readyz", "", ""); err == nil && a.status == http.StatusOK {
			return
		}
		if err == nil {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
	}
	s.t.Fatalf("gateway %d is not ready: %v", gateway, err)
}

// reply is what came of a request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
}

// try sends one request; key is its idempotency key.
func (s *stand) try(ctx context.Context, gateway int, method, path, key, body string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.urls[gateway]+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+fleettest.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, text}, err
}

// do sends one that must be answered with this status.
func (s *stand) do(gateway int, method, path, key, body string, want int) reply {
	s.t.Helper()
	r, err := s.try(s.t.Context(), gateway, method, path, key, body)
	if err != nil || r.status != want {
		s.t.Fatalf("%s %s at gateway %d: %d %s (%v), want %d", method, path, gateway, r.status, r.body, err, want)
	}
	return r
}

// answer is the API's, of a request for signatures.
type answer struct {
	Job, Status, Code, Error string
	PSBT, Transaction        string
	Signatures               []struct {
		Key, Path, Code string
		PublicKey       string `json:"public_key"`
		Signature       string
	}
}

// verify wants one signature of a message.
func (a answer) verify(t *testing.T, suite string, message []byte) {
	t.Helper()
	if a.Status != "done" || len(a.Signatures) != 1 {
		t.Fatalf("%+v", a)
	}
	key, errKey := hex.DecodeString(a.Signatures[0].PublicKey)
	signature, errSignature := hex.DecodeString(a.Signatures[0].Signature)
	if errKey != nil || errSignature != nil {
		t.Fatal(errKey, errSignature)
	}
	if err := client.VerifySignature(suite, key, message, signature); err != nil {
		t.Fatal(err)
	}
}

// key generates one over HTTP and returns its id.
func (s *stand) key(chain string) string {
	s.t.Helper()
	r := s.do(0, "POST", "/v1/keys?wait=60s", "", fmt.Sprintf(`{"chain":%q,"count":1}`, chain), http.StatusOK)
	var made struct{ Keys []struct{ ID string } }
	r.decode(s.t, &made)
	if len(made.Keys) != 1 {
		s.t.Fatalf("%s", r.body)
	}
	s.known(1, made.Keys[0].ID) // the other gateway hears of it, too
	return made.Keys[0].ID
}

func (s *stand) known(gateway int, id string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if r, err := s.try(s.t.Context(), gateway, "GET", "/v1/keys/"+id, "", ""); err == nil && r.status == http.StatusOK {
			return
		}
	}
	s.t.Fatalf("gateway %d never hears of key %s", gateway, id)
}

// messageOf is a hash to sign, by number.
func messageOf(n int) []byte {
	sum := sha256.Sum256(fmt.Append(nil, "message ", n))
	return sum[:]
}

func signBody(key string, n int) string {
	return fmt.Sprintf(`{"items":[{"key":%q,"message":"%x"}]}`, key, messageOf(n))
}

// TestOverHTTP: what is asked at one gateway is the same at the other: the job, its line, its
// result, and the answer to the same request.
func TestOverHTTP(t *testing.T) {
	s := newStand(t)
	key := s.key("bitcoin")
	body := signBody(key, 0)
	var first, second answer
	s.do(0, "POST", "/v1/signatures?wait=60s", "order-1", body, http.StatusOK).decode(t, &first)
	first.verify(t, client.SuiteSecp256k1TR, messageOf(0))
	again := s.do(1, "POST", "/v1/signatures?wait=60s", "order-1", strings.ReplaceAll(body, `,`, " ,\n"), http.StatusOK)
	again.decode(t, &second)
	if first.Job != second.Job || first.Signatures[0] != second.Signatures[0] {
		t.Errorf("%+v, and at the other gateway %+v", first, second)
	}
	if at := again.header.Get("Location"); at != "/v1/jobs/"+first.Job {
		t.Errorf("Location %q", at)
	}
	for name, other := range map[string][2]string{
		"another body":     {"/v1/signatures", signBody(key, 1)},
		"another resource": {"/v1/messages", fmt.Sprintf(`{"key":%q,"text":"x"}`, key)},
	} {
		r := s.do(1, "POST", other[0], "order-1", other[1], http.StatusUnprocessableEntity)
		if !strings.Contains(string(r.body), "idempotency_key_reused") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	results := [2]reply{}
	for i := range results {
		s.job(i, first.Job, "done")
		results[i] = s.do(i, "GET", "/v1/jobs/"+first.Job+"/result", "", "", http.StatusOK)
	}
	if !bytes.Equal(results[0].body, results[1].body) || results[0].header.Get("Frost-Signature") == "" ||
		results[0].header.Get("Frost-Signature") != results[1].header.Get("Frost-Signature") {
		t.Errorf("%v %s\n%v %s", results[0].header, results[0].body, results[1].header, results[1].body)
	}
	t.Run("accepted", func(t *testing.T) {
		var a answer
		r := s.do(1, "POST", "/v1/signatures", "", signBody(key, 2), http.StatusAccepted)
		r.decode(t, &a)
		if a.Status != "accepted" || r.header.Get("Location") != "/v1/jobs/"+a.Job {
			t.Errorf("%v %+v", r.header, a)
		}
		s.do(1, "GET", "/v1/jobs/"+a.Job, "", "", http.StatusOK) // there at once
		s.job(0, a.Job, "done")
	})
	t.Run("text", func(t *testing.T) {
		var a answer
		s.do(1, "POST", "/v1/messages?wait=60s", "", fmt.Sprintf(`{"key":%q,"path":"0/7","text":"hello"}`, key), http.StatusOK).
			decode(t, &a)
		if a.Status != "done" || len(a.Signatures) != 1 || a.Signatures[0].Path != "0/7" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			path, body, code string
			status           int
		}{
			"unknown key":  {"/v1/signatures", signBody(strings.Repeat("0", 32)+".0", 0), "unknown_key", 404},
			"not a PSBT":   {"/v1/psbt", fmt.Sprintf(`{"psbt":"AAAAAAAAAAAA","keys":[%q]}`, key), "bad_psbt", 422},
			"not hex":      {"/v1/signatures", fmt.Sprintf(`{"items":[{"key":%q,"message":"xy"}]}`, key), "validation_failed", 422},
			"short hash":   {"/v1/signatures", fmt.Sprintf(`{"items":[{"key":%q,"message":"ab"}]}`, key), "bad_message", 422},
			"hardened":     {"/v1/signatures", fmt.Sprintf(`{"items":[{"key":%q,"path":"0h","message":"%x"}]}`, key, messageOf(0)), "bad_path", 422},
			"wrong family": {"/v1/solana/transactions", fmt.Sprintf(`{"transaction":"AAAAAAAA","signers":[{"key":%q}]}`, key), "bad_message", 422},
		} {
			r := s.do(0, "POST", c.path+"?wait=60s", "refused-"+fmt.Sprint(len(name)), c.body, c.status)
			if !strings.Contains(string(r.body), `"code":"`+c.code+`"`) {
				t.Errorf("%s: %s, want %s", name, r.body, c.code)
			}
		}
	})
}

// job waits until a job is so at a gateway.
func (s *stand) job(gateway int, id, status string) {
	s.t.Helper()
	var last reply
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		if last, err = s.try(s.t.Context(), gateway, "GET", "/v1/jobs/"+id+"?wait=10s", "", ""); err == nil &&
			last.status == http.StatusOK && strings.Contains(string(last.body), `"status":"`+status+`"`) {
			return
		}
	}
	s.t.Fatalf("job %s at gateway %d: %d %s", id, gateway, last.status, last.body)
}
