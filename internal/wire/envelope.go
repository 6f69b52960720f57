package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// A message on the bus is an envelope: a body, who says it, and an Ed25519
// signature over (manifest, subject, body). A worker signs with a session key
// that lives in its memory, and shows the delegation by which its HSM vouches
// for that key; a gateway signs with its own key.

// DelegationLife is how long a session key signs. A worker takes a new one
// before it ends.
const DelegationLife = 10 * time.Minute

// ClockSkew is how far the clocks of workers and NATS servers may differ.
const ClockSkew = 2 * time.Minute

type Envelope struct {
	Body       []byte `cbor:"1,keyasint"`
	Signature  []byte `cbor:"2,keyasint"`
	Delegation []byte `cbor:"3,keyasint,omitempty"` // by a worker
	Gateway    string `cbor:"4,keyasint,omitempty"` // by a gateway
}

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

// SessionKey signs a worker's messages.
type SessionKey struct {
	sign       func(message []byte) []byte // a closure: no printing looks into it
	pending    delegation
	delegation []byte
}

// NewSessionKey draws a session key for node i, good from now on. It signs
// nothing until Delegate gave it the HSM's word for Leaf.
func NewSessionKey(rand io.Reader, node int, now time.Time) (*SessionKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	sign := func(message []byte) []byte { return ed25519.Sign(private, message) }
	return &SessionKey{sign: sign, pending: delegation{
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

// NotAfter is when the key stops being accepted.
func (k *SessionKey) NotAfter() time.Time { return time.Unix(k.pending.NotAfter, 0) }

// Seal signs a body for one subject.
func (k *SessionKey) Seal(m *Manifest, subject string, body []byte) []byte {
	return Encode(&Envelope{
		Body: body, Delegation: k.delegation,
		Signature: k.sign(sealed(m, subject, body)),
	})
}

// SealGateway signs a gateway's body for one subject.
func SealGateway(key ed25519.PrivateKey, name string, m *Manifest, subject string, body []byte) []byte {
	return Encode(&Envelope{Body: body, Gateway: name, Signature: ed25519.Sign(key, sealed(m, subject, body))})
}

func sealed(m *Manifest, subject string, body []byte) []byte {
	mh := m.Hash()
	h := frost.Hash("frostfleet/message/v1", mh[:], []byte(subject), body)
	return h[:]
}

var (
	errUnsigned   = errors.New("message carries no valid signature of its sender")
	errDelegation = errors.New("delegation is not valid at the message's time")
)

// Opener checks who sealed a message and whose device signed for it. It remembers
// delegations, as one serves thousands of messages and costs an ECDSA verification.
// It is not safe for concurrent use.
type Opener struct {
	manifest   *Manifest
	access     *Access
	known      map[[32]byte]*openDelegation
	signatures map[[32]byte]struct{} // of devices, that verified
}

// openDelegation is one that was verified.
type openDelegation struct {
	delegation
	verifier *verifier
}

const maxKnownDelegations = 4096

// NewOpener returns an Opener of a fleet. The access list names its gateways; it
// may be nil where no gateway is heard.
func NewOpener(m *Manifest, a *Access) *Opener {
	return &Opener{
		manifest: m, access: a, known: map[[32]byte]*openDelegation{}, signatures: map[[32]byte]struct{}{},
	}
}

// FromNode opens a message that must come from node i, and returns its body.
// at is when the bus stored the message.
func (o *Opener) FromNode(i int, subject string, at time.Time, data []byte) ([]byte, error) {
	e, d, err := o.claims(i, at, data)
	if err != nil {
		return nil, err
	}
	if !d.verifier.verify(sealed(o.manifest, subject, e.Body), e.Signature) {
		return nil, errUnsigned
	}
	return e.Body, nil
}

// ClaimedBody is FromNode without the check of the message's own signature, for the
// caller that compared the message with its own, byte for byte.
func (o *Opener) ClaimedBody(i int, at time.Time, data []byte) ([]byte, error) {
	e, _, err := o.claims(i, at, data)
	if err != nil {
		return nil, err
	}
	return e.Body, nil
}

// claims is all of FromNode but the message's own signature: whose it says it is,
// and that this node's session key spoke for it at that time.
func (o *Opener) claims(i int, at time.Time, data []byte) (*Envelope, *openDelegation, error) {
	var e Envelope
	if err := Decode(data, MaxMessageSize, &e); err != nil {
		return nil, nil, err
	}
	d, err := o.delegation(e.Delegation)
	if err != nil {
		return nil, nil, err
	}
	if int(d.Node) != i {
		return nil, nil, fmt.Errorf("message of node %d in the slot of node %d", d.Node, i)
	}
	if at.Before(time.Unix(d.NotBefore, 0).Add(-ClockSkew)) || at.After(time.Unix(d.NotAfter, 0).Add(ClockSkew)) {
		return nil, nil, errDelegation
	}
	return &e, d, nil
}

func (o *Opener) delegation(raw []byte) (*openDelegation, error) {
	hash := frost.Hash("frostfleet/delegation-cache/v1", raw)
	if d, ok := o.known[hash]; ok {
		return d, nil
	}
	var d delegation
	if err := Decode(raw, maxDelegation, &d); err != nil {
		return nil, err
	}
	key, err := newVerifier(d.Key)
	if err != nil || int(d.Node) >= o.manifest.N ||
		d.NotBefore < 0 || d.NotAfter < d.NotBefore || d.NotAfter-d.NotBefore > int64(DelegationLife.Seconds()) {
		return nil, errDelegation
	}
	if err := d.Attestation.verify(o.manifest, o.manifest.Identity(int(d.Node)), d.leaf(o.manifest)); err != nil {
		return nil, err
	}
	if len(o.known) >= maxKnownDelegations {
		clear(o.known)
	}
	o.known[hash] = &openDelegation{d, key}
	return o.known[hash], nil
}

// FromGateway opens a message that must come from one of the fleet's gateways.
func (o *Opener) FromGateway(subject string, data []byte) ([]byte, error) {
	var e Envelope
	if err := Decode(data, MaxMessageSize+MaxJobSize, &e); err != nil {
		return nil, err
	}
	key, ok := o.access.gateways[e.Gateway]
	if !ok {
		return nil, fmt.Errorf("no gateway %q in the access list", e.Gateway)
	}
	if !key.verify(sealed(o.manifest, subject, e.Body), e.Signature) {
		return nil, errUnsigned
	}
	return e.Body, nil
}

// UnverifiedBody returns the body of an envelope without checking who sealed it, nil if
// there is none. It serves certificates, which prove themselves.
func UnverifiedBody(data []byte) []byte {
	var e Envelope
	if Decode(data, MaxMessageSize, &e) != nil {
		return nil
	}
	return e.Body
}
