package policy

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Charged is what came of a charge.
type Charged struct {
	// Wait is the number of the state that has to be on disk before a share of the job may
	// leave: 0 if none has to. Rounds may go on meanwhile.
	Wait uint64
	Save *Save // to be stored; nil if nothing is
}

// Charge counts a job, once for each digest. It is for jobs that were allowed, and for jobs
// that t others committed to, whatever this node decided: it does not look at the verdict.
func (l *Ledger) Charge(ask *Ask, d *Decision) Charged {
	if l == nil {
		return Charged{}
	}
	l.tick(ask.Now)
	l.look(ask.Intent, ask.Roots, d.gap)
	charges, again := l.jobs.charge(ask, d)
	if again {
		return Charged{Wait: l.saves.waits(l.jobs.wait(ask.Digest)), Save: l.wantIf(l.saves.rose)}
	}
	wait, early := false, l.saves.rose
	for _, c := range charges {
		late, half := l.add(c)
		wait, early = wait || late, early || half
	}
	out := Charged{Save: l.wantIf(wait || early)}
	if wait {
		out.Wait = l.saves.next()
		l.jobs.waits(ask.Digest, out.Wait)
	}
	return out
}

// add charges one limit: late if more than a block of it is not on disk, half if it is more
// than half of one.
func (l *Ledger) add(c Charge) (late, half bool) {
	key := counterKey{c.limit.id, c.Subject}
	n := l.counters[key]
	if n == nil {
		if !l.room() {
			// Only a job that others signed gets here. It counts for everybody.
			l.events = append(l.events, event{at: l.time, blocks: map[string]uint64{c.limit.id: c.Units}})
			l.bound()
			return true, true
		}
		n = &counter{window: c.limit.window}
		l.counters[key] = n
	}
	n.add(l.time, c.Units)
	if !c.limit.window.kept() {
		return false, false
	}
	n.pending, n.taken = add(n.pending, c.Units), add(n.taken, c.Units)
	block := l.durable[c.limit.id]
	return n.pending > block, n.taken > block/2
}

// room reports whether there is room for another counter, and makes it if there may be
// some, once a minute.
func (l *Ledger) room() bool {
	if len(l.counters) < maxCounters {
		return true
	}
	if l.time < l.swept+60 {
		return false
	}
	l.swept = l.time
	for key, n := range l.counters {
		if n.over(l.time) {
			delete(l.counters, key)
		}
	}
	return len(l.counters) < maxCounters
}

// check says whether a job's charges fit what is left of their limits. A job that was
// charged fits.
func (l *Ledger) check(ask *Ask, payments []intent.Payment, charges []Charge) (code, reason string) {
	due, again := l.jobs.due(ask, payments, charges)
	if again {
		return "", ""
	}
	for _, c := range due {
		used, doubt := l.used(c.limit, c.Subject)
		if doubt != nil {
			return CodeCountersUnknown, fmt.Sprintf("%s: what %s used of its limit of %s is not known. It is denied until %s",
				doubt.why, c.Subject, c.limit, l.clock(doubt.until(c.limit.window)))
		}
		if c.Units > c.limit.max || used > c.limit.max-c.Units {
			return CodeLimitReached, fmt.Sprintf("%s has used %s of its limit of %s, and this would be %s more", c.Subject,
				Amount(c.limit.asset, used), c.limit, Amount(c.limit.asset, c.Units))
		}
		if l.counters[counterKey{c.limit.id, c.Subject}] == nil && !l.room() {
			return CodeLedgerFull, fmt.Sprintf("this node counts for %d clients and keys, and there is no room for %s",
				maxCounters, c.Subject)
		}
	}
	return "", ""
}

// used is how much of a limit was used within its window, and why that is not known, if it
// is not.
func (l *Ledger) used(of *limit, subject string) (units uint64, doubt *event) {
	if n := l.counters[counterKey{of.id, subject}]; n != nil {
		units = n.sum(l.time)
	}
	if !of.window.kept() {
		return units, nil
	}
	for i := range l.events {
		e := &l.events[i]
		if l.time >= e.until(of.window) {
			continue
		}
		if e.blocks == nil {
			return 0, e
		}
		units = add(units, e.blocks[of.id])
	}
	return units, nil
}

// Used is how much of a limit was used within its window, for reports: the limits of a
// decision are in its charges.
func (l *Ledger) Used(c Charge) (used, most uint64) {
	if l != nil {
		used, _ = l.used(c.limit, c.Subject)
	}
	return used, c.limit.max
}
