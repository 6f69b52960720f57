package http_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// told is what a receiver was told: how often, by job, and what was wrong.
type told struct {
	mu    sync.Mutex
	times map[string]int
	bad   []string
}

const hookSecret = "0123456789abcdef0123456789abcdef"

func (r *told) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var m struct {
		Type string
		Data struct{ ID, Status string }
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	fmt.Fprintf(mac, "%s.%s.%s", req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp"), body)
	signed := "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) == req.Header.Get("Webhook-Signature")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || !signed || m.Type != "job.finished" || m.Data.Status != "done" {
		r.bad = append(r.bad, fmt.Sprintf("%v %s, signed %v, %v", req.Header, body, signed, err))
	}
	r.times[m.Data.ID]++
}

// TestWebhookKillNine: whichever gateway is killed, each job is told of, and told right.
func TestWebhookKillNine(t *testing.T) {
	receiver := &told{times: map[string]int{}}
	server := httptest.NewServer(receiver)
	defer server.Close()
	ports := [2]int{freeport.New(t), freeport.New(t)}
	s := &stand{t: t}
	for i, port := range ports {
		s.urls[i] = fmt.Sprintf("http://127.0.0.1:%d", port)
	}
	with := fleettest.WithHTTP(t, ports[0], ports[1])
	s.Processes = fleettest.StartProcesses(t, fleettest.Options{BeforeStart: func(dir string) {
		with(dir)
		folder := filepath.Join(dir, filepath.Dir(fleet.GatewayFile))
		secret := filepath.Join(folder, "hook.secret")
		add(t, secret, "whsec_"+base64.StdEncoding.EncodeToString([]byte(hookSecret))+"\n")
		for _, file := range []string{filepath.Join(dir, fleet.GatewayFile), filepath.Join(folder, "gateway1.toml")} {
			add(t, file, fmt.Sprintf("\n[[http.webhook]]\nname = \"test\"\nclient = \"*\"\nurl = %q\nsecret_file = %q\n"+
				"events = [\"finished\"]\n", server.URL, secret))
		}
	}})
	s.StartSecondGateway()
	s.AwaitReady()
	for i := range s.urls {
		s.ready(i)
	}
	key := s.key("bitcoin")
	s.told(receiver, s.signAll(key, 0, "first")) // one of them has the turn
	jobs := map[string]bool{}
	for round := range 4 {
		victim := round % 2
		var all sync.WaitGroup
		all.Go(func() {
			time.Sleep(time.Duration(round) * 100 * time.Millisecond)
			s.Kill([]string{fleettest.GatewayName, fleettest.SecondGateway}[victim])
		})
		for id := range s.signAll(key, 1-victim, fmt.Sprint("round-", round)) {
			jobs[id] = true
		}
		all.Wait()
		if victim == 0 {
			s.StartGateway()
		} else {
			s.StartSecondGateway()
		}
		s.ready(victim)
	}
	s.told(receiver, jobs)
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	if len(receiver.bad) > 0 {
		t.Errorf("%d bad messages: %s", len(receiver.bad), receiver.bad[0])
	}
	twice := 0
	for _, n := range receiver.times {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d jobs, of which %d were told of more than once", len(receiver.times), twice)
}

// signAll signs at one gateway, as long as that takes, and returns the jobs.
func (s *stand) signAll(key string, gateway int, name string) map[string]bool {
	s.t.Helper()
	jobs := map[string]bool{}
	for n := range 12 {
		deadline := time.Now().Add(patience)
		for {
			var a answer
			r, err := s.try(s.t.Context(), gateway, "POST", "/v1/signatures?wait=30s", fmt.Sprint(name, "-", n), signBody(key, n))
			if err == nil && r.status == http.StatusOK && json.Unmarshal(r.body, &a) == nil && a.Status == "done" {
				jobs[a.Job] = true
				break
			}
			if time.Now().After(deadline) {
				s.t.Fatalf("job %d: %d %s, %v", n, r.status, r.body, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return jobs
}

// told waits until a receiver was told of jobs.
func (s *stand) told(r *told, jobs map[string]bool) {
	s.t.Helper()
	var missing []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		missing = nil
		r.mu.Lock()
		for id := range jobs {
			if r.times[id] == 0 {
				missing = append(missing, id)
			}
		}
		r.mu.Unlock()
		if len(missing) == 0 {
			return
		}
	}
	s.t.Fatalf("never told of %s", strings.Join(missing, ", "))
}

func add(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(before, text...), 0o600); err != nil {
		t.Fatal(err)
	}
}
