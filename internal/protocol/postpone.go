package protocol

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A key generation takes all nodes. One whose clock is wrong refuses its task, which
// nobody sends again while WORK has it: all others would wait for that node until long
// after its clock is right again. So the node keeps what its clock alone speaks against,
// and begins it when it does not any more. Signing needs none of this: other nodes sign.

var errOld = errors.New("the bus says that it stored the task at a time far from this node's clock")

// postponed are the tasks that a node keeps, oldest first.
type postponed []taskOpened

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
	*p = keep(*p, e)
}

// take removes the tasks that the clock no longer speaks against.
func (p *postponed) take(check func(taskOpened) error) (tasks []taskOpened) {
	kept := (*p)[:0]
	for _, e := range *p {
		if check(e) == nil {
			tasks = append(tasks, e)
		} else {
			kept = append(kept, e)
		}
	}
	clear((*p)[len(kept):])
	*p = kept
	return tasks
}
