package wire

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// delegation is a worker's statement, signed by its HSM, that a session key
// speaks for it during a time.
type delegation struct {
	Node        uint32       `cbor:"1,keyasint"`
	Key         []byte       `cbor:"2,keyasint"` // Ed25519
	NotBefore   int64        `cbor:"3,keyasint"` // Unix seconds
	NotAfter    int64        `cbor:"4,keyasint"`
	Attestation *Attestation `cbor:"5,keyasint"`
}

func (d *delegation) leaf(m *Manifest) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/delegation/v1", mh[:], Be32(d.Node), d.Key, be64(d.NotBefore), be64(d.NotAfter))
}

// SessionKey signs a worker's messages until it is wiped. It is safe for concurrent
// use once it is delegated.
type SessionKey struct {
	sign       func(message []byte) []byte // a closure: no printing looks into it
	wipe       func()
	pending    delegation
	delegation []byte

	mu    sync.RWMutex // held for writing while the key is wiped
	wiped bool
}

// NewSessionKey draws a session key for node i, good from now on. It signs
// nothing until Delegate gave it the HSM's word for Leaf.
func NewSessionKey(rand io.Reader, node int, now time.Time) (*SessionKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	defer clear(seed)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	sign := func(message []byte) []byte { return ed25519.Sign(private, message) }
	return &SessionKey{sign: sign, wipe: func() { clear(private) }, pending: delegation{
		Node: uint32(node), Key: private.Public().(ed25519.PublicKey),
		NotBefore: now.Unix(), NotAfter: now.Add(DelegationLife).Unix(),
	}}, nil
}

// Format keeps the private key out of every log.
func (*SessionKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[session key]") }

// Leaf is what the HSM has to attest.
func (k *SessionKey) Leaf(m *Manifest) [32]byte { return k.pending.leaf(m) }

// Delegate completes the key.
func (k *SessionKey) Delegate(a *Attestation) {
	k.pending.Attestation = a
	k.delegation = Encode(&k.pending)
}

// NotBefore is when the key starts being accepted.
func (k *SessionKey) NotBefore() time.Time { return time.Unix(k.pending.NotBefore, 0) }

// NotAfter is when the key stops being accepted.
func (k *SessionKey) NotAfter() time.Time { return time.Unix(k.pending.NotAfter, 0) }

// Public is the key's public half, by which an access list can revoke it.
func (k *SessionKey) Public() ed25519.PublicKey { return k.pending.Key }

// Wipe makes the key unusable. A nil key is none.
func (k *SessionKey) Wipe() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wiped = true
	k.wipe()
}

// Seal signs a body for one subject. It returns nil once the key is wiped.
func (k *SessionKey) Seal(m *Manifest, subject string, body []byte) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.wiped {
		return nil
	}
	return Encode(&Envelope{
		Body: body, Delegation: k.delegation,
		Signature: k.sign(sealed(m.Hash(), subject, body)),
	})
}
