package wire

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// fleet holds the keys of a test's fleet.
type fleet struct {
	t        testing.TB
	m        *Manifest
	access   *Access
	identity []*ecdsa.PrivateKey // in place of the HSMs
	sessions []*SessionKey
	gateway  ed25519.PrivateKey
	clients  map[string]ed25519.PrivateKey
	now      time.Time
}

// t0 is when every test begins.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The clients: alice and bob may do everything, carol only signs.
var clientKinds = map[string][]Kind{
	"alice": {KindKeygen, KindSign}, "bob": {KindKeygen, KindSign}, "carol": {KindSign},
}

func newFleet(t testing.TB, threshold, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, now: t0, clients: map[string]ed25519.PrivateKey{}}
	f.m = &Manifest{Version: 1, Fleet: "test", Network: "regtest", N: n, T: threshold, AttestSigning: true}
	for i := range n {
		id := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		f.identity = append(f.identity, id)
		f.m.Nodes = append(f.m.Nodes, NodeCard{Index: i, Identity: must(id.PublicKey.Bytes()),
			Encryption: must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey().Bytes()})
	}
	if err := f.m.Seal(); err != nil {
		t.Fatal(err)
	}
	var clients []Client
	for name, kinds := range clientKinds {
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		f.clients[name] = key
		clients = append(clients, Client{Name: name, Key: pub, Kinds: kinds})
	}
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	f.gateway = key
	f.access = must(NewAccess(clients, map[string]ed25519.PublicKey{"gw": pub}))
	for i := range n {
		f.sessions = append(f.sessions, f.session(i))
	}
	return f
}

// attest does what node i's HSM does for one leaf of leaves.
func (f *fleet) attest(i int, leaves [][32]byte, which int) *Attestation {
	digest := AttestDigest(f.m, leaves)
	return NewAttestations(leaves, must(ecdsa.SignASN1(rand.Reader, f.identity[i], digest[:])))[which]
}

func (f *fleet) attestOne(i int, leaf [32]byte) *Attestation {
	return f.attest(i, [][32]byte{leaf}, 0)
}

func (f *fleet) session(i int) *SessionKey {
	k := must(NewSessionKey(rand.Reader, i, f.now))
	k.Delegate(f.attestOne(i, k.Leaf(f.m)))
	return k
}

// job signs a payload for a client.
func (f *fleet) job(client string, kind Kind, payload []byte) SignedJob {
	return SignJob(f.clients[client], f.m, kind, client, payload)
}

// keygen is a job for count keys; n makes its id.
func (f *fleet) keygen(n int, client, chain string, count int) SignedJob {
	return f.job(client, KindKeygen, mustJSON(Job{
		ID: jobID(n), Kind: KindKeygen, Expires: f.now.Add(30 * time.Minute), Chain: chain, Count: count}))
}

func (f *fleet) signing(n int, client string, items ...JobItem) SignedJob {
	return f.job(client, KindSign, mustJSON(Job{
		ID: jobID(n), Kind: KindSign, Expires: f.now.Add(10 * time.Minute), Items: items}))
}

func jobID(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", n) }

func mustJSON(v any) []byte { return must(json.Marshal(v)) }

// item asks for a signature over a hash of text.
func item(batch string, index int, text string) JobItem {
	h := sha256.Sum256([]byte(text))
	return JobItem{Key: KeyID{batch, index}.String(), Message: h[:]}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
