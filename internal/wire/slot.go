package wire

import (
	"time"
)

// SlotKind is what a round message says.
type SlotKind string

// The round messages. Those of key generation and of resharing stand in their node's
// ROUNDS for hours, the others in SIGN for minutes.
const (
	SlotDeal   SlotKind = "deal"
	SlotCert   SlotKind = "cert"
	SlotAbort  SlotKind = "abort"
	SlotCommit SlotKind = "commit"
	SlotShare  SlotKind = "share"
	SlotRefuse SlotKind = "refuse"

	SlotReshareDeal  SlotKind = "redeal"  // by a node of the manifest that keys leave
	SlotReshareCert  SlotKind = "recert"  // by one of the manifest that they go to
	SlotReshareAbort SlotKind = "reabort" // by one of these
)

var slotFamily = map[SlotKind]string{
	SlotDeal: "dkg", SlotCert: "dkg", SlotAbort: "dkg",
	SlotCommit: "sign", SlotShare: "sign", SlotRefuse: "sign",
	SlotReshareDeal: reshareFamily, SlotReshareCert: reshareFamily, SlotReshareAbort: reshareFamily,
}

const reshareFamily = "reshare"

// Resharing tells the kinds of resharing from the others.
func (k SlotKind) Resharing() bool { return slotFamily[k] == reshareFamily }

// Signing tells the kinds of signing sessions from those of key generation.
func (k SlotKind) Signing() bool { return slotFamily[k] == "sign" }

// Slot is one subject that holds one value: what node Node says of one kind
// in the batch or signing session ID. Its value is the first message on the
// subject, in log order, that the node signed; anything else is junk.
type Slot struct {
	Kind SlotKind
	ID   string
	Node int
}

// InteractiveItems is the largest signing task of the interactive lane.
const InteractiveItems = 10

// LogMessage is a message as a stream holds it.
type LogMessage struct {
	Subject string // below the fleet's prefix
	Seq     uint64
	Time    time.Time // when the stream stored it
	Data    []byte
	Trace   string // the traceparent beside it, for those who trace; proof of nothing

	read *readMessage // what a Reader read of it; nil: an Opener does so itself
}

// Verdict says what already stands in a slot that a node wants to fill.
type Verdict int

// The verdicts of Node.Judge.
const (
	Mine  Verdict = iota // what the node wants to say stands there
	Other                // the node itself said something else there before
	Junk                 // nothing valid stands there
)
