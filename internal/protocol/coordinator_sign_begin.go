package protocol

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a sign job begins at a gateway: its keys are found, and if it is bulk it
// gets a place.

// startSign checks the job's items against the directory and opens the first
// attempt.
func (c *Coordinator) startSign(r *run) []Effect {
	r.sign = &signRun{bad: map[int]string{}, missing: map[int]bool{}, late: map[int]int{}, sigs: make([][]byte, len(r.job.Items))}
	for i := range r.job.Items {
		r.sign.left = append(r.sign.left, uint32(i))
	}
	if seen, ok := c.tasks[r.key()]; ok {
		r.sign.next = int(seen.attempt) + 1
	}
	c.jobs[r.key()] = r
	return c.tryItems(r)
}

// begin opens a job's first attempt, once its keys are found. A bulk job waits
// for a place before that; small ones never do.
func (c *Coordinator) begin(r *run) []Effect {
	if len(r.job.Items) <= wire.InteractiveItems {
		return c.openAttempt(r)
	}
	c.bulk = append(c.bulk, r)
	return c.scheduleBulk()
}

// scheduleBulk begins bulk sign jobs while there are places. The next is of the
// client with the fewest jobs in work, and its oldest.
func (c *Coordinator) scheduleBulk() (effects []Effect) {
	for c.signing < c.MaxBulk {
		c.bulk = slices.DeleteFunc(c.bulk, func(r *run) bool { return c.jobs[r.key()] != r }) // ended while they waited
		if len(c.bulk) == 0 {
			return effects
		}
		next := 0
		for i, r := range c.bulk {
			if c.busy[r.signed.Client] < c.busy[c.bulk[next].signed.Client] {
				next = i
			}
		}
		r := c.bulk[next]
		c.bulk = slices.Delete(c.bulk, next, next+1)
		r.sign.placed = true
		c.signing++
		c.busy[r.signed.Client]++
		effects = append(effects, c.openAttempt(r)...)
	}
	return effects
}

// tryItems looks the keys up. A key that is not there yet may be one that
// another gateway announced a moment ago, so the look is repeated.
func (c *Coordinator) tryItems(r *run) []Effect {
	if r.sign.items != nil {
		return nil
	}
	items := make([]frost.Item, len(r.job.Items))
	for i, it := range r.job.Items {
		id, _ := wire.ParseKeyID(it.Key)
		e := c.directory[id.Batch]
		if e == nil || id.Index >= int(e.header.K) {
			again := After{Delay: loadDelay, Timer: Timer{r.key(), timerLoad}}
			if e == nil && !c.complete {
				return append(c.want(id.Batch), again)
			}
			if r.sign.loads++; r.sign.loads < loadRetries/2 && e == nil {
				return []Effect{again}
			}
			return c.endFailed(r, wire.Refuse(wire.CodeUnknownKey, "item %d: this fleet has no key %s", i, it.Key))
		}
		if e.header.Client != r.signed.Client {
			return c.endFailed(r, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", i, it.Key))
		}
		items[i] = frost.Item{Key: e.key(c.Manifest, id.Index), Message: it.Message, Tweak: it.Tweak(frost.Suite(e.header.Suite))}
		if err := checkItem(items[i], items[0]); err != nil {
			return c.endFailed(r, wire.Refuse(err.Code, "item %d: %s", i, err.Reason))
		}
	}
	r.sign.items = items
	return c.begin(r)
}

// want looks a batch up in KEYS before its turn, once.
func (c *Coordinator) want(batch string) []Effect {
	if c.wanted[batch] || c.computing[batch] {
		return nil
	}
	c.wanted[batch] = true
	return []Effect{Refetch{ID: batch}}
}

// key is the gateway's view of one key: public parts only.
func (e *entry) key(m *wire.Manifest, index int) *frost.Key {
	suite := frost.Suite(e.header.Suite)
	size := m.T * suite.PointSize()
	return &frost.Key{
		Suite: suite, N: m.N, T: m.T, PublicKey: e.public.PublicKeys[index],
		Commitments: e.public.Commitments[index*size : (index+1)*size],
	}
}
