package protocol

import (
	"errors"
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a batch moves from the nodes of one manifest to those of the next (docs/protocol.md,
// section 15): what a gateway's task asks of a node, which is of either.

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
		effects = append(effects, refusedMove(r, err))
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

// expire forgets what has outlived its use, and begins what waits.
func (n *resharer) expire() []Effect {
	for key, t := range n.tries {
		if n.now.Sub(t.taken) > triesFor {
			delete(n.tries, key)
		}
		maps.DeleteFunc(t.numbers, func(_ uint32, one taken) bool { return n.now.Sub(one.at) > triesFor })
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
	if access.TakesAway(before) { // who used up the numbers of attempts may be gone
		clear(n.tries)
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
