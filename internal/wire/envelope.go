package wire

import (
	"crypto/ed25519"
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

// SealGateway signs a gateway's body for one subject.
func SealGateway(key ed25519.PrivateKey, name string, m *Manifest, subject string, body []byte) []byte {
	return Encode(&Envelope{Body: body, Gateway: name, Signature: ed25519.Sign(key, sealed(m.FleetID(), subject, body))})
}

// sealed is what the sender of an envelope signs: a node under its manifest's hash, a
// gateway, which is in no manifest, under the fleet's.
func sealed(of [32]byte, subject string, body []byte) []byte {
	h := frost.Hash("frostfleet/message/v1", of[:], []byte(subject), body)
	return h[:]
}
