package protocol

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// NodeConfig is what a worker's machine starts with. The machine wipes Host and
// SeedSecret when it is stopped.
type NodeConfig struct {
	Manifest *wire.Manifest
	// Lineage are the manifests that the program goes by; nil: Manifest alone.
	// LineageChanged replaces it.
	Lineage *wire.Lineage
	// Successor is the hash of the manifest that the node's operator approved to follow
	// Manifest; zero: none. SuccessorChanged replaces it.
	Successor  [32]byte
	Access     *wire.Access
	Index      int
	Host       *secret.Bytes // X25519 private key, Derive("host", ...)
	SeedSecret *secret.Bytes // mixed into every deal's seed
	Rand       io.Reader     // crypto/rand
	Each       Each          // divides computations of many items among cores; nil: none is divided
	// StandbyDelay is how long a signer of the second rank waits before it offers
	// itself. StandbyDelayChanged replaces it.
	StandbyDelay time.Duration
	// Known are the batches in the keystore.
	Known map[wire.BatchRef]KnownBatch
	// Refused are the batches that RefuseBatch noted.
	Refused []string
	// Policy is what the node signs, with the Ledger of what it has let through; nil: whatever
	// clients ask for. The state in which the ledger begins is on the disk. Once the machine is
	// stopped the ledger is the program's again.
	Policy *policy.Policy
	Ledger *policy.Ledger
	// Freezes are those that KeptFreezes kept; nil: none. The machine takes the book.
	Freezes *wire.FreezeBook
	Oracle  Oracle // nil: none
}

// KnownBatch is what the keystore holds of one generation of a batch.
type KnownBatch struct {
	Transcript [32]byte
	MadeBy     [32]byte // transcript of generation 0, from which chain codes follow
	Complete   bool
	Moved      bool // MarkMoved noted it, of the batch
}

// BatchRecord is what a node keeps of one generation of a batch.
type BatchRecord struct {
	ID         string
	Generation uint32
	Header     wire.BatchHeader
	Context    [32]byte // that certificates have: of the batch, or of the resharing
	Transcript [32]byte
	MadeBy     [32]byte      // as in KnownBatch
	Root       [32]byte      // wire.KeyRoot
	Deals      [][]byte      // raw, in index order, or in that of the dealers: the node's copy of the log
	Reshare    *wire.Reshare // that a later generation came of; nil: generation 0
	Batch      *frost.Batch
}

// Ref names the record's generation of its batch.
func (r *BatchRecord) Ref() wire.BatchRef { return wire.BatchRef{ID: r.ID, Generation: r.Generation} }

func newRecord(
	m *wire.Manifest, header *wire.BatchHeader, deals [][]byte, transcript [32]byte, batch *frost.Batch,
) *BatchRecord {
	ctx := header.Context(m)
	return &BatchRecord{
		ID: wire.ShortID(ctx), Header: *header, Context: ctx, Transcript: transcript, MadeBy: transcript,
		Root: wire.KeyRoot(wire.EntryKeys(batch.PublicKeys, header.Client, transcript)), Deals: deals, Batch: batch,
	}
}

// wipe wipes the shares of a record, if there is one.
func (r *BatchRecord) wipe() {
	if r != nil {
		r.Batch.Shares.Wipe()
	}
}

// nodeCore is what all parts of a Node share.
type nodeCore struct {
	authority
	cfg     NodeConfig
	now     time.Time
	stream  streamClock     // of WORK
	refused map[string]bool // batches with two valid entries: nobody knows which keys they are
	moved   map[string]bool // batches of this manifest's nodes that a later one's have
	heads   *publicHeads    // of batches whose keys are not here
}

func (n *nodeCore) setTime(now time.Time) {
	n.now = now
	n.opener.SetTime(now)
}

// move returns the phase that a batch or a session goes to, if its table has the move.
func move[P ~int](moves map[P][]P, from, to P, id string) P {
	if !slices.Contains(moves[from], to) {
		panic(fmt.Sprintf("%s: no move from phase %d to %d", id, from, to))
	}
	return to
}
