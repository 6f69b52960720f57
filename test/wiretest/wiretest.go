// Package wiretest makes the keys of a fleet for tests, and messages that are
// sealed with them.
package wiretest

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Start is the time at which a Fleet's session keys begin.
var Start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Fleet is everything secret and public of a fleet.
type Fleet struct {
	Manifest *wire.Manifest
	Access   *wire.Access
	Identity []*ecdsa.PrivateKey // in place of the HSMs
	Host     [][32]byte          // X25519 private keys
	Sessions []*wire.SessionKey
	Gateway  ed25519.PrivateKey // of the gateway "gw"
	Clients  map[string]ed25519.PrivateKey
}

// New draws the keys of a t-of-n fleet with these clients. The changes apply to
// the manifest before it is sealed.
func New(t testing.TB, threshold, n int, clients map[string][]wire.Kind, change ...func(*wire.Manifest)) *Fleet {
	t.Helper()
	f := &Fleet{Clients: map[string]ed25519.PrivateKey{}}
	f.Manifest = &wire.Manifest{Version: 1, Fleet: "test", Network: "regtest", N: n, T: threshold, AttestSigning: true}
	for i := range n {
		id, host := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdh.X25519().GenerateKey(rand.Reader))
		f.Identity, f.Host = append(f.Identity, id), append(f.Host, [32]byte(host.Bytes()))
		f.Manifest.Nodes = append(f.Manifest.Nodes, wire.NodeCard{
			Index: i, Identity: must(id.PublicKey.Bytes()), Encryption: host.PublicKey().Bytes()})
	}
	for _, c := range change {
		c(f.Manifest)
	}
	if err := f.Manifest.Seal(); err != nil {
		t.Fatal(err)
	}
	var list []wire.Client
	for name, kinds := range clients {
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		f.Clients[name] = key
		list = append(list, wire.Client{Name: name, Key: pub, Kinds: kinds})
	}
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	f.Gateway = key
	f.Access = must(wire.NewAccess(list, map[string]ed25519.PublicKey{"gw": pub}))
	for i := range n {
		f.Sessions = append(f.Sessions, f.NewSession(i, Start))
	}
	return f
}

// Attest does what node i's HSM does for one leaf of leaves.
func (f *Fleet) Attest(i int, leaves [][32]byte, which int) *wire.Attestation {
	digest := wire.AttestDigest(f.Manifest, leaves)
	return wire.NewAttestations(leaves, must(ecdsa.SignASN1(rand.Reader, f.Identity[i], digest[:])))[which]
}

// NewSession returns a session key of node i, good from now on.
func (f *Fleet) NewSession(i int, now time.Time) *wire.SessionKey {
	k := must(wire.NewSessionKey(rand.Reader, i, now))
	k.Delegate(f.Attest(i, [][32]byte{k.Leaf(f.Manifest)}, 0))
	return k
}

// Seal returns what the node of the slot publishes there.
func (f *Fleet) Seal(slot wire.Slot, body []byte) []byte {
	return f.Sessions[slot.Node].Seal(f.Manifest, slot.String(), body)
}

// Deal returns the body of a deal of the batch: well formed, of no use.
func (f *Fleet) Deal(h wire.BatchHeader, size int) []byte {
	return wire.EncodeDeal(h, &frost.Deal{Shares: [][]byte{make([]byte, size)}})
}

// Certificate returns the body of node i's certificate.
func (f *Fleet) Certificate(i int, h wire.BatchHeader, root byte) []byte {
	c := wire.Certificate{Context: h.Context(f.Manifest), Root: [32]byte{root}, Node: uint32(i)}
	c.Attestation = f.Attest(i, [][32]byte{c.Leaf(f.Manifest)}, 0)
	return wire.Encode(&c)
}

// Entry returns an entry of the batch, certified by all nodes over the deals: the
// keys are made up.
func (f *Fleet) Entry(h wire.BatchHeader, deals [][]byte) []byte {
	keys := make([][]byte, h.K)
	for i := range keys {
		keys[i] = make([]byte, frost.Suite(h.Suite).PublicKeySize())
		keys[i][0] = byte(i)
	}
	return f.EntryOf(h, deals, keys)
}

// EntryOf is Entry of these public keys.
func (f *Fleet) EntryOf(h wire.BatchHeader, deals, keys [][]byte) []byte {
	head := wire.NewEntryHead(f.Manifest, h, keys, nil, wire.DealDigests(deals), false)
	for i := range f.Manifest.N {
		c := wire.Certificate{
			Context: h.Context(f.Manifest), Transcript: wire.Transcript(head.Deals), Root: wire.KeyRoot(head.Keys), Node: uint32(i),
		}
		c.Attestation = f.Attest(i, [][32]byte{c.Leaf(f.Manifest)}, 0)
		head.Certificates = append(head.Certificates, wire.Encode(&c))
	}
	return wire.Encode(head)
}

// Abort returns the body of an abort of the batch.
func (f *Fleet) Abort(h wire.BatchHeader, reason string) []byte {
	return wire.Encode(&wire.Complaint{Session: h.Context(f.Manifest), Code: wire.CodeInternal, Reason: reason})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
