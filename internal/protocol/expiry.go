package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Expiry ends a job, by each program's own clock. A client that was told that its
// job has failed may build another transaction, so no node gives a share away after
// that: expiry is checked when a session begins, before nonces are drawn and
// committed to, before they are used, before a share is published, and once a second
// in between.

// expired reports whether a job is over by a clock, whatever approvals it has.
func expired(job *wire.Job, now time.Time) bool { return now.After(job.Over()) }

func errExpired(at time.Time) *wire.JobError {
	return wire.Refuse(wire.CodeExpired, "the job expired at %s by this node's clock", at.UTC().Format(time.RFC3339))
}

// checkExpiry refuses to begin what has expired. A key generation may end a little
// late by the clock of one of its nodes, as it takes all of them and harms nobody.
func (n *nodeCore) checkExpiry(job *wire.Job) error {
	now := n.now
	if job.Kind == wire.KindKeygen {
		now = now.Add(-wire.ClockSkew)
	}
	if expired(job, now) {
		return errExpired(job.Over())
	}
	return nil
}
