package wire

import (
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
)

var (
	errUnsigned   = errors.New("message carries no valid signature of its sender")
	errDelegation = errors.New("delegation is not valid at the message's time")
	errTime       = errors.New("the bus says that it stored the message at a time far from this program's clock")
)

// LiveAge is for how long the streams of live messages, WORK and SIGN, keep one.
const LiveAge = 10 * time.Minute

// Live reports whether a message of WORK or SIGN that was stored at a time can be in
// there now. A time far from the reader's own clock is a lie of the bus: it would
// let a session key speak that ended long ago.
func Live(at, now time.Time) bool {
	return now.Sub(at).Abs() <= LiveAge+ClockSkew
}

// Opener checks who sealed a message and whose device signed for it. It remembers
// delegations, as one serves thousands of messages and costs an ECDSA verification.
// It is not safe for concurrent use.
type Opener struct {
	manifest   *Manifest
	access     *Access
	now        time.Time // by the reader's clock; zero: it has none
	known      map[[32]byte]*openDelegation
	signatures map[[32]byte]struct{} // of devices, that verified
}

// SetTime is how the reader's own clock goes on.
func (o *Opener) SetTime(now time.Time) { o.now = now }

// Time is what SetTime set last.
func (o *Opener) Time() time.Time { return o.now }

// SetAccess replaces the access list.
func (o *Opener) SetAccess(a *Access) { o.access = a }

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

// FromNode opens a live message that must come from node i, and returns its body, which is a
// part of its data, as all bodies of envelopes are. When
// the bus stored the message must fit the reader's clock. Neither
// the node nor its session key may be revoked.
func (o *Opener) FromNode(i int, msg LogMessage) ([]byte, error) {
	if err := o.live(i, msg.Time); err != nil {
		return nil, err
	}
	return o.open(i, msg, o.access, MaxMessageSize)
}

// FromRound opens a message of a key generation that must come from node i. It is judged
// by the time at which it was stored, which may be hours ago, and by the access list:
// who is revoked does not count.
func (o *Opener) FromRound(i int, msg LogMessage) ([]byte, error) {
	if o.access.RevokesNode(o.manifest, i) {
		return nil, errRevoked
	}
	return o.open(i, msg, o.access, maxSealedDeal)
}

func (o *Opener) open(i int, msg LogMessage, access *Access, limit int) ([]byte, error) {
	e, d, err := o.claims(i, msg, limit)
	if err != nil {
		return nil, err
	}
	if access.RevokesKey(d.Key) {
		return nil, errRevoked
	}
	signed := msg.under(o.manifest) != nil // by the key of this delegation
	if !signed && !d.verifier.verify(sealed(o.manifest.Hash(), msg.Subject, e.Body), e.Signature) {
		return nil, errUnsigned
	}
	return e.Body, nil
}

// ClaimedBody is FromNode without the check of the message's own signature, for the
// caller that compared the message with its own, byte for byte.
func (o *Opener) ClaimedBody(i int, msg LogMessage) ([]byte, error) {
	if err := o.live(i, msg.Time); err != nil {
		return nil, err
	}
	e, d, err := o.claims(i, msg, MaxMessageSize)
	if err == nil && o.access.RevokesKey(d.Key) {
		err = errRevoked
	}
	if err != nil {
		return nil, err
	}
	return e.Body, nil
}

// live checks what a live message of node i needs beside its seal.
func (o *Opener) live(i int, at time.Time) error {
	if !o.now.IsZero() && !Live(at, o.now) {
		return errTime
	}
	if o.access.RevokesNode(o.manifest, i) {
		return errRevoked
	}
	return nil
}

// claims is all of open but the message's own signature: whose it says it is,
// and that this node's session key spoke for it at that time.
func (o *Opener) claims(i int, msg LogMessage, limit int) (*Envelope, *openDelegation, error) {
	e, err := msg.envelope(o.manifest, limit)
	if err != nil {
		return nil, nil, err
	}
	d, err := o.delegation(e.Delegation)
	if err != nil {
		return nil, nil, err
	}
	if int(d.Node) != i {
		return nil, nil, fmt.Errorf("message of node %d in the slot of node %d", d.Node, i)
	}
	at := msg.Time
	if at.Before(time.Unix(d.NotBefore, 0).Add(-ClockSkew)) || at.After(time.Unix(d.NotAfter, 0).Add(ClockSkew)) {
		return nil, nil, errDelegation
	}
	return e, d, nil
}

// envelope is the message, decoded.
func (msg LogMessage) envelope(m *Manifest, limit int) (*Envelope, error) {
	if read := msg.under(m); read != nil && len(msg.Data) <= limit {
		return read.envelope, nil
	}
	return decodeEnvelope(msg.Data, limit)
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
	return o.access.FromGateway(o.manifest, subject, data)
}

// FromGateway opens a message that must come from one of the list's gateways. Other
// than an Opener, a list may be used concurrently.
func (a *Access) FromGateway(m *Manifest, subject string, data []byte) ([]byte, error) {
	e, err := decodeEnvelope(data, MaxMessageSize+MaxJobSize)
	if err != nil {
		return nil, err
	}
	key, err := a.gateway(e.Gateway)
	if err != nil {
		return nil, err
	}
	if !key.verify(sealed(m.FleetID(), subject, e.Body), e.Signature) {
		return nil, errUnsigned
	}
	return e.Body, nil
}

// SealedBy is the gateway that an envelope names, "" if it names none.
func SealedBy(data []byte) string {
	e, err := decodeEnvelope(data, MaxMessageSize+MaxJobSize)
	if err != nil {
		return ""
	}
	return e.Gateway
}

// UnverifiedBody returns the body of an envelope without checking who sealed it, nil if
// there is none. It serves certificates, which prove themselves.
func UnverifiedBody(data []byte) []byte {
	e, err := decodeEnvelope(data, MaxMessageSize)
	if err != nil {
		return nil
	}
	return e.Body
}
