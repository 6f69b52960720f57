package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// reconciler compares the register with what nodes hold. Nobody's word counts: what a
// node holds beyond the register is a claim, the node is asked for its proof, and an
// entry that verifies is written. One node is enough to bring a batch back.
//
// A node may claim anything. So claims are bounded, one entry is fetched at a time, the
// nodes take turns, and one that proved nothing when it was asked is asked more and more
// seldom; after some such failures in a row nothing waits for it.
type reconciler struct {
	out       *outbox
	directory *directory
	now       time.Time
	started   bool // the register was read: comparing makes sense
	peers     []*peer
	told      time.Time // when progress was reported
	claimSet
	fetcher
}

// claimSet is what the register lacks, if nodes say the truth.
type claimSet struct {
	claims    map[wire.Holding]*claim
	of        map[string]int // by batch id: claims
	maxClaims int            // of one node
	lacking   int            // that count, as of the last tick
	by        []int          // of these, by node
}

// fetcher gets entries from nodes, one at a time.
type fetcher struct {
	urgent   []wire.Holding // jobs wait for them
	turn     int            // the node whose claims come next
	number   uint64         // of the last question
	asked    map[uint64]*fetching
	fetch    *fetching // the entry under way
	paused   time.Time // until then, as KEYS did not take one
	restored int       // since the register was last complete
}

// Times and bounds of reconciliation.
const (
	compareEvery = 10 * time.Second // each node's holdings
	compareTime  = time.Minute      // for one comparison, all its lists included
	fetchTime    = time.Minute      // for one entry
	fetchPause   = 250 * time.Millisecond
	maxFetchWait = 5 * time.Minute
	writePause   = 10 * time.Second
	tellEvery    = 30 * time.Second

	allClaims  = 1 << 15 // that are remembered, of all nodes together
	maxUrgent  = 1024
	maxProofs  = 3 // failed ones, until a claim counts no more
	maxStreak  = 8 // failures in a row, until nothing waits for a node any more
	fetchDeals = 4 // that are asked for at a time
)

// peer is a node, as a holder of entries.
type peer struct {
	node      int
	asking    bool      // a question about what it holds is out
	next      time.Time // when it is asked again
	present   bool      // it answered the last one
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
}

// trusted reports whether anything waits for the node's claims.
func (p *peer) trusted() bool { return p.present && p.streak < maxStreak }

// claim is a batch that the register lacks and that nodes say they hold.
type claim struct {
	by     map[int]*word
	stored bool // it was written, and is yet to be read
}

// word is one node's.
type word struct {
	round  int // in which it said so last
	failed int // proofs that were none
}

func newReconciler(m *wire.Manifest, d *directory, out *outbox) *reconciler {
	r := &reconciler{
		out: out, directory: d, fetcher: fetcher{asked: map[uint64]*fetching{}},
		claimSet: claimSet{
			claims: map[wire.Holding]*claim{}, of: map[string]int{}, maxClaims: max(1024, allClaims/m.N),
		},
	}
	for i := range m.N {
		r.peers = append(r.peers, &peer{node: i})
	}
	return r
}

// onTick asks the nodes whose turn it is. One whose heartbeat says that it holds just
// what the register has need not be asked.
func (r *reconciler) onTick(now time.Time, holdings func(node int) (root [32]byte, ok bool)) {
	r.now = now
	if !r.directory.complete {
		return
	}
	r.started = true
	for _, p := range r.peers {
		if !p.asking && !now.Before(p.next) {
			p.began, p.next = now, now.Add(compareEvery)
			p.round++
			if root, ok := holdings(p.node); ok && root == r.directory.held.Root() {
				p.present, p.full = true, false
				r.compared(p)
				continue
			}
			r.ask(p, wire.AskDigests, wire.Holding{})
		}
	}
	r.fetchNext()
	r.count()
	r.latch()
	r.tell()
}

func (r *reconciler) ask(p *peer, kind wire.AskKind, of wire.Holding) {
	p.asking = true
	r.number++
	r.out.do(AskNode{Node: p.node, Ask: wire.Ask{Version: wire.HoldingsVersion, Kind: kind, Number: r.number, Holding: of}})
}

// onAnswer takes what a node says, or that it said nothing.
func (r *reconciler) onAnswer(e HeldAnswer) {
	if e.Node < 0 || e.Node >= len(r.peers) {
		return
	}
	p := r.peers[e.Node]
	switch {
	case e.Ask.Kind == wire.AskHead || e.Ask.Kind == wire.AskDeal:
		r.onEntry(p, e)
		return
	case e.Err != nil:
		r.unanswered(p, e)
		return
	}
	p.asking, p.present = false, true
	if e.Ask.Kind == wire.AskDigests {
		p.todo, p.full = r.directory.held.Differing(e.Held), false
	} else if err := r.onList(p, e.Held); err != nil {
		e.Err = err
		r.unanswered(p, e)
		return
	}
	r.listNext(p, e)
}

// unanswered ends a comparison. A node that said nothing is absent; one that said
// something else than was asked for has a failure more.
func (r *reconciler) unanswered(p *peer, e HeldAnswer) {
	p.asking, p.settled, p.todo = false, true, nil
	if p.present = e.Junk(); p.present {
		r.failed(p, e.Err)
	}
}

var errShortList = errors.New("a list that goes on before it is full")

// onList takes the batches of one bucket that the register lacks.
func (r *reconciler) onList(p *peer, h *wire.Held) error {
	list := h.List()
	if h.More && len(list) < wire.MaxHoldings {
		return errShortList
	}
	for _, one := range list {
		if r.directory.held.Has(one) || r.directory.register.Refused(one.ID()) {
			continue
		}
		if p.claims >= r.maxClaims && r.claims[one].of(p.node) == nil {
			p.full = true
			return nil
		}
		r.claim(p, one)
	}
	return nil
}

// of returns a node's word, nil if it never gave it.
func (c *claim) of(node int) *word {
	if c == nil {
		return nil
	}
	return c.by[node]
}

func (r *reconciler) claim(p *peer, one wire.Holding) {
	c := r.claims[one]
	if c == nil {
		c = &claim{by: map[int]*word{}}
		r.claims[one] = c
		r.of[one.ID()]++
	}
	w := c.by[p.node]
	if w == nil {
		w = &word{}
		c.by[p.node] = w
		p.claims++
		p.queue = append(p.queue, one)
	}
	w.round = p.round
}

// listNext goes on with a comparison: the list goes on, or the next bucket's begins, or
// all was listed.
func (r *reconciler) listNext(p *peer, e HeldAnswer) {
	if e.Ask.Kind == wire.AskList && !e.Held.More && len(p.todo) > 0 {
		p.todo = p.todo[1:]
	}
	switch {
	case r.now.Sub(p.began) > compareTime:
		e.Err = errors.New("its lists have no end")
		r.unanswered(p, HeldAnswer{Node: p.node, Held: e.Held, Err: e.Err})
	case p.full || len(p.todo) == 0:
		r.compared(p)
	case e.Ask.Kind == wire.AskList && e.Held.More:
		list := e.Held.List()
		r.ask(p, wire.AskList, list[len(list)-1])
	default:
		r.ask(p, wire.AskList, wire.Holding{byte(p.todo[0])})
	}
}

// compared ends a comparison that came to its end: what the node did not say again it
// holds no more, or the register has it.
func (r *reconciler) compared(p *peer) {
	p.todo, p.settled, p.compared = nil, true, true
	if p.claims > 0 && !p.full {
		for one, c := range r.claims {
			if w := c.by[p.node]; w != nil && w.round != p.round {
				r.withdraw(p, one, c)
			}
		}
		p.queue = slices.DeleteFunc(p.queue, func(one wire.Holding) bool { return r.claims[one].of(p.node) == nil })
	}
	r.fetchNext()
}

func (r *reconciler) withdraw(p *peer, one wire.Holding, c *claim) {
	delete(c.by, p.node)
	p.claims--
	if len(c.by) == 0 {
		r.forget(one)
	}
}

func (r *reconciler) forget(one wire.Holding) {
	delete(r.claims, one)
	if id := one.ID(); r.of[id] > 1 {
		r.of[id]--
	} else {
		delete(r.of, id)
	}
}

// onHeld notes that the register has a batch.
func (r *reconciler) onHeld(one wire.Holding) {
	c := r.claims[one]
	if c == nil {
		return
	}
	for node := range c.by {
		r.peers[node].claims--
	}
	r.forget(one)
}

// counts reports whether something waits for a node's claim.
func (r *reconciler) counts(node int, w *word) bool {
	return w.failed < maxProofs && r.peers[node].trusted()
}

// mayHold reports whether some node may hold a batch that the register lacks: it says
// so and may yet prove it, or was not compared yet. What jobs wait for comes first.
func (r *reconciler) mayHold(id string) bool {
	if !r.started {
		return true
	}
	for _, p := range r.peers {
		if !p.settled || p.full && p.trusted() {
			return true
		}
	}
	if r.of[id] == 0 {
		return false
	}
	for one, c := range r.claims {
		if one.ID() != id {
			continue
		}
		for node, w := range c.by {
			if r.counts(node, w) {
				r.hurry(one)
				return true
			}
		}
	}
	return false
}

func (r *reconciler) hurry(one wire.Holding) {
	if len(r.urgent) < maxUrgent && !slices.Contains(r.urgent, one) {
		r.urgent = append(r.urgent, one)
		r.fetchNext()
	}
}

// count counts the batches that the register lacks, and for each node those that it
// claims and may yet prove.
func (r *reconciler) count() {
	r.lacking, r.by = 0, make([]int, len(r.peers))
	for _, c := range r.claims {
		counts := false
		for node, w := range c.by {
			if r.counts(node, w) {
				r.by[node]++
				counts = true
			}
		}
		if counts {
			r.lacking++
		}
	}
}

// latch notes the nodes with whom nothing is left to reconcile. What is lost later is
// for metrics and alerts: it takes nobody's readiness away.
func (r *reconciler) latch() {
	for _, p := range r.peers {
		p.latched = p.latched || p.compared && r.by[p.node] == 0 && (!p.full || !p.trusted())
	}
}

// Register is how far a gateway is with comparing the register with what nodes hold.
type Register struct {
	Missing int   // batches that KEYS lacks and that a present node says it holds
	Waiting []int // present nodes with whom it was not reconciled yet, since the start
}

func (r *reconciler) state() Register {
	s := Register{Missing: r.lacking}
	for _, p := range r.peers {
		if !p.latched && (!p.settled || p.trusted()) {
			s.Waiting = append(s.Waiting, p.node)
		}
	}
	return s
}

// tell reports progress while something is missing, and once nothing is any more.
func (r *reconciler) tell() {
	report := Report{What: ReportIncomplete, Kind: wire.KindKeygen, ID: "KEYS", Culprit: -1}
	switch {
	case r.lacking > 0 && r.now.Sub(r.told) >= tellEvery:
		r.told = r.now
		report.Reason = fmt.Sprintf("%d batches are missing that nodes say they hold (by node: %v); %d restored so far",
			r.lacking, r.by, r.restored)
	case r.lacking == 0 && r.restored > 0:
		report.What = ReportWhole
		report.Reason = fmt.Sprintf("the register has all that present nodes hold; %d batches restored", r.restored)
		r.told, r.restored = time.Time{}, 0
	default:
		return
	}
	r.out.do(report)
}

// hold notes that the register has an entry, whoever reads it.
func (d *directory) hold(id string, transcript [32]byte) {
	if one := wire.NewHolding(id, transcript); d.held.Add(one) {
		d.reconcile.onHeld(one)
	}
}
