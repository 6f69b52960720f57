package sim

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// When a fleet has come to rest: all keys are where they are to be.

// patience is how long keys may take to move in a fleet that is well, whatever a gateway had lied. Most
// worlds need a minute or two; where a gateway has lied and restarted in the middle of its lies, it may wait
// for as long as WORK has one of its tasks, ten minutes. A new node that lies makes attempts take that long:
// in such worlds nobody waits for longer than forLiars.
const (
	patience = 12 * time.Minute
	forLiars = 2 * time.Minute
)

// lied reports whether a node did what may keep a batch for long.
func (c *change) lied() bool {
	for _, f := range []Fault{NewRefuses, NewComplains, NewCertifies} {
		if c.w.counts[f] > 0 {
			return true
		}
	}
	return c.w.plan.liar >= 0 || c.w.plan.lies
}

// settled reports whether all keys have moved that are to.
func (c *change) settled() bool {
	if c == nil || c.forked || c.tookOver {
		return true
	}
	for _, batch := range slices.Sorted(values(c.w.check.announced)) {
		if why := c.lacks(batch); why != "" {
			if waited := c.w.elapsed - c.since; waited > forLiars && c.lied() {
				return true
			} else if waited > patience {
				c.w.fail(RuleMoves, "batch %s has not moved %s after the fleet was healed: %s", batch, patience, why)
			}
			return false
		}
	}
	return true
}

// lacks says why a batch is not where it is to be.
func (c *change) lacks(batch string) string {
	at := c.w.latestOf(batch)
	if at.manifest != c.next {
		return "KEYS has no later generation"
	}
	for _, m := range c.w.crew(c.next) {
		if r := m.disk.records[at.BatchRef]; r == nil || !r.complete {
			return "a new node has no usable share"
		}
	}
	return ""
}

// signs reports, once, that all keys are to sign where they are now.
func (c *change) signs() bool {
	if c == nil || c.resigned {
		return false
	}
	c.resigned = true
	return true
}

// over reports whether nothing more is to happen.
func (c *change) over() bool { return c != nil && c.tookOver }

// placed is a generation of a batch, and whose nodes have it.
type placed struct {
	wire.BatchRef
	manifest *wire.Manifest
}

// latestOf is the highest generation that KEYS has all of.
func (w *world) latestOf(batch string) placed {
	at := placed{wire.BatchRef{ID: batch}, w.manifest}
	if w.change == nil {
		return at
	}
	for _, e := range w.wholeIn(batch) {
		at.Generation, at.manifest = e.Generation, w.all.Manifest(e.Manifest)
	}
	return at
}
