package client

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/fxamacker/cbor/v2"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// gatewayStub stands for a whole fleet: it holds every key in one place,
// certifies with the identity keys of all nodes and signs results as a
// gateway. What it says looks right unless the test says otherwise, and the
// bus between it and the client is the real one. Certificates are put together here
// from the format, not by internal/protocol, which has no way to make one without a node.
type gatewayStub struct {
	t        testing.TB
	url      string
	bus      *bus.Bus
	manifest *wire.Manifest
	nodes    []*ecdsa.PrivateKey
	gateway  ed25519.PrivateKey
	client   ed25519.PrivateKey

	// answer, if set, handles a job instead of the stub.
	answer func(job wire.SignedJob)

	acked atomic.Int32 // jobs that it acknowledged

	mu       sync.Mutex
	keys     map[string]any // private keys by id
	jobs     []wire.SignedJob
	answered map[string]bool // jobs that have a stored result, by id
}

const (
	stubFleet   = "stub"
	stubGateway = "gateway0"
	stubClient  = "alice"
)

func newManifest(t testing.TB) (*wire.Manifest, []*ecdsa.PrivateKey) {
	m := &wire.Manifest{Version: 1, Fleet: stubFleet, Network: "regtest", N: 3, T: 2}
	var nodes []*ecdsa.PrivateKey
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
		nodes = append(nodes, identity)
		m.Nodes = append(m.Nodes, wire.NodeCard{Index: i, Identity: encoded, Encryption: host.PublicKey().Bytes()})
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m, nodes
}

// stated is a manifest as callers have it.
func stated(m *wire.Manifest) *Manifest {
	p, _ := public(m, nil)
	return p
}

func newKey(t testing.TB) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

// startServer runs the embedded NATS server until the test ends.
func startServer(t testing.TB, dir string, port int) *natsserver.Server {
	t.Helper()
	server, err := natsserver.Start(natsserver.Config{StoreDir: dir, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return server
}

func connectBus(t testing.TB, url string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: stubFleet, Nodes: 3, URL: url, Name: "stub"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// newStub is a stub that does not listen to jobs.
func newStub(t testing.TB, url string) *gatewayStub {
	t.Helper()
	s := &gatewayStub{t: t, url: url, gateway: newKey(t), client: newKey(t), keys: map[string]any{}}
	s.manifest, s.nodes = newManifest(t)
	s.bus = connectBus(t, url)
	if err := s.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// start gives a server, a stub that answers jobs, and a client.
func start(t testing.TB) (*gatewayStub, *Client) {
	t.Helper()
	server := startServer(t, t.TempDir(), -1)
	s := newStub(t, server.URL())
	s.listen(s.bus)
	return s, s.connect(Config{URL: server.URL()})
}

func (s *gatewayStub) connect(cfg Config) *Client {
	s.t.Helper()
	cfg.Manifest, cfg.Name, cfg.Key = stated(s.manifest), stubClient, s.client
	cfg.Gateways = map[string]ed25519.PublicKey{stubGateway: s.gateway.Public().(ed25519.PublicKey)}
	c, err := New(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// listen takes jobs, one at a time, as gateways do.
func (s *gatewayStub) listen(b *bus.Bus) {
	s.t.Helper()
	for durable, stream := range map[string]bus.Stream{
		bus.GatewaysDurable("keygen"): bus.Jobs, bus.GatewaysDurable("sign"): bus.Jobs, bus.BulkDurable: bus.Bulk,
	} {
		take := func(d bus.Delivery) {
			if err := s.take(d.Message()); err != nil {
				s.t.Error(err)
			}
			if err := d.Ack(s.t.Context()); err != nil && s.t.Context().Err() == nil {
				s.t.Error(err)
			}
			s.acked.Add(1)
		}
		await(s.t, "consumer "+durable, func(context.Context) error { // it may have no leader yet
			consumer, err := b.Consume(s.t.Context(), stream, durable, 1, take)
			if err == nil {
				s.t.Cleanup(consumer.Stop)
			}
			return err
		})
	}
}

func (s *gatewayStub) take(m bus.Message) error {
	ref, err := wire.ParseJob(m.Subject)
	if err != nil {
		return err
	}
	signature, err := hex.DecodeString(m.Header[wire.HeaderSignature][0])
	if err != nil {
		return err
	}
	job := wire.ReadJob(ref.Kind, ref.Client, m.Data, m.Header)
	if !ed25519.Verify(s.client.Public().(ed25519.PublicKey), wire.JobSigningInput(s.manifest, job.Kind, m.Header[wire.HeaderClient][0], m.Data), signature) {
		return errors.New("the client's signature does not verify")
	}
	s.mu.Lock()
	s.jobs = append(s.jobs, job)
	answer, again := s.answer, s.answered[wire.PeekJobID(job.Payload)]
	s.mu.Unlock()
	switch {
	case answer == nil && again: // published again on a slow machine; the first result stands
	case answer == nil:
		s.store(s.result(job))
	default:
		answer(job)
	}
	return nil
}

// onJob replaces the stub's answers.
func (s *gatewayStub) onJob(answer func(job wire.SignedJob)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *gatewayStub) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[id] != nil
}

// last is the job that arrived last.
func (s *gatewayStub) last() wire.SignedJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[len(s.jobs)-1]
}

// published counts the jobs that arrived.
func (s *gatewayStub) published() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs)
}

// header signs a result for the job that it names, headerFor anything for any.
func (s *gatewayStub) header(r *wire.Result, key ed25519.PrivateKey, name string) map[string][]string {
	return signHeader(key, name, wire.ResultSigningInput(s.manifest, r.Client, r.Job, r.Encode()))
}

func (s *gatewayStub) headerFor(job string, data []byte) map[string][]string {
	return signHeader(s.gateway, stubGateway, wire.ResultSigningInput(s.manifest, stubClient, job, data))
}

func signHeader(key ed25519.PrivateKey, name string, input []byte) map[string][]string {
	return map[string][]string{
		wire.HeaderGateway:   {name},
		wire.HeaderSignature: {hex.EncodeToString(ed25519.Sign(key, input))},
	}
}

// store stores a result; the server announces it.
func (s *gatewayStub) store(r *wire.Result) {
	s.mu.Lock()
	if s.answered == nil {
		s.answered = map[string]bool{}
	}
	s.answered[r.Job] = true
	s.mu.Unlock()
	_, err := s.bus.Publish(s.t.Context(), "res."+r.Client+"."+r.Job, r.Encode(), s.header(r, s.gateway, stubGateway))
	if err != nil && s.t.Context().Err() == nil {
		s.t.Error(err)
	}
}

// announce signs a result that is not stored.
func (s *gatewayStub) announce(r *wire.Result) {
	s.announceRaw(r.Job, r.Encode(), s.header(r, s.gateway, stubGateway))
}

func (s *gatewayStub) announceRaw(job string, data []byte, header map[string][]string) {
	if _, err := s.bus.Publish(context.Background(), "notice."+stubClient+"."+job, data, header); err != nil {
		s.t.Error(err)
	}
}

// failure answers a job with a code.
func (s *gatewayStub) failure(job wire.SignedJob, code wire.Code) *wire.Result {
	r := s.base(job)
	r.Status, r.Code, r.Error = wire.StatusFailed, code, "the stub says so"
	return r
}

func (s *gatewayStub) base(job wire.SignedJob) *wire.Result {
	mh, digest := s.manifest.Hash(), job.Digest(s.manifest)
	return &wire.Result{
		Job: wire.PeekJobID(job.Payload), Client: job.Client, Kind: job.Kind, Digest: digest[:],
		Fleet: s.manifest.Fleet, Network: s.manifest.Network, Manifest: mh[:], Status: wire.StatusDone,
	}
}

// result is the right answer to a job.
func (s *gatewayStub) result(job wire.SignedJob) *wire.Result {
	var j wire.Job
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		s.t.Fatal(err)
	}
	r := s.base(job)
	if job.Kind == wire.KindKeygen {
		s.keygen(r, job, &j)
	} else {
		s.sign(r, &j)
	}
	return r
}

func (s *gatewayStub) keygen(r *wire.Result, job wire.SignedJob, j *wire.Job) {
	suite, _ := wire.ChainSuite(j.Chain)
	r.Chain, r.Suite = j.Chain, suite.String()
	for part := range j.Parts(s.manifest) {
		h := j.PartHeader(s.manifest, job.Client, job.Digest(s.manifest), part, 0)
		ctx := h.Context(s.manifest)
		b := wire.Batch{ID: hex.EncodeToString(ctx[:16]), Part: uint32(part), Count: h.K}
		var public [][]byte
		for i := range int(h.K) {
			id := wire.KeyID{Batch: b.ID, Index: i}.String()
			key := s.newKey(suite, id)
			address, err := chain.Address(j.Chain, s.manifest.Network, key)
			if err != nil {
				s.t.Fatal(err)
			}
			public = append(public, key)
			code := wire.ChainCode(stubTranscript, i)
			descriptor, err := chain.Descriptor(j.Chain, s.manifest.Network, key, code)
			if err != nil {
				s.t.Fatal(err)
			}
			r.Keys = append(r.Keys, wire.Key{
				ID: id, PublicKey: key, Address: address, ChainCode: code[:], Descriptor: descriptor,
			})
		}
		b.Certificates = certify(s.t, s.manifest, s.nodes, ctx, keyRoot(public, job.Client))
		r.Batches = append(r.Batches, b)
	}
}

func (s *gatewayStub) newKey(suite frost.Suite, id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if suite == frost.Ed25519 {
		key := newKey(s.t)
		s.keys[id] = key
		return key.Public().(ed25519.PublicKey)
	}
	key, err := btcec.NewPrivateKey()
	if err != nil {
		s.t.Fatal(err)
	}
	s.keys[id] = key
	return key.PubKey().SerializeCompressed()
}

// keyRoot is what nodes certify of keys, over the transcript of certify.
func keyRoot(public [][]byte, owner string) [32]byte {
	return wire.KeyRoot(wire.EntryKeys(public, owner, stubTranscript))
}

// stubTranscript is what certify's nodes say that they saw.
var stubTranscript = [32]byte{1}

// certify makes every node's certificate over a root.
func certify(t testing.TB, m *wire.Manifest, nodes []*ecdsa.PrivateKey, ctx, root [32]byte) []wire.HexBytes {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	var certs []wire.HexBytes
	for i, node := range nodes {
		cert := wire.Certificate{Context: ctx, Transcript: stubTranscript, Root: root, Node: uint32(i)}
		mh := m.Hash()
		leaf := frost.Hash("frostfleet/certificate/v2", mh[:], cert.Context[:], make([]byte, 4), cert.Transcript[:], cert.Root[:],
			binary.BigEndian.AppendUint32(nil, uint32(i)))
		digest := wire.AttestDigest(m, [][32]byte{leaf})
		signature, err := ecdsa.SignASN1(rand.Reader, node, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		cert.Attestation = wire.NewAttestations([][32]byte{leaf}, signature)[0]
		raw, err := enc.Marshal(&cert)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, raw)
	}
	return certs
}

func (s *gatewayStub) sign(r *wire.Result, j *wire.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(j.Keys) > 0 {
		s.signRequest(r, j)
	}
	for _, it := range j.Items {
		path := ""
		if it.Path != nil {
			path = *it.Path
		}
		switch key := s.keys[it.Key].(type) {
		case ed25519.PrivateKey:
			public, signature := key.Public().(ed25519.PublicKey), ed25519.Sign(key, it.Message)
			if path != "" {
				public, signature = edwardsChild(s.t, key, stubChainCode(it.Key), path).sign(it.Message)
			}
			r.Suite = frost.Ed25519.String()
			r.Sigs = append(r.Sigs, wire.Signed{Key: it.Key, Path: path, PublicKey: wire.HexBytes(public), Signature: signature})
		case *btcec.PrivateKey:
			if path != "" {
				key = taprootChild(s.t, key, stubChainCode(it.Key), path)
			}
			tweaked := tweak(key, it.ScriptRoot)
			sig, err := schnorr.Sign(tweaked, it.Message)
			if err != nil {
				s.t.Error(err)
				return
			}
			r.Suite = frost.Secp256k1TR.String()
			r.Sigs = append(r.Sigs, wire.Signed{Key: it.Key, Path: path,
				PublicKey: schnorr.SerializePubKey(tweaked.PubKey()), Signature: sig.Serialize()})
		default:
			s.t.Errorf("job asks for unknown key %s", it.Key)
		}
	}
}

// tweak is taproot_tweak_seckey of BIP 341.
func tweak(key *btcec.PrivateKey, root []byte) *btcec.PrivateKey {
	d := key.Key
	public := key.PubKey().SerializeCompressed()
	if public[0] == 3 {
		d.Negate()
	}
	var t btcec.ModNScalar
	t.SetByteSlice(chainhash.TaggedHash(chainhash.TagTapTweak, public[1:], root)[:])
	d.Add(&t)
	return &btcec.PrivateKey{Key: d}
}

// message is a 32-byte hash to sign.
func message(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }
