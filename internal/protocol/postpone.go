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

// maxPostponed bounds the tasks that are kept, each of at most inlineTask bytes. A
// gateway has 4 batches in work.
const maxPostponed = 64

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

// postpone keeps a task that checkClock refused.
func (n *Node) postpone(e taskOpened) {
	if e.header == nil || len(e.message.Data) > inlineTask {
		return
	}
	if len(n.postponed) == maxPostponed {
		n.postponed = n.postponed[1:]
	}
	n.postponed = append(n.postponed, e)
}

// beginPostponed begins the tasks that the clock no longer speaks against.
func (n *Node) beginPostponed() (effects []Effect) {
	tasks := n.postponed
	n.postponed = nil
	for _, e := range tasks {
		if n.checkClock(e) == nil {
			effects = append(effects, n.onTaskOpened(e)...)
		} else {
			n.postponed = append(n.postponed, e)
		}
	}
	return effects
}
