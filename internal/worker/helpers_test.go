package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

const (
	testFleet  = "test"
	testClient = "client0"
	patience   = 30 * time.Second // for what takes milliseconds on an idle machine
)

// TestMain checks that no worker left a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	left := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left = goroutines("internal/worker.(", "internal/pool.("); left == "" {
			break
		}
	}
	if code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// goroutines gives the stacks that run a function with one of the names in it.
func goroutines(names ...string) string {
	buf := make([]byte, 1<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(stack, name) }) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// newProvider makes a real software provider.
func newProvider(t testing.TB) keyprovider.Provider {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.json")
	if err := software.Generate(path); err != nil {
		t.Fatal(err)
	}
	p, err := software.Open(software.Options{Path: path, Network: "regtest"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// fakeProvider is a real provider whose Sign a test can delay or fail.
type fakeProvider struct {
	keyprovider.Provider
	mu    sync.Mutex
	fault func(context.Context) error
	calls int
}

func (p *fakeProvider) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	p.mu.Lock()
	fault := p.fault
	p.calls++
	p.mu.Unlock()
	if fault != nil {
		if err := fault(ctx); err != nil {
			return nil, err
		}
	}
	return p.Provider.Sign(ctx, digest)
}

func (p *fakeProvider) set(fault func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func (p *fakeProvider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// newManifest is a t-of-n manifest of real providers' cards.
func newManifest(t testing.TB, threshold int, providers ...keyprovider.Provider) *protocol.Manifest {
	t.Helper()
	m := &protocol.Manifest{Version: 1, Fleet: testFleet, Network: "regtest", N: len(providers), T: threshold, Epoch: 1, AttestSigning: true}
	for i, p := range providers {
		card, err := Card(t.Context(), p, testFleet, 1, i)
		if err != nil {
			t.Fatal(err)
		}
		m.Nodes = append(m.Nodes, card)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

// observer records what it hears.
type observer struct {
	mu      sync.Mutex
	reports []protocol.Report
}

func (o *observer) Report(r protocol.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = append(o.reports, r)
}

func (o *observer) ProviderCoalesced(int)   {}
func (o *observer) JobDone(protocol.JobEnd) {}
func (o *observer) Round(protocol.Round)    {}

func (o *observer) saw(what protocol.ReportKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.reports {
		if r.What == what {
			return true
		}
	}
	return false
}

// lines is a log that a test reads.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), what)
}

// world is a 1-of-1 fleet on a real bus: a node, and a gateway to give it work.
type world struct {
	t        testing.TB
	server   *bus.EmbeddedServer
	provider *fakeProvider
	manifest *protocol.Manifest
	access   *protocol.Access
	client   ed25519.PrivateKey
	gateway  ed25519.PrivateKey
	storage  string
	bus      *bus.Bus
	results  chan *protocol.Result
	seen     observer
	log      lines
}

func newWorld(t testing.TB) *world { return newWorldOn(t, bus.EmbeddedConfig{StoreDir: t.TempDir()}) }

func newWorldOn(t testing.TB, server bus.EmbeddedConfig) *world {
	t.Helper()
	w := &world{t: t, provider: &fakeProvider{Provider: newProvider(t)}, storage: filepath.Join(t.TempDir(), "data"), results: make(chan *protocol.Result, 16)}
	var err error
	if w.server, err = bus.StartEmbedded(server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.server.Shutdown() }) // the last one, if it was replaced
	w.manifest = newManifest(t, 1, w.provider)
	w.client, w.gateway = newKey(t), newKey(t)
	w.access, err = protocol.NewAccess(
		[]protocol.Client{{Name: testClient, Key: w.client.Public().(ed25519.PublicKey), Kinds: []protocol.Kind{protocol.KindKeygen, protocol.KindSign}}},
		map[string]ed25519.PublicKey{"gateway0": w.gateway.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	w.bus = w.connect()
	if err := w.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bus.Subscribe("result.*.*", func(m bus.Message) {
		var r protocol.Result
		if json.Unmarshal(m.Data, &r) == nil {
			w.results <- &r
		}
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (w *world) connect() *bus.Bus {
	w.t.Helper()
	o := bus.Options{Fleet: testFleet, Name: "test", URL: w.server.URL(), RestoreMemory: true}
	if o.URL == "" {
		o.Embedded = w.server
	}
	b, err := bus.Connect(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			w.t.Errorf("bus: %v", err)
		}
	})
	return b
}

// harden is how a test's node stands to its device: as in production, but less
// patient.
func harden(p keyprovider.Provider) *keyprovider.Supervised {
	return keyprovider.Supervise(p, keyprovider.Policy{Cooldown: 50 * time.Millisecond}, nil)
}

func (w *world) config() Config {
	return Config{
		Manifest: w.manifest, Access: w.access, Storage: w.storage, Provider: harden(w.provider), Bus: w.bus, Observe: &w.seen,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// running is a program under way.
type running struct {
	t      testing.TB
	cancel context.CancelFunc
	ended  chan error
}

func run(t testing.TB, f func(context.Context) error) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- f(ctx) }()
	t.Cleanup(func() { r.cancel(); _ = r.wait() })
	return r
}

// wait gives how the program ended; it may be asked again.
func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("the program does not end")
		return nil
	}
}

func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.wait(); err != nil {
		r.t.Fatal(err)
	}
}

// startNode runs the node and returns when it is ready.
func (w *world) startNode() (*Worker, *running) {
	w.t.Helper()
	node, err := New(w.t.Context(), w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	r := run(w.t, node.Run)
	eventually(w.t, "the node is ready", func() bool { return node.Ready() == nil })
	return node, r
}

func (w *world) startGateway() *running {
	w.t.Helper()
	g := gateway.New(gateway.Config{
		Manifest: w.manifest, Access: w.access, Name: "gateway0", Key: w.gateway, Bus: w.bus, Observe: &observer{}, Log: slog.New(slog.DiscardHandler),
	})
	r := run(w.t, g.Run)
	eventually(w.t, "the gateway is ready", func() bool { return g.Ready() == nil })
	return r
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// publish leaves a job.
func (w *world) publish(j protocol.Job) {
	w.t.Helper()
	j.ID, j.Expires = uuid.Must(uuid.NewV7()).String(), time.Now().Add(10*time.Minute)
	payload, err := json.Marshal(j)
	if err != nil {
		w.t.Fatal(err)
	}
	signed := protocol.SignJob(w.client, testFleet, j.Kind, testClient, payload)
	subject, err := bus.JobSubject(string(j.Kind), testClient)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bus.Publish(w.t.Context(), subject, payload, map[string][]string{
		protocol.HeaderClient: {testClient}, protocol.HeaderSignature: {hex.EncodeToString(signed.Signature)},
	}); err != nil {
		w.t.Fatal(err)
	}
}

func keygen() protocol.Job {
	return protocol.Job{Kind: protocol.KindKeygen, Chain: "solana", Count: 1}
}

// result waits for a job's good end.
func (w *world) result() *protocol.Result {
	w.t.Helper()
	select {
	case r := <-w.results:
		if r.Status != protocol.StatusDone {
			w.t.Fatalf("job ended with %s: %s", r.Code, r.Error)
		}
		return r
	case <-time.After(patience):
		w.t.Fatal("the job does not end")
		return nil
	}
}

// sign has one message signed.
func (w *world) sign(key protocol.Key) {
	w.t.Helper()
	message := []byte("a message")
	w.publish(protocol.Job{Kind: protocol.KindSign, Items: []protocol.JobItem{{Key: key.ID, Message: message}}})
	r := w.result()
	if len(r.Sigs) != 1 || !ed25519.Verify(ed25519.PublicKey(key.PublicKey), message, r.Sigs[0].Signature) {
		w.t.Fatal("the signature does not verify under the generated key")
	}
}
