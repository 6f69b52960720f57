package gateway

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
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/worker"
)

const (
	testFleet  = "test"
	testClient = "client0"
	patience   = 30 * time.Second // for what takes milliseconds on an idle machine
)

// world is a bus with a gateway and a client, and no node unless a test starts
// one: jobs stay in work.
type world struct {
	t        testing.TB
	server   *bus.EmbeddedServer
	bus      *bus.Bus
	provider *software.Provider
	manifest *protocol.Manifest
	access   *protocol.Access
	client   ed25519.PrivateKey
	key      ed25519.PrivateKey // the gateway's
	results  chan bus.Message
	ends     ends
	log      lines
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, client: newKey(t), key: newKey(t), results: make(chan bus.Message, 64)}
	var err error
	if w.server, err = bus.StartEmbedded(bus.EmbeddedConfig{StoreDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Shutdown)
	path := filepath.Join(t.TempDir(), "key.json")
	if err := software.Generate(path); err != nil {
		t.Fatal(err)
	}
	if w.provider, err = software.Open(software.Options{Path: path, Network: "regtest"}); err != nil {
		t.Fatal(err)
	}
	card, err := worker.Card(t.Context(), w.provider, testFleet, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.manifest = &protocol.Manifest{Version: 1, Fleet: testFleet, Network: "regtest", N: 1, T: 1, Epoch: 1, Nodes: []protocol.NodeCard{card}}
	if err := w.manifest.Seal(); err != nil {
		t.Fatal(err)
	}
	w.access, err = protocol.NewAccess(
		[]protocol.Client{{Name: testClient, Key: w.client.Public().(ed25519.PublicKey), Kinds: []protocol.Kind{protocol.KindKeygen, protocol.KindSign}}},
		map[string]ed25519.PublicKey{"gateway0": w.key.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	w.bus = w.connect()
	if err := w.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bus.Subscribe("result.*.*", func(m bus.Message) { w.results <- m }); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestMain checks that no gateway left a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	left := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left = goroutines("internal/gateway.(", "internal/pool.("); left == "" {
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

var discard = slog.New(slog.DiscardHandler)

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
	b, err := bus.Connect(w.t.Context(), bus.Options{Fleet: testFleet, Name: "test", Embedded: w.server})
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

// start runs a gateway until stop or the test's end.
func (w *world) start() (g *Gateway, stop func()) {
	w.t.Helper()
	g = New(Config{
		Manifest: w.manifest, Access: w.access, Name: "gateway0", Key: w.key, Bus: w.bus, Observe: &w.ends,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if g.Ready() == nil {
		w.t.Fatal("a gateway that does not run says that it is ready")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("the gateway ended with %v", err)
			}
		case <-time.After(patience):
			w.t.Error("the gateway does not end")
		}
		if g.Ready() == nil {
			w.t.Error("a stopped gateway says that it is ready")
		}
	})
	w.t.Cleanup(stop)
	eventually(w.t, "the gateway is ready", func() bool { return g.Ready() == nil })
	return g, stop
}

// startNode runs the fleet's one node.
func (w *world) startNode() {
	w.t.Helper()
	node, err := worker.New(w.t.Context(), worker.Config{
		Manifest: w.manifest, Access: w.access, Storage: w.t.TempDir(), Provider: keyprovider.Supervise(w.provider, keyprovider.Policy{}, nil), Bus: w.bus,
		Observe: &w.ends, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the node ended with %v", err)
		}
	})
}

// ends records how jobs ended.
type ends struct {
	mu    sync.Mutex
	codes []protocol.Code
}

func (*ends) Report(protocol.Report) {}
func (*ends) ProviderCoalesced(int)  {}

func (*ends) Round(protocol.Round) {}

func (e *ends) JobDone(end protocol.JobEnd) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.codes = append(e.codes, end.Code)
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

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// newJob is a signed keygen job that expires after a time.
func (w *world) newJob(life time.Duration) (protocol.SignedJob, string) {
	w.t.Helper()
	j := protocol.Job{ID: uuid.Must(uuid.NewV7()).String(), Kind: protocol.KindKeygen, Expires: time.Now().Add(life), Chain: "solana", Count: 1}
	payload, err := json.Marshal(j)
	if err != nil {
		w.t.Fatal(err)
	}
	return protocol.SignJob(w.client, testFleet, j.Kind, testClient, payload), j.ID
}

func (w *world) publish(s protocol.SignedJob) {
	w.t.Helper()
	subject, err := bus.JobSubject(string(s.Kind), s.Client)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bus.Publish(w.t.Context(), subject, s.Payload, map[string][]string{
		protocol.HeaderClient: {s.Client}, protocol.HeaderSignature: {hex.EncodeToString(s.Signature)},
	}); err != nil {
		w.t.Fatal(err)
	}
}

// answer waits for what is announced of a job, and checks the gateway's
// signature.
func (w *world) answer(id string) *protocol.Result {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-w.results:
			var r protocol.Result
			if err := json.Unmarshal(m.Data, &r); err != nil {
				w.t.Fatal(err)
			}
			if r.Job != id {
				continue
			}
			sig, err := hex.DecodeString(m.Header[protocol.HeaderSignature][0])
			if err != nil {
				w.t.Fatal(err)
			}
			if err := w.access.VerifyResult(m.Header[protocol.HeaderGateway][0], testFleet, r.Client, id, m.Data, sig); err != nil {
				w.t.Fatal(err)
			}
			return &r
		case <-deadline:
			w.t.Fatalf("no answer within %s", patience)
		}
	}
}

// letters reads the dead letters.
func (w *world) letters() (letters []protocol.DeadLetter) {
	w.t.Helper()
	messages, err := w.bus.Slots(w.t.Context(), bus.DeadLetter, "dead.>")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range messages {
		var l protocol.DeadLetter
		if err := json.Unmarshal(m.Data, &l); err != nil {
			w.t.Fatal(err)
		}
		letters = append(letters, l)
	}
	return letters
}

// open counts the messages that nobody acknowledged.
func (w *world) open() int {
	w.t.Helper()
	messages, err := w.bus.Slots(w.t.Context(), bus.Jobs, "job.>")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(messages)
}

// take is another gateway's consumer: it hands over deliveries and leaves
// them to the test.
func (w *world) take(n int) []bus.Delivery {
	w.t.Helper()
	got := make(chan bus.Delivery, 64)
	c, err := w.bus.Consume(w.t.Context(), bus.Jobs, bus.GatewaysDurable("keygen"), bus.ConsumeOptions{Handlers: n}, func(d bus.Delivery) { got <- d })
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Stop()
	var all []bus.Delivery
	for range n {
		select {
		case d := <-got:
			all = append(all, d)
		case <-time.After(patience):
			w.t.Fatalf("%d of %d deliveries within %s", len(all), n, patience)
		}
	}
	return all
}
