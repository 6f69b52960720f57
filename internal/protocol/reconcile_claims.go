package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// inKeys is what the register has, as the directory reads it.
type inKeys interface {
	read() bool // to its end
	holdings() *board.Holdings
	isRefused(id string) bool
	hasOther(*wire.Entry) bool // of the batch
	refuse(*wire.Entry)
}

// claimSet is what the register lacks, if nodes say the truth.
type claimSet struct {
	manifest  *wire.Manifest // of the nodes
	out       *outbox
	keys      inKeys
	now       time.Time
	peers     []*peer
	claims    map[wire.Holding]*claim
	of        map[string][]wire.Holding // by batch id: what is claimed of it
	maxClaims int                       // of one node
}

// Times and bounds of reconciliation.
const (
	compareEvery = 10 * time.Second // each node's holdings
	askAgain     = 3 * time.Second  // a node that did not answer since the start: it may be starting, too
	compareTime  = time.Minute      // for one comparison, all its lists included
	fetchTime    = time.Minute      // for one entry
	fetchPause   = 250 * time.Millisecond
	maxFetchWait = 5 * time.Minute
	writePause   = 10 * time.Second
	readTime     = time.Minute // until an entry that KEYS acknowledged is written once more
	tellEvery    = 30 * time.Second

	allClaims  = 1 << 15 // that are remembered, of all nodes together
	maxUrgent  = 1024
	maxProofs  = 3 // failed ones, until a claim counts no more
	maxMissed  = 3 // comparisons, until a node that answered is absent
	maxStreak  = 8 // failures in a row, until nothing waits for a node any more
	fetchDeals = 4 // that are asked for at a time
)

// peer is a node, as a holder of entries.
type peer struct {
	node      int
	asking    bool      // a question about what it holds is out
	next      time.Time // when it is asked again
	present   bool      // it answers
	missed    int       // comparisons in a row that it did not answer
	lapsed    int       // comparisons since the start that it did not answer, or not to the end
	settled   bool      // since the start, it was absent or was compared
	compared  bool      // since the start, to the end
	latched   bool      // since the start, nothing that it claimed was missing at some time
	began     time.Time // the comparison under way
	round     int
	todo      []int // buckets that are to be listed
	full      bool  // it claims more than is remembered
	claims    int
	queue     []wire.Holding // that are to be proven
	streak    int            // proofs that failed, one after the other
	pauseEnds time.Time
	cost      time.Duration // what its last proof took; it doubles with each that failed
}

// awaited reports whether the node was not compared since the start and is not given up yet.
func (p *peer) awaited() bool { return !p.compared && p.lapsed > 0 && !p.givenUp() }

// givenUp reports whether no comparison came to an end since the start, and some did not: one that
// begins to answer each time and says no more is to hold up nothing, as one that says nothing.
func (p *peer) givenUp() bool { return !p.compared && p.lapsed >= maxMissed }

// trusted reports whether anything waits for the node's claims.
func (p *peer) trusted() bool { return p.present && p.streak < maxStreak }

// claim is a batch that the register lacks and that nodes say they hold.
type claim struct {
	by     map[int]*word
	stored time.Time // when it was written, and it is yet to be read; zero: it was not
}

// word is one node's.
type word struct {
	round  int // in which it said so last
	failed int // proofs that were none
}

// of returns a node's word, nil if it never gave it.
func (c *claim) of(node int) *word {
	if c == nil {
		return nil
	}
	return c.by[node]
}

func (r *claimSet) claim(p *peer, one wire.Holding) {
	c := r.claims[one]
	if c == nil {
		c = &claim{by: map[int]*word{}}
		r.claims[one] = c
		id := one.ID()
		r.of[id] = append(r.of[id], one)
	}
	w := c.by[p.node]
	if w != nil && !c.stored.IsZero() && r.now.Sub(c.stored) > readTime { // KEYS has it, and does not show it
		c.stored = time.Time{}
		p.queue = append(p.queue, one)
	}
	if w == nil {
		w = &word{}
		c.by[p.node] = w
		p.claims++
		p.queue = append(p.queue, one)
	}
	w.round = p.round
}

func (r *claimSet) withdraw(p *peer, one wire.Holding, c *claim) {
	delete(c.by, p.node)
	p.claims--
	if len(c.by) == 0 {
		r.forget(one)
	}
}

func (r *claimSet) forget(one wire.Holding) {
	if r.claims[one] == nil {
		return
	}
	delete(r.claims, one)
	id := one.ID()
	if r.of[id] = slices.DeleteFunc(r.of[id], func(other wire.Holding) bool { return other == one }); len(r.of[id]) == 0 {
		delete(r.of, id)
	}
}

// onHeld notes that the register has a batch.
func (r *claimSet) onHeld(one wire.Holding) {
	c := r.claims[one]
	if c == nil {
		return
	}
	for node := range c.by {
		r.peers[node].claims--
	}
	r.forget(one)
}

// provable reports whether a node may be asked for a claim of its own.
func (r *claimSet) provable(p *peer, one wire.Holding) bool {
	c := r.claims[one]
	return c != nil && c.stored.IsZero() && c.by[p.node] != nil && c.by[p.node].failed < maxProofs
}

// counts reports whether something waits for a node's claim.
func (r *claimSet) counts(node int, w *word) bool {
	return w.failed < maxProofs && r.peers[node].trusted()
}
