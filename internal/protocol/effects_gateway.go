package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Effects of a Coordinator.
type (
	// PublishTask puts a task into WORK, unless its subject already has one.
	PublishTask struct {
		Subject string
		Body    []byte
		Trace   string // the job's traceparent
	}
	// WriteEntry stores the entry of a generation of a batch in KEYS: the head and then the deals, each
	// under its own subject unless the same value stands there. EntryWritten answers it
	// once KEYS has acknowledged all of it.
	WriteEntry struct {
		ID         string
		Generation uint32
		Head       []byte
		Deals      [][]byte
		Job        string // client and id, "" if another gateway works on it, or if keys move
		Trace      string // the job's traceparent
	}
	// Finish stores a job's result (the first one stored wins), with a dead
	// letter if it failed, and then acknowledges the delivery. Finished answers it,
	// whatever came of it, if it has a flight.
	Finish struct {
		Token  uint64
		Job    wire.SignedJob
		Result *wire.Result
		Flight uint64 // 0: the job was in no flight
		Nodes  []int  // whose shares are in its signatures, in their order
	}
	// Reject answers a job that must not touch the place of a stored result: a
	// dead letter, an answer that is not stored, and an acknowledgement.
	Reject struct {
		Token  uint64
		Job    wire.SignedJob
		Result *wire.Result
	}
	// Replay announces the stored result again and acknowledges the delivery.
	Replay struct {
		Token       uint64
		Client, Job string
	}
	// Supersede says that a job in work was delivered again under a new token.
	Supersede struct{ Old, New uint64 }
	// Round says how long after its job was stored a round of it was through, by
	// the log's own clock. It is for metrics and changes nothing.
	Round struct {
		Round       RoundKind
		Kind        wire.Kind
		Suite       frost.Suite
		Interactive bool   // few items
		Trace       string // the job's traceparent
		ID          string // batch or session
		From, To    time.Time
	}
)

// RoundKind names a round that a gateway saw end.
type RoundKind string

// The rounds: all n deals and all n certificates of a batch; a session's signing
// set, and all its shares.
const (
	RoundDeals        RoundKind = "deals"
	RoundCertificates RoundKind = "certificates"
	RoundCommitments  RoundKind = "commitments"
	RoundShares       RoundKind = "shares"
)

// Rounds are all of them, in their order.
var Rounds = []RoundKind{RoundDeals, RoundCertificates, RoundCommitments, RoundShares}

// JobEnd is how a job ended. Took is from its storing in JOBS to that of its
// result.
type JobEnd struct {
	Kind        wire.Kind
	Code        wire.Code // "" if it was done
	Reason      string    // why it was not, for people
	Interactive bool      // few items
	Items       int       // keys or signatures in the result
	Trace       string
	Took        time.Duration
}

// EntryWritten answers WriteEntry. Err is why the entry was not written, and can't be.
type EntryWritten struct {
	ID, Job, Trace string // of the effect
	Generation     uint32
	Err            error
}

// Finished answers Finish. Took is how long that took.
type Finished struct {
	Flight uint64
	Took   time.Duration
}

func (EntryWritten) event() {}
func (Finished) event()     {}

func (PublishTask) effect() {}
func (WriteEntry) effect()  {}
func (Finish) effect()      {}
func (Reject) effect()      {}
func (Replay) effect()      {}
func (Supersede) effect()   {}
func (Round) effect()       {}
