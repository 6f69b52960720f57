package protocol

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Which attempts at moving a batch a node has a part in.

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
	errTaken     = errors.New("an attempt of this number was opened before")
	errTooMany   = errors.New("too many batches are moving")
	errTooSoon   = errors.New("the attempts at moving this batch come too fast")
	errWaitsLong = errors.New("too many attempts wait for their turn")
)

// try counts an attempt in, or says why not. A later one ends those before it, and of two tasks
// of one number the first in WORK counts. It need not be a higher number: who takes a high one,
// which a new node can't tell from others, would stop the batch. A gateway may open any number of
// attempts, and each costs a deal; honest ones pause in between, as with key generations.
func (n *resharer) try(r *wire.Reshare, e TaskMessage) error {
	t, err := n.triesOf(r)
	switch {
	case err != nil:
		return err
	case t.numbers[r.To] != taken{}:
		return errTaken
	case t.count >= freeAttempts && e.Time.Sub(t.at) < keygenPause(t.count)/2:
		return errTooSoon
	}
	t.numbers[r.To], t.at, t.taken = taken{r.ID(), n.now}, e.Time, n.now
	t.count++
	return nil
}

// triesOf are those of the move that an attempt is of.
func (n *resharer) triesOf(r *wire.Reshare) (*tries, error) {
	key := tryKey{r.BatchID(), r.Manifest}
	t := n.tries[key]
	switch {
	case t == nil && len(n.tries) >= maxTries:
		return nil, errTooMany
	case t == nil:
		t = &tries{numbers: map[uint32]taken{}, taken: n.now}
		n.tries[key] = t
	}
	return t, nil
}

// decline says in the rounds that this new node certifies an attempt never, as it took another one
// under that number. Else gateways would wait for it for as long as WORK has the task: of two
// tasks of one number, by a gateway that lies, nodes may have taken the one that can't succeed, and
// only nodes know which they took. Whoever has one task refused after the other is answered with
// the pace of attempts.
func (n *resharer) decline(r *wire.Reshare, e TaskMessage) []Effect {
	t, err := n.triesOf(r)
	if err != nil || t.told >= freeAttempts && e.Time.Sub(t.toldAt) < keygenPause(t.told)/2 {
		return nil
	}
	t.told, t.toldAt, t.taken = t.told+1, e.Time, n.now
	c := wire.Complaint{Session: r.Context(), Code: wire.CodeAttemptTaken, Reason: errTaken.Error()}
	slot := wire.Slot{Kind: wire.SlotReshareAbort, ID: r.ID(), Node: n.cfg.Index}
	return []Effect{Publish{Slot: slot, Body: wire.Encode(&c), Trace: e.LogMessage.Trace}}
}

// holdsOther reports whether another attempt than this one has its number at this node.
func (n *resharer) holdsOther(r *wire.Reshare, work *intake) bool {
	if work != nil && work.phase >= reshareCertifying {
		return work.id != r.ID()
	}
	t := n.tries[tryKey{r.BatchID(), r.Manifest}]
	return t != nil && t.numbers[r.To] != taken{} && t.numbers[r.To].id != r.ID()
}

// mayDeal returns why this node must not deal in an attempt, nil if it may. It is asked
// before each step: until the deal is out, an operator may take the approval back.
func (n *resharer) mayDeal(r *wire.Reshare) error {
	switch {
	case n.cfg.Successor == [32]byte{}:
		return fmt.Errorf("this node's operator has approved no next manifest, and the task moves keys to %x", r.Manifest[:8])
	case n.cfg.Successor != r.Manifest:
		return fmt.Errorf("this node's operator approved manifest %x, and the task moves keys to %x",
			n.cfg.Successor[:8], r.Manifest[:8])
	}
	if _, _, err := n.check(r); err != nil {
		return err
	}
	ref := wire.BatchRef{ID: r.BatchID(), Generation: r.From}
	known, ok := n.dealer.known[ref]
	switch {
	case !ok || !known.Complete:
		return fmt.Errorf("this node has no finished batch %s", refLine(ref))
	case known.Transcript != r.Base || known.MadeBy != r.Made:
		return fmt.Errorf("this node has another batch %s than the task names", refLine(ref))
	}
	if highest, _ := n.dealer.completed(ref.ID); highest > r.From {
		return fmt.Errorf("this node has generation %d of batch %s, and deals no share of %d", highest, ref.ID, r.From)
	}
	return nil
}

// mayReceive returns why this node takes no part in an attempt, nil if it does.
func (n *resharer) mayReceive(r *wire.Reshare) error {
	source, next, err := n.check(r)
	if err != nil {
		return err
	}
	if node := n.cfg.Access.RevokedNode(next); node >= 0 {
		return errRevokedNode(node)
	}
	for _, d := range r.Dealers {
		if n.cfg.Access.RevokesNode(source, int(d)) {
			return fmt.Errorf("node %d, which would deal, is revoked in the access list", d)
		}
	}
	if has, ok := n.dealer.completed(r.BatchID()); ok {
		return fmt.Errorf("this node has generation %d of batch %s already", has, r.BatchID())
	}
	return nil
}
