// Package machinetest is a fleet of one node and one gateway on a real bus, for
// the tests of the programs that internal/machine runs.
package machinetest

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The names of the fleet.
const (
	Name    = "test"
	Client  = "client0"
	Gateway = "gateway0"
)

// CardOf is worker.Card, which this package can't import.
type CardOf func(ctx context.Context, p keyprovider.Provider, fleet string, epoch, index int) (wire.NodeCard, error)

// Fleet is what a 1-of-1 fleet has, but for its programs.
type Fleet struct {
	testing.TB
	Server     *natsserver.Server
	Bus        *bus.Bus
	Provider   *Provider // of the node
	Manifest   *wire.Manifest
	Access     *wire.Access
	ClientKey  ed25519.PrivateKey
	GatewayKey ed25519.PrivateKey
	Storage    string           // of the node
	Results    chan bus.Message // as they are announced
	Seen       Observer
	Lines      Lines // of the log
}

// New makes a fleet on a server of its own.
func New(t testing.TB, card CardOf) *Fleet {
	t.Helper()
	return NewOn(t, card, natsserver.Config{StoreDir: t.TempDir()})
}

// NewOn is New with a server that a test can start again.
func NewOn(t testing.TB, card CardOf, server natsserver.Config) *Fleet {
	t.Helper()
	f := &Fleet{
		TB: t, Provider: NewProvider(t), ClientKey: newKey(t), GatewayKey: newKey(t),
		Storage: filepath.Join(t.TempDir(), "data"), Results: make(chan bus.Message, 64),
	}
	var err error
	if f.Server, err = natsserver.Start(server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Server.Shutdown() }) // the last one, if it was replaced
	f.Manifest = Manifest(t, card, 1, f.Provider)
	f.Access, err = wire.NewAccess(
		[]wire.Client{{
			Name: Client, Key: f.ClientKey.Public().(ed25519.PublicKey), Kinds: []wire.Kind{wire.KindKeygen, wire.KindSign},
		}},
		map[string]ed25519.PublicKey{Gateway: f.GatewayKey.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	f.Bus = f.connect()
	if err := f.Bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Bus.Conn().Subscribe(wire.FleetSubject(Name, "result.*.*"), func(m *nats.Msg) {
		subject := strings.TrimPrefix(m.Subject, wire.FleetSubject(Name, ""))
		select {
		case f.Results <- bus.Message{Subject: subject, Data: m.Data, Header: m.Header}:
		case <-t.Context().Done(): // the test reads no more
		}
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// Manifest is a t-of-n manifest of the providers' cards.
func Manifest(t testing.TB, card CardOf, threshold int, providers ...keyprovider.Provider) *wire.Manifest {
	t.Helper()
	m := &wire.Manifest{
		Version: 1, Fleet: Name, Network: "regtest", N: len(providers), T: threshold, Epoch: 1, AttestSigning: true,
	}
	for i, p := range providers {
		c, err := card(t.Context(), p, Name, 1, i)
		if err != nil {
			t.Fatal(err)
		}
		m.Nodes = append(m.Nodes, c)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *Fleet) connect() *bus.Bus {
	f.Helper()
	o := bus.Options{Fleet: Name, Nodes: f.Manifest.N, Name: "test", URL: f.Server.URL(), RestoreMemory: true}
	if o.URL == "" {
		o.Embedded = f.Server
	}
	b, err := bus.Connect(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), WaitLimit)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			f.Errorf("bus: %v", err)
		}
	})
	return b
}

// Logger writes to the fleet's lines.
func (f *Fleet) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&f.Lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Keygen is a job for one key.
func Keygen() wire.Job { return wire.Job{Kind: wire.KindKeygen, Chain: "solana", Count: 1} }

// Job signs a job that expires after a time, under an id of its own.
func (f *Fleet) Job(j wire.Job, life time.Duration) (job wire.SignedJob, id string) {
	f.Helper()
	j.ID, j.Expires = uuid.Must(uuid.NewV7()).String(), time.Now().Add(life)
	payload, err := json.Marshal(j)
	if err != nil {
		f.Fatal(err)
	}
	return wire.SignJob(f.ClientKey, f.Manifest, j.Kind, Client, payload), j.ID
}

// Publish leaves a job where clients do.
func (f *Fleet) Publish(s wire.SignedJob) {
	f.Helper()
	if _, err := f.Bus.Publish(f.Context(), wire.SizedJobSubject(s.Kind, s.Client, len(s.Payload)), s.Payload, map[string][]string{
		wire.HeaderClient: {s.Client}, wire.HeaderSignature: {hex.EncodeToString(s.Signature)},
	}); err != nil {
		f.Fatal(err)
	}
}

// Result waits for what is announced of a job, "" for any, and checks the
// gateway's signature.
func (f *Fleet) Result(id string) *wire.Result {
	f.Helper()
	for deadline := time.After(WaitLimit); ; {
		select {
		case m := <-f.Results:
			var r wire.Result
			if err := json.Unmarshal(m.Data, &r); err != nil {
				f.Fatal(err)
			}
			if id != "" && r.Job != id {
				continue
			}
			sig, err := hex.DecodeString(m.Header[wire.HeaderSignature][0])
			if err != nil {
				f.Fatal(err)
			}
			if err := f.Access.VerifyResult(f.Manifest, m.Header[wire.HeaderGateway][0], r.Client, r.Job, m.Data, sig); err != nil {
				f.Fatal(err)
			}
			return &r
		case <-deadline:
			f.Fatalf("no result within %s", WaitLimit)
		}
	}
}
