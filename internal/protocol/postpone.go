package protocol

import (
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A key generation takes all nodes. One whose clock is wrong refuses its task, which
// nobody sends again while WORK has it: all others would wait for that node until long
// after its clock is right again. So the node keeps what its clock alone speaks against,
// and begins it when it does not any more. Signing needs none of this: other nodes sign.

var errOld = errors.New("the bus says that it stored the task at a time far from this node's clock")

// postponed are the key generations that a node's clock alone speaks against, oldest
// first.
type postponed struct {
	tasks   []taskOpened // refused
	batches []*dkg       // forgotten while in work
}

// maxPostponed bounds either, each task of at most inlineTask bytes. A gateway has 4 batches in
// work.
const maxPostponed = 64

// inlineTask is the size, in bytes, up to which a task is opened on the spot: a
// detour over the pool would cost more. A larger one may list a thousand items.
const inlineTask = 8 << 10

// checkClock refuses what is over, or old, by the node's clock.
func (n *nodeCore) checkClock(e taskOpened) error {
	if err := n.checkExpiry(e.job); err != nil {
		return err
	}
	if !wire.Live(e.message.Time, n.now) {
		return errOld
	}
	return nil
}

// add keeps a task that checkClock refused.
func (p *postponed) add(e taskOpened) {
	if e.header == nil || len(e.message.Data) > inlineTask {
		return
	}
	p.tasks = keep(p.tasks, e)
}

// keep appends, and drops the oldest where there are too many.
func keep[T any](all []T, one T) []T {
	if len(all) == maxPostponed {
		all = all[1:]
	}
	return append(all, one)
}

// take removes the tasks that the clock no longer speaks against.
func (p *postponed) take(check func(taskOpened) error) (tasks []taskOpened) {
	kept := p.tasks[:0]
	for _, e := range p.tasks {
		if check(e) == nil {
			tasks = append(tasks, e)
		} else {
			kept = append(kept, e)
		}
	}
	clear(p.tasks[len(kept):])
	p.tasks = kept
	return tasks
}

// The other way round, a clock that jumps ahead ends batches that all others go on with.
// Once it is right again the node gives these up aloud, and the gateway begins again.

// over reports whether a batch's job has expired by a clock.
func (b *dkg) over(now time.Time) bool {
	return !b.expires.IsZero() && now.After(b.expires.Add(wire.ClockSkew))
}

// lapse forgets a batch whose job is over by this node's clock, but for what it takes to
// give it up.
func (b *dkg) lapse() {
	b.forget()
	b.said = nil
	b.node.postponed.batches = keep(b.node.postponed.batches, b)
}

// resume gives up what lapsed and is not over.
func (n *dealer) resume() (effects []Effect) {
	lapsed := n.postponed.batches
	n.postponed.batches = nil
	for _, b := range lapsed {
		_, known := n.known[b.id]
		switch {
		case b.over(n.now):
			n.postponed.batches = append(n.postponed.batches, b)
		case !known && n.batches[b.id] == nil:
			n.batches[b.id] = b
			effects = append(effects, b.giveUp(fault{wire.CodeRestarted,
				"this node's clock said that the job was over, and was set back", -1})...)
		}
	}
	return effects
}
