package policy

import "time"

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

// tick lets time pass. A clock without a monotonic reading that goes back says that it
// was wrong before or is now.
func (l *Ledger) tick(now time.Time) {
	passed := now.Sub(l.last)
	switch {
	case passed < -tolerance:
		l.last = now
		l.doubt("the clock went back by " + (-passed).Round(time.Second).String())
		return
	case passed < 0: // events out of order: time goes on where it was
		return
	}
	l.last = now
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
