package httpapi

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// twins are two gateways that hold the key of shop, on one NATS server, and what stands for the
// rest of the fleet: it fails every job, which is an answer like any other, and counts them.
type twins struct {
	servers [2]*Server
	known   *memory
	access  *wire.Access

	mu       sync.Mutex
	payloads map[string]map[string]int // what came, by job
}

func testManifest(t testing.TB) *wire.Manifest {
	t.Helper()
	m := &wire.Manifest{Version: 1, Fleet: "test", Network: "regtest", N: 3, T: 2}
	for i := range m.N {
		identity, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := identity.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		host, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		m.Nodes = append(m.Nodes, wire.NodeCard{Index: i, Identity: encoded, Encryption: host.PublicKey().Bytes()})
	}
	return m
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	m := testManifest(t)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	public, err := client.ParseManifest(text)
	if err == nil {
		m, err = wire.ParseManifest(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	nats, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Shutdown)
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: m.Fleet, Nodes: m.N, URL: nats.URL(), Name: "test", Replicas: 1})
	if err == nil {
		err = b.Apply(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	shop, gateway := keyOf(1), keyOf(4)
	w := &twins{known: newMemory(), payloads: map[string]map[string]int{}}
	w.known.keys[aKey] = directory.Key{ID: aKey, Client: "shop", Chain: "solana", PublicKey: publicOf(keyOf(9)),
		ChainCode: make([]byte, 32)}
	w.access, err = wire.NewAccess([]wire.Client{{Name: "shop", Key: publicOf(shop), Kinds: wire.Kinds}},
		map[string]ed25519.PublicKey{"gateway0": publicOf(gateway)})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := b.Consume(t.Context(), bus.Jobs, bus.GatewaysDurable("sign"), 1, func(d bus.Delivery) {
		w.fail(t, m, b, gateway, d)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(consumer.Stop)
	for i := range w.servers {
		c, err := client.New(t.Context(), client.Config{Manifest: public, Name: "shop", Key: shop, URL: nats.URL(),
			Gateways: map[string]ed25519.PublicKey{"gateway0": publicOf(gateway)}, CollectFor: CollectFor})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		w.servers[i] = New(Config{Manifest: m, Public: public, Access: func() *wire.Access { return w.access },
			Directory: w.known, Fleet: &fleetStub{}, Clients: map[string]*client.Client{"shop": c}, Callers: testCallers(),
			Log: slog.New(slog.DiscardHandler), Version: "v0", Now: time.Now, Plaintext: true})
	}
	return w
}

// fail answers a job as a gateway does that gives it up.
func (w *twins) fail(t *testing.T, m *wire.Manifest, b *bus.Bus, key ed25519.PrivateKey, d bus.Delivery) {
	msg := d.Message()
	job := wire.ReadJob(wire.KindSign, "shop", msg.Data, msg.Header)
	if refusal := job.Authenticate(m, w.access); refusal != nil {
		t.Error(refusal)
	}
	id := wire.PeekJobID(job.Payload)
	w.mu.Lock()
	if w.payloads[id] == nil {
		w.payloads[id] = map[string]int{}
	}
	w.payloads[id][string(job.Payload)]++
	w.mu.Unlock()
	digest, fleet := job.Digest(m), m.FleetID()
	r := &wire.Result{Job: id, Client: "shop", Kind: wire.KindSign, Digest: digest[:], Status: wire.StatusFailed,
		Code: wire.CodeFrozen, Error: "by a test", Fleet: m.Fleet, Network: m.Network, Manifest: fleet[:]}
	signature := ed25519.Sign(key, wire.ResultSigningInput(m, "shop", id, r.Encode()))
	headers := map[string][]string{wire.HeaderGateway: {"gateway0"}, wire.HeaderSignature: {hex.EncodeToString(signature)}}
	_, err := b.Publish(t.Context(), wire.StoredResultSubject("shop", id), r.Encode(), headers)
	if errors.Is(err, bus.ErrExists) { // the first result, once more
		_, err = b.Publish(t.Context(), wire.NoticeSubject("shop", id), r.Encode(), headers)
	}
	if err == nil {
		err = d.Ack(t.Context())
	}
	if err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
}

// came is how many jobs came, and in how many forms.
func (w *twins) came() (jobs, forms int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, payloads := range w.payloads {
		forms += len(payloads)
	}
	return len(w.payloads), forms
}

func oneItem(n int) string { return fmt.Sprintf(`{"items":[{"key":%q,"message":"%02x"}]}`, aKey, n) }

func (w *twins) sign(t *testing.T, server int, key, path, body string, want int) Answer {
	t.Helper()
	headers := []string{}
	if key != "" {
		headers = []string{"Idempotency-Key", key}
	}
	got := ask(w.servers[server], "POST", path, full, body, headers...)
	if got.Code != want {
		t.Fatalf("%d %s, want %d", got.Code, got.Body, want)
	}
	var a Answer
	if want >= 300 {
		return a
	}
	if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	if got.Header().Get("Location") != "/v1/jobs/"+a.Job {
		t.Errorf("Location %q of job %s", got.Header().Get("Location"), a.Job)
	}
	return a
}

const waited = "/v1/signatures?wait=60s"

// TestIdempotencyKey: the same request is the same job at both gateways, whenever the first one
// died: after its claim, after its publication, after its answer. Another body is refused.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	failed := func(a Answer, job string) {
		t.Helper()
		if a.Status != "failed" || a.Code != "frozen" || job != "" && a.Job != job {
			t.Fatalf("%+v, want job %s", a, job)
		}
	}
	answered := w.sign(t, 0, "answered", waited, oneItem(1), http.StatusOK)
	failed(answered, "")
	failed(w.sign(t, 1, "answered", waited, oneItem(1), http.StatusOK), answered.Job)
	failed(w.sign(t, 1, "answered", "/v1/signatures", "\n"+oneItem(1), http.StatusOK), answered.Job) // without waiting, too

	published := w.sign(t, 0, "published", "/v1/signatures", oneItem(2), http.StatusAccepted)
	failed(w.sign(t, 1, "published", waited, oneItem(2), http.StatusOK), published.Job)

	keyed := keyedJob("shop", "claimed")
	ctx := context.WithValue(t.Context(), requestKey{}, &request{route: "POST /v1/signatures", log: slog.New(slog.DiscardHandler),
		caller: &Principal{Caller: Caller{Name: "full", Client: "shop"}}})
	in := &SignInput{}
	if err := json.Unmarshal([]byte(oneItem(3)), &in.Body); err != nil {
		t.Fatal(err)
	}
	items, err := w.servers[0].signItems(ctx, in.Body.Items)
	if err != nil {
		t.Fatal(err)
	}
	cl, _, err := book(ctx, w.servers[0], "claimed", wanted{body: in.Body, kind: wire.KindSign, count: 1},
		func(cl *claimed) (*client.Made[client.SignResult], error) {
			return cl.client.Maker().Sign(client.SignRequest{Items: items, JobID: cl.Job, Expires: cl.Expires})
		})
	if err != nil || cl.Job != keyed || cl.again {
		t.Fatalf("%+v, %v", cl, err)
	}
	time.Sleep(time.Until(cl.Time.Add(1100 * time.Millisecond))) // made now, it would expire at another second
	failed(w.sign(t, 1, "claimed", waited, oneItem(3), http.StatusOK), keyed)

	for _, path := range []string{"/v1/signatures", "/v1/messages"} {
		body := oneItem(4)
		if path == "/v1/messages" {
			body = fmt.Sprintf(`{"key":%q,"text":"x"}`, aKey)
		}
		p := problemIn(t, ask(w.servers[1], "POST", path, full, body, "Idempotency-Key", "answered"))
		if p.Code != "idempotency_key_reused" || p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if jobs, forms := w.came(); jobs != 3 || forms != 3 {
		t.Errorf("%d jobs in %d forms, want 3 in one each", jobs, forms)
	}
}

// TestKeyAtBoth: the same request at both gateways at once, many times, is one job.
func TestKeyAtBoth(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	const requests, callers = 10, 6
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for n := range requests {
		for i := range callers {
			all.Go(func() {
				r := ask(w.servers[i%2], "POST", waited, full, oneItem(n), "Idempotency-Key", fmt.Sprint("key-", n))
				var a Answer
				if err := json.Unmarshal(r.Body.Bytes(), &a); err != nil || a.Status != "failed" {
					t.Errorf("%d %s", r.Code, r.Body)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[a.Job] = true
			})
		}
	}
	all.Wait()
	if jobs, forms := w.came(); jobs != requests || forms != requests || len(ids) != requests {
		t.Errorf("%d jobs in %d forms under %d ids, want %d", jobs, forms, len(ids), requests)
	}
}

// TestKeysApart: a key is its client's, and its id no other's.
func TestKeysApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, pair := range [][2]string{{"shop", "1"}, {"shop", "2"}, {"shop1", ""}, {"sho", "p1"}, {"other", "1"}} {
		id := keyedJob(pair[0], pair[1])
		if !wire.IsJobID(id) || id[14] != '8' || seen[id] || id != keyedJob(pair[0], pair[1]) {
			t.Errorf("%s is the job of %q", id, pair)
		}
		seen[id] = true
	}
}

// TestUnclaimed: where nobody knows whether a key is free, nothing is published; what has no key
// goes on.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	w.known.claimErr = errors.New("no leader")
	w.sign(t, 0, "key", "/v1/signatures", oneItem(1), http.StatusServiceUnavailable)
	if jobs, _ := w.came(); jobs != 0 {
		t.Errorf("%d jobs were published", jobs)
	}
	w.sign(t, 0, "", waited, oneItem(1), http.StatusOK)
}

// TestRefusedTakesNoKey: what the fleet would refuse is refused before it is claimed.
func TestRefusedTakesNoKey(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	bad := strings.Replace(oneItem(1), `"message"`, `"path":"0h","message"`, 1)
	w.sign(t, 0, "key", "/v1/signatures", bad, http.StatusUnprocessableEntity)
	w.sign(t, 1, "key", waited, oneItem(1), http.StatusOK)
	w.known.notReady = errors.New("reading")
	unknown := strings.Replace(oneItem(1), aKey, strangeKey, 1)
	w.sign(t, 1, "", waited, unknown, http.StatusServiceUnavailable)
	w.known.notReady = nil
	w.sign(t, 1, "", waited, unknown, http.StatusNotFound)
}

// TestCollected: in a crowd single signatures share jobs, each with its own answer.
func TestCollected(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	w.servers[0].singles.Add(crowded)
	var all sync.WaitGroup
	const callers = 20
	for n := range callers {
		all.Go(func() {
			if a := w.sign(t, 0, "", waited, oneItem(n), http.StatusOK); a.Status != "failed" || a.Job == "" {
				t.Errorf("%+v", a)
			}
		})
	}
	all.Wait()
	if jobs, _ := w.came(); jobs >= callers {
		t.Errorf("%d jobs of %d callers", jobs, callers)
	}
	if n := w.servers[0].singles.Load(); n != crowded {
		t.Errorf("%d are counted in the end", n-crowded)
	}
}

// TestNotHeld: a gateway that has no key of the client signs nothing for it.
func TestNotHeld(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	w.servers[0].cfg.Clients = nil
	if p := problemIn(t, ask(w.servers[0], "POST", waited, full, oneItem(1))); p.Code != "not_held" {
		t.Errorf("%+v", p)
	}
}
