package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

func eventually(t testing.TB, what string, cond func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// stand is a NATS server with a fleet's streams, and what its gateways and clients sign with.
type stand struct {
	t        testing.TB
	server   *natsserver.Server
	manifest *wire.Manifest
	access   *wire.Access
	bus      *bus.Bus
}

var gateway, shop, other = keyOf(1), keyOf(2), keyOf(3)

func newAccess() (*wire.Access, error) {
	return wire.NewAccess([]wire.Client{
		{Name: "shop", Key: publicOf(shop), Kinds: wire.Kinds}, {Name: "other", Key: publicOf(other), Kinds: wire.Kinds},
	}, map[string]ed25519.PublicKey{"a": publicOf(gateway)})
}

func newStand(t testing.TB) *stand {
	t.Helper()
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	s := &stand{t: t, server: server, manifest: &wire.Manifest{Fleet: "main", Network: "regtest", N: 3, T: 2}}
	s.bus = s.connect("test")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.access, err = newAccess(); err == nil {
		err = s.bus.Apply(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) connect(name string) *bus.Bus {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Options{Fleet: "main", URL: s.server.URL(), Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = b.Close(ctx) // a test may have closed it
	})
	return b
}

func (s *stand) publish(subject string, data []byte, headers map[string][]string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.bus.Publish(ctx, subject, data, headers); err != nil {
		s.t.Fatal(err)
	}
}

func jobID(n int) string { return fmt.Sprintf("0198c0de-7a10-7cc3-98c4-dc0c0c07%04d", n) }

// result stores a job's result, signed with a key in the name of gateway a.
func (s *stand) result(key ed25519.PrivateKey, client string, n int, status wire.Status) {
	s.t.Helper()
	r := wire.Result{Job: jobID(n), Client: client, Kind: wire.KindSign, Status: status, Fleet: "main", Network: "regtest",
		Sigs: []wire.Signed{{Key: "k", Signature: make([]byte, 64)}}}
	if status.Refused() {
		r.Code, r.Error, r.Sigs = wire.CodePolicyDenied, "rule 1 denies it", nil
	}
	payload := r.Encode()
	signature := ed25519.Sign(key, wire.ResultSigningInput(s.manifest, client, r.Job, payload))
	s.publish(wire.StoredResultSubject(client, r.Job), payload, map[string][]string{
		wire.HeaderGateway: {"a"}, wire.HeaderSignature: {hex.EncodeToString(signature)}})
}

// pending has a job wait, with so many approvals that came.
func (s *stand) pending(key ed25519.PrivateKey, client string, n, approvals int) {
	s.t.Helper()
	job := wire.PendingJob{SignedJob: wire.SignJob(key, s.manifest, wire.KindSign, client,
		fmt.Appendf(nil, `{"job":%q,"kind":"sign"}`, jobID(n)))}
	for i := range approvals {
		job.Given = append(job.Given, wire.Approve(keyOf(9), fmt.Sprint("erin", i), s.manifest, [32]byte{}, time.Unix(1, 0)))
	}
	s.publish(wire.PendingSubject(client, jobID(n)), job.Payload, job.Headers())
}

// counts is an Observer.
type counts struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *counts) Webhook(name, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[name+" "+outcome]++
}

func (c *counts) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[what]
}

// logSink is a log that can be read.
type logSink struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.Write(p)
}

func (s *logSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()
}

// gate is one gateway's webhooks.
type gate struct {
	*Webhooks
	counts *counts
	log    *logSink
	bus    *bus.Bus
	cancel context.CancelFunc
	done   chan struct{}
}

// quick are times for tests that do not let a turn end.
var quick = times{look: 10 * time.Millisecond, list: 20 * time.Millisecond, save: 50 * time.Millisecond, turn: patience,
	settle: 0, attempt: patience, pause: 20 * time.Millisecond}

// gate starts a gateway's webhooks. The directory knows nothing.
func (s *stand) gate(name string, t times, hooks ...Config) *gate {
	s.t.Helper()
	g := &gate{counts: &counts{seen: map[string]int{}}, log: &logSink{}, bus: s.connect(name), done: make(chan struct{})}
	g.Webhooks = newWebhooks(Options{
		Gateway: name, Manifest: s.manifest, Access: func() *wire.Access { return s.access }, Bus: g.bus, Version: "v0",
		Job:    func(_, _ string) (directory.Job, error) { return directory.Job{}, directory.ErrNotFound },
		Render: func(j directory.Job) any { return map[string]any{"id": j.ID, "client": j.Client, "status": j.State} },
		Log:    logger(g.log), Observe: g.counts,
	}, t)
	g.Set(hooks)
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go func() { defer close(g.done); g.Run(ctx) }()
	s.t.Cleanup(g.stop)
	return g
}

func (g *gate) stop() { g.cancel(); <-g.done }

// delivers waits until this gateway has a webhook's turn.
func (g *gate) delivers(t testing.TB) {
	t.Helper()
	eventually(t, "a turn", func() error {
		if !strings.Contains(g.log.String(), "this gateway delivers") {
			return fmt.Errorf("log %s", g.log)
		}
		return nil
	})
}

var secret = bytes.Repeat([]byte{7}, 32)

// receiver takes messages, and answers as a test wants. Signatures are verified here as
// Standard Webhooks describes it, with nothing of this package.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	secret  []byte
	got     []got
	bad     []string
	answers func(w http.ResponseWriter, r *http.Request, n int) (taken bool) // nil: it is; n counts from 1
	asked   int
}

type got struct {
	id   string
	body string
	job  string // the id in data
	kind string
}

func newReceiver(t testing.TB, answers func(http.ResponseWriter, *http.Request, int) bool) *receiver {
	r := &receiver{secret: secret, answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) hook(name, client string, events ...Event) Config {
	return Config{Name: name, Client: client, URL: r.URL + "/in?token=hush", Events: events, Secrets: [][]byte{secret}}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.asked++
	n := r.asked
	if fault := r.verify(req, body); fault != "" {
		r.bad = append(r.bad, fault)
	}
	r.mu.Unlock()
	if r.answers != nil && !r.answers(w, req, n) {
		return
	}
	var m struct {
		Type      string
		Timestamp time.Time
		Data      struct{ ID, Client, Status string }
	}
	err := json.Unmarshal(body, &m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || m.Timestamp.IsZero() || req.Header.Get("webhook-id") != m.Data.Client+"."+m.Data.ID+"."+m.Data.Status {
		r.bad = append(r.bad, fmt.Sprintf("%s %s: %v", req.Header.Get("webhook-id"), body, err))
	}
	r.got = append(r.got, got{req.Header.Get("webhook-id"), string(body), m.Data.ID, m.Type})
}

// verify is the receiver's side of Standard Webhooks.
func (r *receiver) verify(req *http.Request, body []byte) string {
	unix, err := strconv.ParseInt(req.Header.Get("Webhook-Timestamp"), 10, 64)
	if age := time.Since(time.Unix(unix, 0)); err != nil || age > 5*time.Minute || age < -5*time.Minute {
		return "its time is " + req.Header.Get("Webhook-Timestamp")
	}
	mac := hmac.New(sha256.New, r.secret)
	fmt.Fprintf(mac, "%s.%s.%s", req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp"), body)
	for part := range strings.FieldsSeq(req.Header.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(part, ",")
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && version == "v1" && hmac.Equal(raw, mac.Sum(nil)) {
			return ""
		}
	}
	return "no signature verifies: " + req.Header.Get("Webhook-Signature")
}

func (r *receiver) seen() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// jobs are how often each job was told of.
func (r *receiver) jobs() map[string]int {
	count := map[string]int{}
	for _, g := range r.seen() {
		count[g.job]++
	}
	return count
}

// waitFor waits until so many jobs were told of, and wants all messages verified.
func (r *receiver) waitFor(t testing.TB, jobs int) {
	t.Helper()
	eventually(t, "messages", func() error {
		if got := len(r.jobs()); got < jobs {
			return fmt.Errorf("%d jobs were told of, want %d", got, jobs)
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) > 0 {
		t.Fatalf("bad messages: %q", r.bad)
	}
}

func logger(s *logSink) *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }
