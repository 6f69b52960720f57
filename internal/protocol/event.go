package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Event is what happens to a machine.
type Event interface{ event() }

// Effect is what a machine wants done.
type Effect interface{ effect() }

// Events of both machines.
type (
	// KeysMessage and SignMessage are messages of those streams, in their order.
	KeysMessage struct{ wire.LogMessage }
	SignMessage struct{ wire.LogMessage }
	// Tick tells the time, every second or so.
	Tick struct{ Now time.Time }
	// Timer is what After asked for.
	Timer struct {
		ID   string
		Kind TimerKind
	}
)

// Events of a Node.
type (
	// TaskMessage is a message of WORK, and the worker's own clock.
	TaskMessage struct {
		wire.LogMessage
		Now time.Time
	}
	// Loaded answers Load: one entry for each key asked for.
	Loaded struct {
		ID   string
		Keys []LoadedKey
	}
	// CertifyFailed answers Certify where the certificate could not be made.
	CertifyFailed struct {
		ID   string
		Code wire.Code
		Err  error
	}
	// SlotLost says that a slot already holds something else of this node.
	SlotLost struct{ Slot wire.Slot }

	// SignLost says that SIGN starts anew: what was read of it is gone.
	SignLost struct{}

	// The answers of computations name the very batch or session that asked,
	// not its id: a later one of the same id must not take them for its own.
	dealMade struct {
		b    *dkg
		body []byte
		err  error
	}
	dealsVerified struct {
		b     *dkg
		batch *frost.Batch
		err   error
	}
	batchRebuilt struct {
		b      *dkg
		record *BatchRecord
		err    error
	}
	commitChecked struct {
		s   *signing
		pos int
		err error
	}
	noncesMade struct {
		s      *signing
		nonces *frost.Nonces
		points []byte
		err    error
	}
	sharesMade struct {
		s      *signing
		shares []byte
		err    error
	}
)

// LoadedKey is one key from the keystore. Key is nil where the node has no
// usable key of that id (yet).
type LoadedKey struct {
	Key   *frost.Key
	Owner string
}

// TimerKind names what a timer is for.
type TimerKind int

// The timers.
const (
	timerHedge   TimerKind = iota // a signer of the second rank looks whether it is needed
	timerLoad                     // keys were missing: look again
	timerCommits                  // gateway: the signing set should stand
	timerShares                   // gateway: the shares should be there
	timerBatch                    // gateway: the batch should be done
	timerRetry                    // gateway: time for the next attempt
)

// Effects of both machines.
type (
	// Compute asks for Run to be called, on any goroutine, and for its event to
	// be given back. Run has no I/O. Urgent work goes before bulk. Rebuild marks
	// what holds a whole batch in memory and comes as fast as the log is read: it
	// is asked for by log messages alone, and whoever brings these should wait
	// while too many rebuilds are under way.
	Compute struct {
		Urgent  bool
		Rebuild bool
		Run     func() Event
		// Name and Trace are for those who trace: what is computed, for which job.
		Name, Trace string
	}
	// After asks for a Timer after a delay.
	After struct {
		Delay time.Duration
		Timer Timer
	}
	// Report is for logs and metrics; it changes nothing.
	Report struct {
		What    ReportKind
		Kind    wire.Kind
		ID      string // batch, session or job
		Job     string // client and id of the job, where it is known
		Trace   string // the job's traceparent, "" if it has none
		Suite   frost.Suite
		Count   int // keys or signatures
		Code    wire.Code
		Reason  string
		Culprit int // node, or -1
	}
)

// ReportKind says what a Report is about.
type ReportKind string

// The reports.
const (
	ReportDealt     ReportKind = "dealt"
	ReportCertified ReportKind = "certified"
	ReportComplete  ReportKind = "complete"
	ReportRecovered ReportKind = "recovered"
	ReportAborted   ReportKind = "aborted"
	ReportCommitted ReportKind = "committed"
	ReportShared    ReportKind = "shared"
	ReportSatOut    ReportKind = "sat_out"
	ReportRefused   ReportKind = "refused"
	ReportRetry     ReportKind = "retry"
	ReportBadTask   ReportKind = "bad_task"
)

// ReportKinds are all reports.
var ReportKinds = []ReportKind{ReportDealt, ReportCertified, ReportComplete, ReportRecovered, ReportAborted,
	ReportCommitted, ReportShared, ReportSatOut, ReportRefused, ReportRetry, ReportBadTask}

// Effects of a Node.
type (
	// Publish fills a slot. Where Leaf is set, the HSM attests it first and
	// With makes the body; otherwise Body is the body.
	Publish struct {
		Slot wire.Slot
		Body []byte
		Leaf *[32]byte
		With func(*wire.Attestation) []byte
		// Trace is the job's traceparent.
		Trace string
	}
	// Certify stores the record durably, then has the HSM sign Leaf, then
	// fills the slot, in this order. A failure gives CertifyFailed.
	Certify struct {
		Record  *BatchRecord
		Publish Publish
	}
	// Complete marks a certified batch usable: all n certificates are there.
	Complete struct {
		ID           string
		Certificates [][]byte
	}
	// StoreRecovered stores a batch that was rebuilt from the log, usable.
	StoreRecovered struct {
		Record       *BatchRecord
		Certificates [][]byte
	}
	// Load asks the keystore for keys.
	Load struct {
		ID   string
		Keys []wire.KeyID
	}
	// Refetch asks for all messages of a batch again, as KeysMessages: the log
	// says that it is done and this node no longer has its deals.
	Refetch struct{ ID string }
)

// BatchRecord is what a node keeps of a batch.
type BatchRecord struct {
	ID         string
	Header     wire.BatchHeader
	Context    [32]byte
	Transcript [32]byte
	Deals      [][]byte // raw, in index order: the node's copy of the log
	Batch      *frost.Batch
}

func (KeysMessage) event()   {}
func (SignMessage) event()   {}
func (Tick) event()          {}
func (Timer) event()         {}
func (TaskMessage) event()   {}
func (Loaded) event()        {}
func (CertifyFailed) event() {}
func (SlotLost) event()      {}
func (SignLost) event()      {}
func (dealMade) event()      {}
func (dealsVerified) event() {}
func (batchRebuilt) event()  {}
func (commitChecked) event() {}
func (noncesMade) event()    {}
func (sharesMade) event()    {}

func (Compute) effect()        {}
func (After) effect()          {}
func (Report) effect()         {}
func (Publish) effect()        {}
func (Certify) effect()        {}
func (Complete) effect()       {}
func (StoreRecovered) effect() {}
func (Load) effect()           {}
func (Refetch) effect()        {}
