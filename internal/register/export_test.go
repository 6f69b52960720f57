package register

import "time"

// ListenFor replaces how long InUse listens, and EndAt ends a compaction at a step.
func ListenFor(d time.Duration) (back func()) {
	was := listenTime
	listenTime = d
	return func() { listenTime = was }
}

func (c *Compaction) EndAt(step func(string) error) { c.step = step }
