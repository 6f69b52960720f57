package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Event is what happens to a machine. It prints as one line without secrets.
type Event interface {
	event()
	String() string
}

// Effect is what a machine wants done. It prints as one line without secrets.
type Effect interface {
	effect()
	String() string
}

// Events of both machines.
type (
	// RoundsMessage, KeysMessage and SignMessage are messages of those streams, in
	// their order. Each node has rounds of its own; between two there is no order. Now
	// is the program's own clock.
	RoundsMessage struct{ wire.LogMessage }
	KeysMessage   struct{ readMessage } // ReadKeys makes it
	SignMessage   struct {
		wire.LogMessage
		Now time.Time
	}
	// PresenceMessage is a message of PRESENCE, and the program's own clock.
	PresenceMessage struct {
		wire.LogMessage
		Now time.Time
	}
	// RoundsAgain and KeysAgain are messages that Refetch asked for. What a batch
	// lacks in the rounds after it is not asked for again: it is not there, or there is
	// no room for it.
	RoundsAgain struct{ wire.LogMessage }
	KeysAgain   struct{ readMessage } // ReadKeysAgain makes it
	// TaskMessage is a message of WORK, and the program's own clock.
	TaskMessage struct {
		wire.LogMessage
		Now time.Time
	}
	// RoundsLost is some node's rounds starting anew: what was read of them is gone, and
	// sequences begin again.
	RoundsLost struct{}
	// Tick is the program's clock, every second or so, and before a stream is read.
	Tick struct{ Now time.Time }
	// AccessChanged replaces the access list. What it takes away from somebody ends
	// at once.
	AccessChanged struct{ Access *wire.Access }
	// Timer is what After asked for.
	Timer struct {
		ID   string
		Kind TimerKind
	}
)

// readMessage is a message of KEYS and what it proves.
type readMessage struct {
	wire.LogMessage
	read board.Message
}

// Head is the entry that the message proves; nil if it is none's head.
func (m readMessage) Head() *wire.Entry { return m.read.Head() }

// ReadKeys reads a message of KEYS. That takes time in proportion to a fleet's nodes
// and a batch's keys, so the program does it before the machine's step.
func ReadKeys(known wire.ManifestSet, msg wire.LogMessage) KeysMessage {
	return ReadKeysBeside(known, msg, Held{})
}

// Held is a deal that a machine has, as entries have it.
type Held = board.Kept

// ReadKeysBeside is ReadKeys where the machine may have the deal of the message already, as
// Node.Held says.
func ReadKeysBeside(known wire.ManifestSet, msg wire.LogMessage, held Held) KeysMessage {
	return KeysMessage{readMessage{msg, board.Read(known, msg, held)}}
}

// ReadKeysAgain is ReadKeys for what Refetch asked for.
func ReadKeysAgain(known wire.ManifestSet, msg wire.LogMessage) KeysAgain {
	return KeysAgain{readMessage{msg, board.Read(known, msg, Held{})}}
}

// TimerKind names what a timer is for.
type TimerKind int

// The timers.
const (
	timerStandby  TimerKind = iota // a signer of the second rank looks whether it is needed
	timerLoad                      // keys were missing: look again
	timerLate                      // gateway: the attempt should be answered
	timerOver                      // gateway: the attempt is over
	timerBatch                     // gateway: the batch should be finished
	timerRetry                     // gateway: time for the next attempt
	timerRegister                  // gateway: the batch's own gateway should have registered it
	timerRest                      // gateway: a flight that rests has done so
)

// Effects of both machines.
type (
	// Compute asks for Run to be called, on any goroutine, and for its event to
	// be given back. Run has no I/O. Urgent work goes before bulk. Rebuild marks
	// what holds a whole batch in memory and comes as fast as the log is read: it
	// is asked for by log messages alone, and the program should read on only
	// while few rebuilds are under way.
	Compute struct {
		Urgent  bool
		Rebuild bool
		Run     func() Event
		// Until is when nobody waits for it any more, by the program's clock: Late is
		// called then in Run's place. Zero: there is no such time.
		Until time.Time
		Late  func() Event
		// Client is whose work it is. Where work waits for long, the newest of a client
		// goes before its older ones.
		Client string
		// Name and Trace are for those who trace: what is computed, for which job.
		Name, Trace string
	}
	// After asks for a Timer after a delay.
	After struct {
		Delay time.Duration
		Timer Timer
	}
	// Refetch asks for all messages of a batch again: of the rounds, as RoundsAgain,
	// where they show that it is finished and this machine does not have its deals (any
	// more); or of the register, as KeysAgain, where an entry lacks deals; or of the rounds
	// of an attempt at resharing, as RoundsAgain. ID may be the hash of a manifest, in
	// hexadecimal, which comes as ManifestSeen.
	Refetch struct {
		ID       string
		Register bool
		Reshare  bool
		Heads    bool // of an entry, the heads alone
		Manifest bool
		Control  bool // all that CONTROL has, as ControlMessage, in place of a batch
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
		// Asked is what the job asks for, and Nodes are who signs it, in their order: for the
		// audit log. Nil where that is not known.
		Asked *Asked
		Nodes []int
	}
)

// Asked is what a job asks for, and what this node decided about it. It does not change
// once a report has it.
type Asked struct {
	Digest    [32]byte // of the job
	Form      string   // of a sign job: a kind of internal/tx/intent; "": items that are signed as they are
	Decision  Decision // "": no policy was asked
	Rule      string   // of the policy, by which it decided; "": none did
	Approvers []string // whose approvals count
	Outflow   []Outflow
}

// Outflow is what a job takes from its client at most, in the smallest units of an asset:
// "btc", "sol", or "spl:" and the mint.
type Outflow struct {
	Asset string
	Units uint64
}

// Decision is what a policy says of a job.
type Decision string

// The decisions.
const (
	Approved      Decision = "approved"
	Denied        Decision = "denied"
	NeedsApproval Decision = "needs_approval"
)

// ReportKind names what a Report is about.
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

	ReportRegistered ReportKind = "registered"     // this gateway stored the batch's entry in KEYS
	ReportBadEntry   ReportKind = "bad_entry"      // a message of KEYS was dropped
	ReportConflict   ReportKind = "entry_conflict" // a batch has two valid entries: its keys are refused

	ReportIncomplete ReportKind = "register_incomplete" // KEYS lacks batches that nodes say they hold
	ReportWhole      ReportKind = "register_complete"   // it has all again that present nodes hold
	ReportRestored   ReportKind = "restored"            // this gateway put a node's copy of an entry into KEYS
	ReportUnproven   ReportKind = "unproven"            // a node did not prove what it says it holds

	ReportDropped ReportKind = "dropped" // a node did not do or publish what nobody waits for any more

	ReportAbsent ReportKind = "absent" // a node is not heard any more
	ReportTwin   ReportKind = "twin"   // a process ended since another one runs as its node

	ReportFrozen     ReportKind = "frozen"      // a freeze came into force
	ReportUnfrozen   ReportKind = "unfrozen"    // a quorum lifted one
	ReportBadControl ReportKind = "bad_control" // a message of CONTROL was dropped

	ReportRedealt          ReportKind = "redealt"           // this node dealt its shares of a batch to the next manifest's nodes
	ReportReshareCertified ReportKind = "reshare_certified" // it got shares of a batch from the nodes before, and certified it
	ReportReshareComplete  ReportKind = "reshare_complete"  // a batch that it got is in the register
	ReportReshareRefused   ReportKind = "reshare_refused"   // it deals none, or takes none, and why
	ReportReshareAbandoned ReportKind = "reshare_abandoned" // an attempt at moving a batch was given up
	ReportMoved            ReportKind = "moved"             // a batch is with the next manifest's nodes

	ReportBlamed   ReportKind = "blamed"   // a node's own signed message of a signing session proves it faulty
	ReportUnserved ReportKind = "unserved" // a job of 10 seconds or more expired before anybody began it
	ReportStray    ReportKind = "stray"    // a job was delivered to something that is no gateway, again and again

	ReportReshared ReportKind = "reshared"      // this gateway stored a later generation of a batch in KEYS
	ReportFork     ReportKind = "manifest_fork" // two manifests succeed one: the fleet stands still
)

// Codes of ReportBlamed. A dealer's are those of frost.BlameError, a false certificate's is
// wire.CodeFalseCertificate: ReportAborted has them.
const (
	BlameCommitment wire.Code = "commitment_malformed"
	BlameShareForm  wire.Code = "share_malformed"
	BlameShare      wire.Code = "share_wrong"
)

// ReportKinds are all reports.
var ReportKinds = []ReportKind{ReportDealt, ReportCertified, ReportComplete, ReportRecovered, ReportAborted,
	ReportCommitted, ReportShared, ReportSatOut, ReportRefused, ReportRetry, ReportBadTask, ReportRegistered,
	ReportBadEntry, ReportConflict, ReportIncomplete, ReportWhole, ReportRestored, ReportUnproven, ReportDropped,
	ReportAbsent, ReportTwin, ReportBlamed, ReportUnserved, ReportStray,
	ReportFrozen, ReportUnfrozen, ReportBadControl, ReportRedealt, ReportReshareCertified, ReportReshareComplete,
	ReportReshareRefused, ReportReshareAbandoned, ReportMoved, ReportReshared, ReportFork}

// ControlMessage is a message of CONTROL. It may come again.
type ControlMessage struct{ wire.LogMessage }

func (ControlMessage) event() {}

func (RoundsMessage) event() {}
func (RoundsAgain) event()   {}
func (KeysMessage) event()   {}
func (KeysAgain) event()     {}
func (SignMessage) event()   {}
func (TaskMessage) event()   {}
func (RoundsLost) event()    {}
func (Tick) event()          {}
func (Timer) event()         {}

func (PresenceMessage) event() {}

func (AccessChanged) event() {}

func (Compute) effect() {}
func (After) effect()   {}
func (Refetch) effect() {}
func (Report) effect()  {}
