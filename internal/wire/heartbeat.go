package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// HeartbeatVersion is the version that this program writes. A later one only adds
// keys, so a reader of this version counts the sender as present all the same. Version 1
// ended with Holdings, version 2 with Policy, version 3 with Approval, and version 4 with Device.
const HeartbeatVersion = 5

// Bounds of a heartbeat, in bytes. The stream takes nothing larger than MaxHeartbeat.
const (
	maxHeartbeatBody = 4096
	MaxHeartbeat     = 8192 // sealed
	maxHeartbeatText = 64
)

// Heartbeat is what a node or a gateway says of itself every second. Its sender
// publishes it in place of the one before, by compare and swap, and After names that
// one: what somebody copies comes after another message, and counts for nothing. So a
// node's heartbeats are also its lease: of two processes with one index, one loses a
// swap.
type Heartbeat struct {
	Version  uint32    `cbor:"1,keyasint"`
	Boot     [16]byte  `cbor:"2,keyasint"` // drawn when the process started
	After    uint64    `cbor:"3,keyasint"` // sequence of the message on the subject before it; 0: there was none
	Manifest [32]byte  `cbor:"4,keyasint"`
	Build    string    `cbor:"5,keyasint"`
	Host     string    `cbor:"6,keyasint"`
	Pid      uint32    `cbor:"7,keyasint"`
	InFlight uint32    `cbor:"8,keyasint"`            // sessions and batches, or jobs, in work
	Backlog  uint32    `cbor:"9,keyasint"`            // computations, or jobs, that wait for their turn
	Leaving  bool      `cbor:"10,keyasint,omitempty"` // the last one: the process ends
	Holdings [32]byte  `cbor:"11,keyasint"`           // a node's HoldingsRoot; of a gateway, what KEYS has
	Audit    AuditHead `cbor:"12,keyasint,omitzero"`  // of what is on the disk; zero: no audit log
	Policy   [32]byte  `cbor:"13,keyasint,omitzero"`  // hash of a node's policy; zero: none is in force
	// Approval is of the manifest that the node's operator approved to follow; nil: none.
	Approval *SuccessorApproval `cbor:"14,keyasint,omitempty"`
	Device   DeviceUse          `cbor:"15,keyasint,omitzero"`  // a node's; zero: it does not tell
	Form     uint32             `cbor:"16,keyasint,omitempty"` // the highest that the program knows
}

// DeviceUse is what a node says of its key provider's device, since its process started.
type DeviceUse struct {
	Kind  string `cbor:"1,keyasint"`           // of the key provider, as in the node's file
	Calls uint64 `cbor:"2,keyasint,omitempty"` // failed ones too
	Cost  uint64 `cbor:"3,keyasint,omitempty"` // of these calls, in millionths of a US dollar
	Month uint64 `cbor:"4,keyasint,omitempty"` // of a month that is like the last hour, with the keys
}

// AuditHead is the number and the hash of the last record of an audit log. Who heard it
// knows that a log which ends before it was cut.
type AuditHead struct {
	Seq  uint64   `cbor:"1,keyasint"`
	Hash [32]byte `cbor:"2,keyasint"`
}

// Process names the process that a heartbeat is of, for people.
func (h *Heartbeat) Process() string {
	return fmt.Sprintf("host %q, pid %d, build %q", h.Host, h.Pid, h.Build)
}

// growMode reads the known keys of a later version.
var growMode = must(cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	IndefLength:      cbor.IndefLengthForbidden,
	TagsMd:           cbor.TagsForbidden,
	MaxNestedLevels:  6,
	MaxArrayElements: 4096,
	MaxMapPairs:      64,
	UTF8:             cbor.UTF8RejectInvalid,
}.DecMode())

var errHeartbeat = errors.New("heartbeat with a version of 0, or a text that is too long or does not print")

// DecodeHeartbeat reads a heartbeat. One of this version is read strictly; of a later
// one, what this version knows.
func DecodeHeartbeat(body []byte) (*Heartbeat, error) {
	if len(body) > maxHeartbeatBody {
		return nil, fmt.Errorf("heartbeat of %d bytes is over the limit of %d", len(body), maxHeartbeatBody)
	}
	var h Heartbeat
	if err := growMode.Unmarshal(body, &h); err != nil {
		return nil, err
	}
	if h.Version <= HeartbeatVersion {
		h = Heartbeat{}
		if err := Decode(body, maxHeartbeatBody, &h); err != nil {
			return nil, err
		}
	}
	if h.Version == 0 || !printable(h.Build) || !printable(h.Host) || !printable(h.Device.Kind) {
		return nil, errHeartbeat
	}
	return &h, nil
}

// ClipHeartbeat makes a text one that fits a heartbeat.
func ClipHeartbeat(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxHeartbeatText)]
}

func printable(s string) bool { return ClipHeartbeat(s) == s }

// PresenceKind is who says something in PRESENCE.
type PresenceKind string

// What is said there. A process that found another one with its index says so under
// PresenceTwin.
const (
	PresenceNode    PresenceKind = "node"
	PresenceGateway PresenceKind = "gateway"
	PresenceTwin    PresenceKind = "twin"
)

// PresenceRef is what a subject of PRESENCE names: a node of a manifest, or a gateway.
type PresenceRef struct {
	Kind    PresenceKind
	Node    int
	Epoch   int // of the node's manifest; 0 of a fleet's founding one
	Gateway string
}

// NodePresence is the subject of a node's heartbeats, and GatewayPresence of a
// gateway's. TwinPresence is where a node's second process says that it ends. Of a
// manifest that follows another one, the epoch stands behind the node's index.
func (m *Manifest) NodePresence(node int) string { return "presence.node." + m.nodeTokens(node) }
func (m *Manifest) TwinPresence(node int) string { return "presence.twin." + m.nodeTokens(node) }
func GatewayPresence(name string) string         { return "presence.gateway." + name }

// nodeTokens name a node on subjects that name no batch and no session.
func (m *Manifest) nodeTokens(node int) string {
	if !m.Successor() {
		return strconv.Itoa(node)
	}
	return strconv.Itoa(node) + "." + strconv.Itoa(m.Epoch)
}

// subjectEpoch is the epoch by which the manifest's subjects name it.
func (m *Manifest) subjectEpoch() int {
	if !m.Successor() {
		return 0
	}
	return m.Epoch
}

// ParsePresence reads the subject of a heartbeat.
func ParsePresence(subject string) (PresenceRef, error) {
	epoch := 0
	if t, err := tokens(subject, 4, "presence"); err == nil && t[1] != string(PresenceGateway) {
		if epoch, err = strconv.Atoi(t[3]); err != nil || epoch < 1 || strconv.Itoa(epoch) != t[3] {
			return PresenceRef{}, fmt.Errorf("subject %.100q names no epoch", subject)
		}
		subject = strings.Join(t[:3], ".")
	}
	t, err := tokens(subject, 3, "presence")
	if err != nil {
		return PresenceRef{}, err
	}
	ref := PresenceRef{Kind: PresenceKind(t[1]), Epoch: epoch}
	switch ref.Kind {
	case PresenceGateway:
		ref.Gateway = t[2]
		return ref, nil
	case PresenceNode, PresenceTwin:
		ref.Node, err = strconv.Atoi(t[2])
		if err == nil && ref.Node >= 0 && ref.Node < MaxNodes && strconv.Itoa(ref.Node) == t[2] {
			return ref, nil
		}
	}
	return PresenceRef{}, fmt.Errorf("subject %.100q names no node and no gateway", subject)
}

// Heartbeat opens a message of PRESENCE: sealed for that subject and this manifest, by
// whom the subject names, after a message that was there. Whether it is no copy of an
// older one, only After tells.
func (o *Opener) Heartbeat(msg LogMessage) (PresenceRef, *Heartbeat, error) {
	ref, err := ParsePresence(msg.Subject)
	if err != nil {
		return ref, nil, err
	}
	if len(msg.Data) > MaxHeartbeat {
		return ref, nil, fmt.Errorf("heartbeat of %d bytes is over the limit of %d", len(msg.Data), MaxHeartbeat)
	}
	body, err := o.presence(ref, msg)
	if err != nil {
		return ref, nil, err
	}
	h, err := DecodeHeartbeat(body)
	if err != nil {
		return ref, nil, err
	}
	if h.Manifest != o.manifest.Hash() {
		return ref, nil, errors.New("heartbeat of another manifest")
	}
	if h.After >= msg.Seq { // a copy of what stood in the stream before it began anew
		return ref, nil, errors.New("heartbeat after a message that was not there yet")
	}
	return ref, h, nil
}

func (o *Opener) presence(ref PresenceRef, msg LogMessage) ([]byte, error) {
	if ref.Kind != PresenceGateway {
		if ref.Node >= o.manifest.N {
			return nil, fmt.Errorf("heartbeat of node %d; the manifest has nodes 0 to %d", ref.Node, o.manifest.N-1)
		}
		if epoch := o.manifest.subjectEpoch(); ref.Epoch != epoch {
			return nil, fmt.Errorf("heartbeat of a node of epoch %d; the manifest has epoch %d", ref.Epoch, epoch)
		}
		return o.FromNode(ref.Node, msg.Subject, msg.Time, msg.Data)
	}
	var e Envelope
	if err := Decode(msg.Data, MaxHeartbeat, &e); err != nil {
		return nil, err
	}
	if e.Gateway != ref.Gateway {
		return nil, fmt.Errorf("heartbeat of gateway %.64q under the subject of %.64q", e.Gateway, ref.Gateway)
	}
	return o.FromGateway(msg.Subject, msg.Data)
}

// ClaimedManifest is the manifest that a heartbeat says it was made under. Nothing
// vouches for it: it is a hint for whoever looks for a program of another manifest,
// which no signature of this one can cover.
func ClaimedManifest(data []byte) (hash [32]byte, ok bool) {
	if len(data) > MaxHeartbeat {
		return hash, false
	}
	h, err := DecodeHeartbeat(UnverifiedBody(data))
	if err != nil {
		return hash, false
	}
	return h.Manifest, true
}
