package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a batch moves from the nodes of one manifest to those of the next (docs/protocol.md,
// section 15): what a gateway's task asks of a node, which is of either.

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
	latest uint32    // number of the last one that was taken
	count  int       // how many were
	at     time.Time // of the last one's message
	taken  time.Time // when that was, by the node's clock
}

// Bounds on attempts.
const (
	// maxTries is how many batches that move a node remembers, for as long as WORK may show
	// their tasks.
	maxTries = 1 << 17
	triesFor = 2 * (wire.LiveAge + wire.ClockSkew)
	// maxNumbers is how many generation numbers one move may use up: nobody can take them
	// all from the moves that come after it.
	maxNumbers = 1 << 10
)

func newResharer(core *nodeCore, d *dealer) *resharer {
	return &resharer{
		nodeCore: core, dealer: d, tries: map[tryKey]*tries{}, redeals: redeals{work: map[string]*redeal{}},
		intakes: intakes{
			board: board.NewReshares(), work: map[wire.BatchRef]*intake{}, openers: map[[32]byte]*wire.Opener{},
			early: earlyDeals{},
		},
	}
}

// onTask takes a task that opens an attempt.
func (n *resharer) onTask(e TaskMessage) []Effect {
	r, err := n.read(e)
	var effects []Effect
	switch {
	case err != nil:
		return []Effect{Report{What: ReportBadTask, ID: e.Subject, Reason: err.Error(), Culprit: -1}}
	case r == nil:
		return nil
	case r.Source == n.cfg.Manifest.Hash():
		effects, err = n.deal(r, e)
	default:
		effects, err = n.receive(r, e)
	}
	if err != nil {
		return []Effect{refusedMove(r, err)}
	}
	return effects
}

var errTaskSubject = errors.New("a resharing task under another one's subject, or too large")

// read opens a task, nil if it asks nothing of this node.
func (n *resharer) read(e TaskMessage) (*wire.Reshare, error) {
	own := n.cfg.Manifest.Hash()
	if len(e.Data) > inlineTask {
		return nil, errTaskSubject
	}
	body, err := n.cfg.Access.FromGateway(n.cfg.Manifest, e.Subject, e.Data)
	if err != nil {
		return nil, err
	}
	r, err := wire.DecodeReshare(body)
	switch {
	case err != nil:
		return nil, err
	case r.Manifest != own && (r.Source != own || !slices.Contains(r.Dealers, byte(n.cfg.Index))):
		return nil, nil
	case e.Subject != wire.ReshareTaskSubject(r):
		return nil, errTaskSubject
	case !wire.Live(e.Time, n.now):
		return nil, errOld
	}
	return r, nil
}

// check holds an attempt against the manifests that the program goes by.
func (n *nodeCore) check(r *wire.Reshare) (source, next *wire.Manifest, err error) {
	l := n.cfg.Lineage
	source, next = l.Manifest(r.Source), l.Manifest(r.Manifest)
	switch {
	case l.Fork() != nil:
		return nil, nil, l.Fork()
	case source == nil:
		return nil, nil, fmt.Errorf("this node does not know manifest %x, whose nodes would deal", r.Source[:8])
	case next == nil:
		return nil, nil, fmt.Errorf("too few nodes approved manifest %x, or this node has not seen it yet", r.Manifest[:8])
	}
	if err := r.Check(source, next); err != nil {
		return nil, nil, err
	}
	if r.To-r.From > maxNumbers {
		return nil, nil, fmt.Errorf("generation %d is too far above %d: a move may use up %d numbers", r.To, r.From, maxNumbers)
	}
	id := r.BatchID()
	switch {
	case n.refused[id]:
		return nil, nil, &board.ConflictError{ID: id}
	case n.moved[id]:
		return nil, nil, fmt.Errorf("batch %s is with a later manifest's nodes already", id)
	}
	return source, next, nil
}

var (
	errTaken     = errors.New("an attempt of this number, or a higher one, was opened before")
	errTooMany   = errors.New("too many batches are moving")
	errTooSoon   = errors.New("the attempts at moving this batch come too fast")
	errWaitsLong = errors.New("too many attempts wait for their turn")
)

// try counts an attempt in, or says why not. A later number ends the attempts before it, and
// of two tasks of one number the first in WORK counts. A gateway may open any number of
// attempts, and each costs a deal; honest ones pause in between, as with key generations.
func (n *resharer) try(r *wire.Reshare, e TaskMessage) error {
	key := tryKey{r.BatchID(), r.Manifest}
	t := n.tries[key]
	switch {
	case t == nil && len(n.tries) >= maxTries:
		return errTooMany
	case t == nil:
		t = &tries{}
		n.tries[key] = t
	case r.To <= t.latest:
		return errTaken
	case t.count >= freeAttempts && e.Time.Sub(t.at) < keygenPause(t.count)/2:
		return errTooSoon
	}
	t.latest, t.at, t.taken = r.To, e.Time, n.now
	t.count++
	return nil
}

// expire forgets what has outlived its use, and begins what waits.
func (n *resharer) expire() []Effect {
	for key, t := range n.tries {
		if n.now.Sub(t.taken) > triesFor {
			delete(n.tries, key)
		}
	}
	n.redeals.expire(n.now)
	return append(n.nextRedeal(), n.expireIntakes()...)
}

// onLineage takes other manifests. Where two succeed one, nothing is dealt and nothing taken.
func (n *resharer) onLineage(l *wire.Lineage) []Effect {
	n.cfg.Lineage = l
	if l.Fork() == nil {
		return nil
	}
	return n.beginAgain(fault{wire.CodeInternal, l.Fork().Error(), -1})
}

// onAccess gives up what this node has not certified if the list changes whose messages in
// the rounds count: who read a deal before that, and who reads the rounds after it, would
// certify different deals.
func (n *resharer) onAccess(access, before *wire.Access) []Effect {
	for _, o := range n.intakes.openers {
		o.SetAccess(access)
	}
	if access.SameVoices(before) {
		return nil
	}
	return n.beginAgain(fault{wire.CodeRestarted, "the access list revokes others now; the gateway begins again", -1})
}

// stop lets go of everything. What still arrives is wiped.
func (n *resharer) stop() {
	clear(n.redeals.work)
	n.redeals.waiting = nil
	clear(n.intakes.work)
	n.intakes.waiting = nil
}

// refusedMove reports why a node has no part in an attempt.
func refusedMove(r *wire.Reshare, err error) Report {
	report := moveReport(ReportReshareRefused, r)
	report.Reason, report.Count = err.Error(), 0
	return report
}
