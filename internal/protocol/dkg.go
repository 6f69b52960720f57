package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// dkgPhase is how far a node is with a batch.
type dkgPhase int

const (
	dkgIdle       dkgPhase = iota // no task: the node only reads along
	dkgDealing                    // the deal is being computed
	dkgDealt                      // the deal is out; its hash is in memory
	dkgVerifying                  // all n deals are there and are being checked
	dkgCertifying                 // stored, or about to be; the certificate follows
	dkgRebuilding                 // finished without this process's help: rebuilt from its entry
	dkgComplete                   // in the register: the keys are usable
	dkgAborted                    // given up, by this node or another
)

// dkgMoves lists the legal moves. From certifying there is no way back: a
// node that may have signed a certificate waits for the others.
var dkgMoves = map[dkgPhase][]dkgPhase{
	dkgIdle:       {dkgDealing, dkgRebuilding, dkgAborted, dkgComplete},
	dkgDealing:    {dkgDealt, dkgRebuilding, dkgAborted},
	dkgDealt:      {dkgVerifying, dkgRebuilding, dkgAborted},
	dkgVerifying:  {dkgCertifying, dkgRebuilding, dkgAborted},
	dkgCertifying: {dkgComplete, dkgAborted},
	dkgRebuilding: {dkgComplete, dkgAborted},
	dkgAborted:    {dkgRebuilding, dkgComplete},
}

// dealer makes a node's batches: it deals, checks all deals, and certifies.
type dealer struct {
	*nodeCore
	dealerLogs
	parts   map[partID]*part // of jobs that have not expired
	batches map[string]*dkg  // those that this process works on, or gave up
	known   map[wire.BatchRef]KnownBatch
	later   map[string][]uint32 // by batch: those of its later generations that are known
	held    board.Holdings      // those of known that are complete
}

// dealerLogs is what a node has read of key generations.
type dealerLogs struct {
	board    *board.Board // of the rounds
	register *board.Register
	seen     seen
	lapsed   []*dkg // those that it forgot by its clock, newest last
}

// seen is how far the streams were read.
type seen struct {
	keys   uint64    // sequence of the last message
	rounds time.Time // of the newest message
}

// dkg is one batch at one node (docs/protocol.md, section 5). What the rounds have of
// it is on the board, pinned while the batch is in work.
type dkg struct {
	node    *dealer
	id      string
	phase   dkgPhase
	header  *wire.BatchHeader // of the task; nil without one
	apart   bool              // the task has deals take their proofs apart
	job     string            // of the task, for reports
	trace   string
	started time.Time // by this node's clock; zero until that is known
	expires time.Time // of the job; zero without a task
	looked  time.Time // when its rounds were read once more
	// own is the hash of the deal that this process made. It is the proof that
	// the deal in the log is this process's, and gone after a restart.
	own [32]byte
	// certified is the transcript that this node certified, here or in an earlier
	// life: what its keystore holds of the batch.
	certified [32]byte
	said      *utterance // that the rounds do not show yet
}

// ref names the generation that a batch is made in.
func (b *dkg) ref() wire.BatchRef { return wire.BatchRef{ID: b.id} }

func (b *dkg) to(next dkgPhase) { b.phase = move(dkgMoves, b.phase, next, b.id) }

// fault is why a batch is given up; culprit is -1 if no node is to blame.
type fault struct {
	code    wire.Code
	reason  string
	culprit int
}

func (b *dkg) abort() {
	b.to(dkgAborted)
	b.said = nil
	b.node.board.Unpin(b.id)
}

// work keeps the batch in memory, with all that the log has of it.
func (b *dkg) work() *board.Batch {
	b.started = b.node.now
	b.node.batches[b.id] = b
	return b.node.board.Pin(b.id, b.node.now)
}

// current reports whether the node still works on this very batch in this phase:
// otherwise the answer of a computation is dropped.
func (b *dkg) current(phase dkgPhase) bool { return b.phase == phase && b.node.batches[b.id] == b }

func (b *dkg) forget() {
	delete(b.node.batches, b.id)
	b.node.board.Forget(b.id)
}

// giveUp publishes that this node will not certify the batch.
func (b *dkg) giveUp(f fault) []Effect {
	if b.phase == dkgAborted || b.phase == dkgComplete || b.header == nil {
		return nil
	}
	b.abort()
	c := wire.Complaint{Session: b.header.Context(b.node.cfg.Manifest), Code: f.code, Reason: wire.Clip(f.reason)}
	if f.culprit >= 0 {
		who := uint8(f.culprit)
		c.Culprit = &who
	}
	return []Effect{b.say(wire.SlotAbort, wire.Encode(&c)), b.aborted(f)}
}

// say publishes a message, and remembers it until the rounds show that it counts.
func (b *dkg) say(kind wire.SlotKind, body []byte) Publish {
	p := Publish{Slot: wire.Slot{Kind: kind, ID: b.id, Node: b.node.cfg.Index}, Body: body, Trace: b.trace}
	b.said = utter(p, b.node.now)
	return p
}

// hear takes notice of a message in one of the node's own slots.
func (b *dkg) hear(kind wire.SlotKind) {
	if b.said == nil || b.said.publish.Slot.Kind != kind {
		return
	}
	if log := b.node.board.Get(b.id); log != nil && log.Has(kind, b.node.cfg.Index) {
		b.said = nil
		return
	}
	b.said.ignored = true
}

// report is a report of this batch, with the keys in it.
func (b *dkg) report(what ReportKind) Report {
	r := Report{What: what, Kind: wire.KindKeygen, ID: b.id, Job: b.job, Trace: b.trace, Culprit: -1}
	if b.header != nil {
		r.Suite, r.Count = frost.Suite(b.header.Suite), int(b.header.K)
		r.Asked = &Asked{Digest: b.header.Digest}
	}
	return r
}

// aborted is a report of a batch that was given up.
func (b *dkg) aborted(f fault) Report {
	r := b.report(ReportAborted)
	r.Code, r.Culprit, r.Reason, r.Count = f.code, f.culprit, f.reason, 0
	return r
}
