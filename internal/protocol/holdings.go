package protocol

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What gateways ask nodes about the register, and how they read the answers.

type (
	// AskNode asks a node of a manifest about what it holds. HeldAnswer answers it in any case.
	AskNode struct {
		Manifest *wire.Manifest
		Node     int
		Ask      wire.Ask
	}
	// HeldAnswer is what a node said, or why there is no answer. ReadHeld makes it.
	HeldAnswer struct {
		Manifest *wire.Manifest
		Node     int
		Ask      wire.Ask
		Held     *wire.Held
		Err      error
		entry    *wire.Entry // of a head, verified
	}
	// RestoreEntry stores an entry in KEYS that a node held. EntryRestored answers it.
	RestoreEntry struct {
		Holding wire.Holding
		Node    int
		Head    []byte
		Deals   [][]byte
	}
	// EntryRestored says that KEYS has acknowledged an entry, or why not.
	EntryRestored struct {
		Holding  wire.Holding
		Conflict bool // KEYS has another valid entry of the batch
		Err      error
	}
)

func (HeldAnswer) event()    {}
func (EntryRestored) event() {}
func (AskNode) effect()      {}
func (RestoreEntry) effect() {}

// Junk reports whether the node answered, and its answer is none.
func (e HeldAnswer) Junk() bool { return e.Held != nil && e.Err != nil }

var (
	errOtherAnswer = errors.New("the answer is not one to the question")
	errNotHeld     = errors.New("the node does not hold what it said it holds")
)

// ReadHeld reads an answer, and verifies a head. That takes n verifications, so the
// program does it before the machine's step.
func ReadHeld(known wire.ManifestSet, asked AskNode, held *wire.Held, err error) HeldAnswer {
	ask := asked.Ask
	e := HeldAnswer{Manifest: asked.Manifest, Node: asked.Node, Ask: ask, Held: held, Err: err}
	switch {
	case err != nil:
	case !held.Answers(&ask):
		e.Err = errOtherAnswer
	case ask.Kind == wire.AskHead && len(held.Data) == 0:
		e.Err = errNotHeld
	case ask.Kind == wire.AskHead:
		e.entry, e.Err = wire.VerifyEntry(held.Data, known)
		if e.Err == nil && (wire.NewHolding(e.entry.ID, e.entry.Transcript) != ask.Holding ||
			e.entry.Manifest != asked.Manifest.Hash()) {
			e.Err = errOtherAnswer
		}
	}
	return e
}

func (e AskNode) String() string { return fmt.Sprintf("AskNode %d for %s", e.Node, askLine(e.Ask)) }
func (e HeldAnswer) String() string {
	return fmt.Sprintf("HeldAnswer of node %d to %s: %s", e.Node, askLine(e.Ask), outcome(e.Err))
}

func (e RestoreEntry) String() string {
	return fmt.Sprintf("RestoreEntry %s of node %d: head and %d deals", e.Holding.ID(), e.Node, len(e.Deals))
}

func (e EntryRestored) String() string {
	return fmt.Sprintf("EntryRestored %s: %s", e.Holding.ID(), outcome(e.Err))
}

func askLine(a wire.Ask) string {
	switch a.Kind {
	case wire.AskDigests:
		return "digests"
	case wire.AskList:
		return fmt.Sprintf("a list behind %x", a.Holding[:4])
	case wire.AskHead:
		return "the head of " + a.Holding.ID()
	}
	return fmt.Sprintf("deal %d of %s", a.Deal, a.Holding.ID())
}
