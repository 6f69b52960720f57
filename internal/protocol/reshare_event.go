package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Events of both machines, of a fleet that changes.
type (
	// LineageChanged replaces the manifests that the program goes by. It comes before any
	// entry that a new one of them certifies.
	LineageChanged struct{ Lineage *wire.Lineage }
)

// Events of a Node, of a fleet that changes.
type (
	// SuccessorChanged is what the node's operator approved: the zero hash takes it back.
	SuccessorChanged struct{ Next [32]byte }
	// SharesLoaded answers LoadShares: the node's shares, 32 bytes each, in the order of the
	// batch's keys; nil where the keystore does not have them all. The machine wipes them.
	SharesLoaded struct {
		ID     string
		Shares *secret.Bytes
	}
)

// Effects of a Node, of a fleet that changes.
type (
	// LoadShares asks the keystore for the node's shares of one generation of a batch. ID is
	// that of the resharing.
	LoadShares struct {
		ID    string
		Batch wire.BatchRef
	}
	// Dealt says that the node has dealt to a manifest: its operator can't take the approval
	// back from now on. It is kept before the deal is published.
	Dealt struct{ Next [32]byte }
	// MarkMoved has the keystore remember that a batch has a later generation under the next
	// manifest: the node signs with this one no more.
	MarkMoved struct{ ID string }
)

// Events of a Coordinator, of a fleet that changes.
type (
	// ManifestSeen is a manifest in KEYS that may come to be a successor.
	ManifestSeen struct{ Manifest *wire.Manifest }
	// PaceChanged is the administrator's word on whether keys move; nil: none.
	PaceChanged struct{ Pace *wire.Pace }
)

// PublishSuccession puts a succession into KEYS that has enough approvals. The program goes by
// it once KEYS shows it.
type PublishSuccession struct {
	Next [32]byte
	Data []byte
}

// How these print: see print.go.

func (e LineageChanged) String() string {
	return fmt.Sprintf("LineageChanged to %d manifests", len(e.Lineage.Chain()))
}
func (e SuccessorChanged) String() string { return fmt.Sprintf("SuccessorChanged to %x", e.Next[:8]) }
func (e SharesLoaded) String() string {
	return fmt.Sprintf("SharesLoaded %s: %t", e.ID, e.Shares != nil)
}
func (e LoadShares) String() string {
	return fmt.Sprintf("LoadShares %s: batch %s", e.ID, refLine(e.Batch))
}
func (e Dealt) String() string     { return fmt.Sprintf("Dealt to %x", e.Next[:8]) }
func (e MarkMoved) String() string { return "MarkMoved " + e.ID }
func (e ManifestSeen) String() string {
	hash := e.Manifest.Hash()
	return fmt.Sprintf("ManifestSeen %x", hash[:8])
}
func (e PaceChanged) String() string {
	if e.Pace == nil {
		return "PaceChanged: none"
	}
	return fmt.Sprintf("PaceChanged: run %t", e.Pace.Run)
}
func (e PublishSuccession) String() string {
	return fmt.Sprintf("PublishSuccession %x, %d bytes", e.Next[:8], len(e.Data))
}

func (LineageChanged) event()   {}
func (SuccessorChanged) event() {}
func (SharesLoaded) event()     {}
func (ManifestSeen) event()     {}
func (PaceChanged) event()      {}

func (LoadShares) effect()        {}
func (Dealt) effect()             {}
func (MarkMoved) effect()         {}
func (PublishSuccession) effect() {}
