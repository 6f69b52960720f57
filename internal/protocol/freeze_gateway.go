package protocol

import (
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A gateway answers for what is frozen at once. Nodes refuse it whatever gateways do.

// Freezes are the freezes that this gateway knows to be in force. It remembers what CONTROL
// had since it started.
func (c *Coordinator) Freezes() []*wire.Freeze { return c.freezes.book.InForce() }

// Frozen is what is frozen now. It may be called beside Step.
func (c *Coordinator) Frozen() *wire.Frozen { return c.freezes.frozen() }

func (c *Coordinator) onControl(e ControlMessage) {
	news, effects := c.freezes.add(c.access.Load(), e.LogMessage)
	c.out.do(effects...)
	c.obey(news)
}

// recountFreezes takes a new access list.
func (c *Coordinator) recountFreezes(access, before *wire.Access) {
	news, effects := c.freezes.recount(access, before)
	c.out.do(effects...)
	c.obey(news)
}

// obey ends the jobs that are frozen now. Which may be signed all the same, as whatever
// fails.
func (c *Coordinator) obey(news wire.FreezeNews) {
	if len(news.Frozen) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) {
		j := c.jobs[key]
		if j.over() || j.answering {
			continue
		}
		if err := c.frozenJob(j); err != nil {
			c.out.fail(j, err)
		}
	}
}

// frozenJob returns why nothing is done for a job in work, nil if it is. One with a frozen
// key among others fails as a whole: its items are under way together.
func (c *Coordinator) frozenJob(j *activeJob) *wire.JobError {
	frozen := c.freezes.frozen()
	if err := frozen.Client(j.Signed.Client); err != nil || j.job == nil {
		return err
	}
	for _, key := range j.job.KeyNames() {
		id, err := wire.ParseKeyID(key)
		if err != nil {
			continue // refused as an item
		}
		if err := frozen.Key(id); err != nil {
			return err
		}
	}
	return nil
}

// frozenClient returns why nothing is begun for a job, nil if it is. Its keys are judged
// where they are looked up, one by one.
func (c *Coordinator) frozenClient(j *activeJob) *wire.JobError {
	return c.freezes.frozen().Client(j.Signed.Client)
}
