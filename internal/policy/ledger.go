package policy

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Bounds of a ledger. What is over is denied, or, where that only counts too much,
// forgotten.
const (
	maxCounters = 20_000 // clients and keys that a limit counts for, of all limits; above: CodeLedgerFull
	maxJobs     = 65_536 // jobs that are remembered; a forgotten one is charged again if it comes back
	maxSeen     = 20_000 // keys whose highest index of change is remembered; of others it is 0
	maxEvents   = 16     // crashes and losses of the last week; more count as one
)

// Ledger counts what a node allowed. Its counters are durable, and no signature waits for
// a disk as long as a limit's block lasts: the state that is on disk says what was
// charged, and that up to one block more of each limit may have been. After a restart that
// finds no clean end, that block counts as used. So a charge is good at once while its
// counter has charged less than a block since the last state on disk; the next state is
// asked for at half a block.
//
// A Ledger is for one goroutine, as is Decide with it. Nil is the ledger of a policy that
// counts nothing.
type Ledger struct {
	limits   map[string]*limit // of the policy in force, by id
	counters map[counterKey]*counter
	events   []event
	seen     map[string]*mark
	jobs     memory
	// time is what the windows are judged by, in seconds of Unix time. It goes on with the
	// monotonic clock while the process runs: setting the clock moves nothing.
	time    int64
	rest    time.Duration // of a second
	last    time.Time     // of the last tick
	swept   int64         // when counters that are over were removed last
	saves   saves
	durable map[string]uint64 // blocks of the limits in the state on disk, by id
	taken   map[string]uint64 // of those in the newest state
}

// counterKey names a counter: the limit's id, and the client or key.
type counterKey struct{ limit, subject string }

// mark is the highest index of change that a key was seen to spend from.
type mark struct {
	index uint32
	taken uint32 // the one in the newest state
}

// NewLedger is the ledger of a node that never had one. A node that lost its ledger must
// not begin with it: see LostLedger. Its state is to be saved before anything is charged at
// once.
func NewLedger(p *Policy, now time.Time) (*Ledger, Save) {
	l := &Ledger{
		counters: map[counterKey]*counter{}, seen: map[string]*mark{}, jobs: newMemory(),
		time: max(0, now.Unix()), last: now, durable: map[string]uint64{},
	}
	l.limits = p.byID()
	return l, *l.save(false)
}

// LostLedger is the ledger of a node whose state is lost or can't be read: everything that
// counts over time is denied for one window.
func LostLedger(p *Policy, now time.Time, why string) (*Ledger, Save) {
	l, _ := NewLedger(p, now)
	l.saves = saves{}
	l.doubt(why)
	return l, *l.save(false)
}

func (p *Policy) byID() map[string]*limit {
	limits := map[string]*limit{}
	if p != nil {
		for _, l := range p.limits {
			limits[l.id] = l
		}
	}
	return limits
}

// Use puts another policy in force. Counters of limits that both have go on. A limit that is
// new waits for the returned state.
func (l *Ledger) Use(p *Policy) *Save {
	l.limits = p.byID()
	return l.want()
}

// Doubt denies everything that counts over time for one window. It is for what the ledger
// can't see itself: that its state is older than one whose number (Seq) was published, or
// that the clock was ahead when the node started.
func (l *Ledger) Doubt(why string, now time.Time) *Save {
	l.tick(now)
	l.doubt(why)
	return l.want()
}

func (l *Ledger) doubt(why string) {
	l.events = append(l.events, event{at: l.time, why: clip(why)})
	l.bound()
}

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
			return CodeLedgerFull, fmt.Sprintf("this node counts for %d clients and keys, and there is no room for %s", maxCounters,
				c.Subject)
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

// highest is the highest index of change that a key was seen to spend from.
func (l *Ledger) highest(key string) uint32 {
	if l == nil || l.seen[key] == nil {
		return 0
	}
	return l.seen[key].index
}

// look notes the highest index of change that is spent from. A step is bounded like that
// of change itself: inputs can be made up.
func (l *Ledger) look(in *intent.Intent, roots []intent.Root, gap uint32) {
	if in.Kind != intent.PSBT {
		return
	}
	for _, s := range in.Signatures {
		if len(s.Path) != 2 || s.Path[0] != 1 || s.Root < 0 || s.Root >= len(roots) {
			continue
		}
		id, index := roots[s.Root].ID, s.Path[1]
		if was := l.highest(id); index <= was || uint64(index) > uint64(was)+uint64(gap) {
			continue
		}
		if l.seen[id] == nil {
			if len(l.seen) >= maxSeen {
				continue
			}
			l.seen[id] = &mark{}
		}
		l.seen[id].index = index
		l.saves.rose = l.saves.rose || index-l.seen[id].taken > gap/2
	}
}

// tick lets time pass. A clock without a monotonic reading that goes back says that it
// was wrong before or is now.
func (l *Ledger) tick(now time.Time) {
	passed := now.Sub(l.last)
	l.last = now
	if passed < 0 {
		if passed < -tolerance {
			l.doubt("the clock went back by " + (-passed).Round(time.Second).String())
		}
		return
	}
	l.rest += passed
	l.time += int64(l.rest / time.Second)
	l.rest %= time.Second
}

// tolerance is how far a clock may go back unremarked.
const tolerance = time.Minute

// clock is a time of the ledger by the node's clock.
func (l *Ledger) clock(at int64) string {
	return l.last.Add(time.Duration(at-l.time) * time.Second).UTC().Format(time.RFC3339)
}

func clip(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return text
}
