package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Jobs that waited for approvals in vain.

// sweepEvery is how often PENDING is looked through.
const sweepEvery = 15 * time.Second

// sweep answers jobs that waited in vain, until ctx ends. All gateways do; the first result
// counts.
func (g *Gateway) sweep(ctx context.Context) {
	over := map[string]time.Time{} // by subject
	for backoff.Sleep(ctx, sweepEvery) == nil {
		if g.heard() != nil {
			continue
		}
		subjects, err := g.cfg.Bus.Subjects(ctx, bus.Pending, wire.PendingSubject("*", "*"))
		if err != nil {
			g.log.Warn("jobs that wait for approvals can't be listed", "err", err)
			continue
		}
		for subject := range over {
			if !slices.Contains(subjects, subject) {
				delete(over, subject)
			}
		}
		for _, subject := range subjects {
			if at, known := over[subject]; !known || clock.Now().After(at) {
				if over[subject], err = g.lapse(ctx, subject); err != nil {
					g.log.Warn("a job that waits for approvals can't be looked at", "subject", subject, "err", err)
				}
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// lapse answers a job that waited in vain, and takes it out of PENDING. It returns when the
// job is over. What stands under another job's subject is taken out and answered to nobody.
func (g *Gateway) lapse(ctx context.Context, subject string) (over time.Time, err error) {
	ref, err := wire.ParsePending(subject)
	if err != nil {
		return over, err
	}
	there, job, err := g.checked(ctx, ref.Client, ref.Job)
	switch {
	case err != nil || there == nil:
		return over, err
	case job == nil:
		return over, g.remove(there.seq)
	}
	switch over = job.Over().Add(wire.ClockSkew); {
	case !job.Authentic(): // by this gateway's list, which may be behind; the stream ends it
		return clock.Now().Add(time.Hour), nil
	case clock.Now().Before(over):
		return over, nil
	}
	result := job.Lapsed()
	payload := result.Encode()
	stored, err := g.store(ctx, wire.StoredResultSubject(ref.Client, ref.Job), payload,
		g.headers(ref.Client, ref.Job, payload, ""))
	if err != nil {
		return over, err
	}
	if stored {
		g.auditJob(result, nil)
	}
	g.deadLetter(there.SignedJob, result)
	return over, g.remove(there.seq)
}
