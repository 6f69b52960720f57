package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Events of a Node.
type (
	// Recertify is a batch that this node stored and certified, in an earlier life or
	// a while ago, and did not see in the register.
	Recertify struct {
		Batch      wire.BatchRef
		Context    [32]byte // as in BatchRecord
		Transcript [32]byte
		MadeBy     [32]byte
		Root       [32]byte // wire.KeyRoot
		Deal       []byte   // the node's own; nil: of a later generation, whose dealers are other nodes
	}
	// Loaded answers Load: one entry for each key asked for.
	Loaded struct {
		ID   string
		Keys []LoadedKey
	}
	// CertifyFailed answers Certify where the certificate could not be made.
	CertifyFailed struct {
		Batch wire.BatchRef
		Code  wire.Code
		Err   error
	}
	// Sealed is how a message of this node's own goes to the log. It comes before
	// the message is published.
	Sealed struct {
		Slot wire.Slot
		Data []byte
	}
	// SlotLost is a slot that already holds something else of this node.
	SlotLost struct{ Slot wire.Slot }
	// SignLost is SIGN starting anew: what was read of it is gone.
	SignLost struct{}
	// StandbyDelayChanged replaces the delay that the machine was started with.
	StandbyDelayChanged struct{ Delay time.Duration }
	// ClockMeasured says that the clock of the server that leads WORK showed Stream when
	// the program's own showed At.
	ClockMeasured struct{ At, Stream time.Time }
	// Stop is the end, once all computations are over: every secret is wiped, and no
	// later event has an effect.
	Stop struct{}
)

// LoadedKey is one key from the keystore. Key is nil where the node has no
// usable key of that id (yet).
type LoadedKey struct {
	Key   *frost.Key
	Owner string
	// MadeBy is the transcript of generation 0, whatever generation the share is of. The
	// chain code follows from it, which only a child needs.
	MadeBy [32]byte
	// Public: of Key there are the suite and the public key, and nothing else, as in the
	// register. The keystore gives such a key only where it is asked for it.
	Public bool
}

// answer is what comes of a computation. It names the very batch or session that asked, not its id: a later one of the
// same id must not take it for its own.
type answer interface {
	Event
	resume() []Effect
}

// Effects of a Node.
type (
	// Publish fills a slot. Where Leaf is set, the HSM signs it first and With makes
	// the body; otherwise Body is the body.
	Publish struct {
		Slot  wire.Slot
		Body  []byte
		Leaf  *[32]byte
		With  func(*wire.Attestation) []byte
		Trace string // the job's traceparent
		// Expires is when the message must not leave the node any more, by its own
		// clock; zero: whenever it can.
		Expires time.Time
		// Access is the list by which the message may leave. Once that takes something
		// away it must not; nil: whenever it can.
		Access *wire.Access
		// Policy is the hash of the one by which a nonce or a share may leave. Once another one
		// is in force it must not; zero: there is none, or it is nothing of that kind.
		Policy [32]byte

		work sessionWork // that a nonce or a share is for: FrozenBy
	}
	// Certify stores the record durably, then has the HSM sign Leaf, then
	// fills the slot, in this order. A failure is answered by CertifyFailed.
	Certify struct {
		Record  *BatchRecord
		Publish Publish
	}
	// Complete marks a certified batch usable: its entry is in the register.
	Complete struct {
		Batch        wire.BatchRef
		Certificates [][]byte
	}
	// StoreRecovered stores a batch that was rebuilt from its entry, usable.
	StoreRecovered struct {
		Record       *BatchRecord
		Certificates [][]byte
	}
	// RefuseBatch has the keystore remember that a batch has two valid entries.
	RefuseBatch struct{ ID string }
	// Load asks the keystore for keys, each of the highest generation that is complete. With
	// one that is, no share of an earlier generation may be given any more.
	Load struct {
		ID     string
		Keys   []wire.KeyID
		Public bool // for what others sign: no share is to be given (LoadedKey.Public)
	}
)

// FreezesChanged asks a node's program to keep Node.KeptFreezes, and to stop what it is
// publishing for whom Node.Frozen says.
type FreezesChanged struct{}

func (FreezesChanged) effect() {}

// FrozenBy returns why a message must not leave any more, nil if it may: it is a nonce
// or a share for whom is frozen.
func (p Publish) FrozenBy(frozen *wire.Frozen) *wire.JobError {
	if p.work.client == "" {
		return nil
	}
	return frozen.Work(p.work.client, p.work.keys)
}

func (Recertify) event()           {}
func (Loaded) event()              {}
func (CertifyFailed) event()       {}
func (Sealed) event()              {}
func (SlotLost) event()            {}
func (SignLost) event()            {}
func (StandbyDelayChanged) event() {}
func (ClockMeasured) event()       {}
func (Stop) event()                {}

func (Publish) effect()        {}
func (Certify) effect()        {}
func (Complete) effect()       {}
func (StoreRecovered) effect() {}
func (RefuseBatch) effect()    {}
func (Load) effect()           {}
