package protocol

import (
	"cmp"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node remembers of batches that move.

// resharer deals a node's shares to the next manifest's nodes, and gets shares from those of
// the manifest before.
type resharer struct {
	*nodeCore
	dealer  *dealer
	tries   map[tryKey]*tries
	redeals redeals
	intakes intakes
}

// tryKey names a batch that moves to a manifest.
type tryKey struct {
	batch string
	to    [32]byte
}

// tries is how far the attempts at that have come.
type tries struct {
	numbers map[uint32]taken
	count   int       // how many were taken
	at      time.Time // of the last one's message
	taken   time.Time // when that was, by the node's clock
	told    int       // how many were refused in the rounds
	toldAt  time.Time // of the last such one's message
}

// taken is an attempt that has a number.
type taken struct {
	id string
	at time.Time // when that was, by the node's clock
}

// redeals are the attempts that a node deals in.
type redeals struct {
	work    map[string]*redeal // by the attempt's id
	waiting []*redeal          // oldest first
	told    [32]byte           // the manifest of the last Dealt
}

// redeal is one of them.
type redeal struct {
	*wire.Reshare
	node  *resharer
	id    string
	trace string
	since time.Time // that it waits, or is in work
}

// current reports whether this very attempt is in work.
func (d *redeal) current() bool { return d.node.redeals.work[d.id] == d }

// resharePhase is how far a new node is with one generation of a batch.
type resharePhase int

const (
	reshareIdle       resharePhase = iota // nothing was done here: an entry shows it
	reshareWaiting                        // for its turn
	reshareGathering                      // its deals and the entry of the generation before are read
	reshareVerifying                      // all of them are there and are being checked
	reshareCertifying                     // stored, or about to be; the certificate follows
	reshareRebuilding                     // finished without this process's help: rebuilt from its entry
	reshareComplete                       // in the register: the keys are usable
	reshareAborted                        // given up
)

// reshareMoves lists the legal moves. As with key generations there is no way back from
// certifying.
var reshareMoves = map[resharePhase][]resharePhase{
	reshareIdle:       {reshareWaiting, reshareRebuilding, reshareComplete, reshareAborted},
	reshareWaiting:    {reshareGathering, reshareRebuilding, reshareAborted},
	reshareGathering:  {reshareVerifying, reshareRebuilding, reshareAborted},
	reshareVerifying:  {reshareCertifying, reshareRebuilding, reshareAborted},
	reshareCertifying: {reshareComplete, reshareAborted},
	reshareRebuilding: {reshareComplete, reshareAborted},
}

// intakes are the generations of batches that a node gets.
type intakes struct {
	board   *board.Reshares // of those that are being gathered or were certified
	work    map[wire.BatchRef]*intake
	waiting []*intake // oldest first; also in work
	openers map[[32]byte]*wire.Opener
	early   earlyDeals
}

// intake is one of them.
type intake struct {
	node  *resharer
	ref   wire.BatchRef
	phase resharePhase
	*wire.Reshare
	id        string // of the attempt; "" without one
	trace     string
	since     time.Time   // that it is in its phase
	looked    time.Time   // when its rounds were read once more
	unsure    []wire.Slot // whose deal here may not be the first one
	certified [32]byte    // the transcript
}

func newResharer(core *nodeCore, d *dealer) *resharer {
	return &resharer{
		nodeCore: core, dealer: d, tries: map[tryKey]*tries{}, redeals: redeals{work: map[string]*redeal{}},
		intakes: intakes{
			board: board.NewReshares(), work: map[wire.BatchRef]*intake{}, openers: map[[32]byte]*wire.Opener{},
			early: earlyDeals{},
		},
	}
}

func (b *intake) to(next resharePhase) {
	b.phase = move(reshareMoves, b.phase, next, b.ref.ID)
	b.since = b.node.now
}

// source is the generation that the shares come from.
func (b *intake) source() wire.BatchRef { return wire.BatchRef{ID: b.ref.ID, Generation: b.From} }

// current reports whether the node still works on this very attempt in this phase.
func (b *intake) current(phase resharePhase) bool {
	return b.phase == phase && b.node.intakes.work[b.ref] == b
}

// wants reports whether an attempt in work needs the entry of a generation.
func (n *resharer) wants(ref wire.BatchRef) bool {
	for _, b := range n.intakes.work {
		if b.phase == reshareGathering && b.source() == ref {
			return true
		}
	}
	return false
}

func compareRefs(a, b wire.BatchRef) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Generation, b.Generation))
}

// sorted are the generations in work in one order, so that a simulation replays.
func (n *resharer) sorted() []*intake {
	all := make([]*intake, 0, len(n.intakes.work))
	for _, b := range n.intakes.work {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *intake) int { return compareRefs(a.ref, b.ref) })
	return all
}

// moveReport is a report of an attempt, with the keys in it.
func moveReport(what ReportKind, r *wire.Reshare) Report {
	return Report{
		What: what, ID: r.BatchID(), Suite: frost.Suite(r.Header.Suite), Count: int(r.Header.K), Culprit: -1,
	}
}

// refusedMove reports why a node has no part in an attempt.
func refusedMove(r *wire.Reshare, err error) Report {
	report := moveReport(ReportReshareRefused, r)
	report.Reason, report.Count = err.Error(), 0
	return report
}

// report is a report of this generation.
func (b *intake) report(what ReportKind) Report {
	if b.Reshare == nil {
		return Report{What: what, ID: b.ref.ID, Culprit: -1}
	}
	r := moveReport(what, b.Reshare)
	r.Trace = b.trace
	return r
}

// release lets the register forget the entry before, unless another attempt needs it.
func (b *intake) release() {
	if !b.node.wants(b.source()) {
		b.node.dealer.register.Forget(b.source())
	}
}

// drop ends the node's work at this generation without a word in the rounds.
func (b *intake) drop() {
	n := b.node
	b.to(reshareAborted)
	delete(n.intakes.work, b.ref)
	if b.Reshare != nil {
		n.intakes.board.Forget(b.id)
		b.release()
	}
}
