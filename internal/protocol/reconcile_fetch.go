package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How an entry that the register lacks comes back: head first, which verifies by itself,
// then the deals that it names, then KEYS.

// fetcher gets entries from nodes, one at a time.
type fetcher struct {
	claimSet
	urgent   []wire.Holding // jobs wait for them
	turn     int            // the node whose claims come next
	number   uint64         // of the last question
	asked    map[uint64]*fetching
	fetch    *fetching // the entry under way
	paused   time.Time // until then, as KEYS did not take one
	restored int       // since the register was last complete
}

// fetching is an entry that a node is asked for.
type fetching struct {
	of    wire.Holding
	peer  *peer
	since time.Time
	entry *wire.Entry
	head  []byte
	deals [][]byte
	next  int // deal to ask for
	left  int // deals that are not here yet

	queued bool // the claim is in the node's queue all the same
}

// requeue has the node asked again later.
func (f *fetching) requeue() {
	if !f.queued {
		f.peer.queue = append(f.peer.queue, f.of)
	}
}

// fetchNext begins with the next claim, unless one is under way.
func (r *fetcher) fetchNext() {
	if r.fetch != nil && !r.fetch.since.IsZero() && r.now.Sub(r.fetch.since) > fetchTime {
		r.unproven(r.fetch, errors.New("its answers take too long"), false)
	}
	if r.fetch != nil || r.now.Before(r.paused) {
		return
	}
	p, one := r.nextUrgent()
	queued := p != nil
	if p == nil {
		p, one = r.nextClaim()
	}
	if p == nil {
		return
	}
	f := &fetching{of: one, peer: p, since: r.now, queued: queued}
	r.fetch = f
	r.askFor(f, wire.AskHead, 0)
}

// nextUrgent is what a job waits for, of the node that proves fastest of those that may
// be asked now. Claims that no job waits for any more are dropped: they would keep
// others out.
func (r *fetcher) nextUrgent() (best *peer, of wire.Holding) {
	r.urgent = slices.DeleteFunc(r.urgent, func(one wire.Holding) bool {
		wanted := false
		for _, p := range r.peers {
			if !r.provable(p, one) || !p.trusted() {
				continue
			}
			wanted = true
			if !r.now.Before(p.pauseEnds) && (best == nil || p.cost < best.cost) {
				best, of = p, one
			}
		}
		return !wanted
	})
	return best, of
}

// nextClaim takes the first claim of the node that proves fastest; equals take turns. A
// node that is slow, or proves nothing, so holds up the others once, and not at each of
// its turns.
func (r *fetcher) nextClaim() (best *peer, one wire.Holding) {
	for i := range r.peers {
		p := r.peers[(r.turn+i)%len(r.peers)]
		if r.now.Before(p.pauseEnds) || best != nil && p.cost >= best.cost {
			continue
		}
		for len(p.queue) > 0 && !r.provable(p, p.queue[0]) {
			p.queue = p.queue[1:]
		}
		if len(p.queue) > 0 {
			best = p
		}
	}
	if best == nil {
		return nil, one
	}
	r.turn = best.node + 1
	one, best.queue = best.queue[0], best.queue[1:]
	return best, one
}

func (r *fetcher) askFor(f *fetching, kind wire.AskKind, deal int) {
	r.number++
	r.asked[r.number] = f
	r.out.do(AskNode{Manifest: r.manifest, Node: f.peer.node, Ask: wire.Ask{
		Version: wire.HoldingsVersion, Kind: kind, Number: r.number, Holding: f.of, Deal: uint32(deal),
	}})
}

// onEntry takes a head or a deal.
func (r *fetcher) onEntry(p *peer, e HeldAnswer) {
	f := r.asked[e.Ask.Number]
	delete(r.asked, e.Ask.Number)
	if f == nil || f != r.fetch || f.peer != p {
		return
	}
	switch {
	case e.Err != nil:
		r.unproven(f, e.Err, e.Junk())
	case e.Ask.Kind == wire.AskHead:
		f.entry, f.head = e.entry, e.Held.Data
		f.deals, f.left = make([][]byte, len(e.entry.Deals)), len(e.entry.Deals)
		for range min(fetchDeals, f.left) {
			r.askDeal(f)
		}
	default:
		r.onDeal(f, int(e.Ask.Deal), e.Held.Data)
	}
}

func (r *fetcher) askDeal(f *fetching) {
	if f.next < len(f.deals) {
		r.askFor(f, wire.AskDeal, f.next)
		f.next++
	}
}

func (r *fetcher) onDeal(f *fetching, dealer int, body []byte) {
	if err := f.entry.VerifyDeal(dealer, body); err != nil {
		r.unproven(f, err, true)
		return
	}
	if f.deals[dealer] == nil {
		f.deals[dealer] = body
		f.left--
	}
	if f.left > 0 {
		r.askDeal(f)
		return
	}
	f.peer.cost = r.now.Sub(f.since)
	f.since = time.Time{} // KEYS has all the time that it takes
	f.peer.streak = 0
	if r.keys.hasOther(f.entry) {
		r.conflict(f)
		return
	}
	r.out.do(RestoreEntry{Holding: f.of, Node: f.peer.node, Head: f.head, Deals: f.deals})
}

// conflict refuses a batch of which the register has another valid entry.
func (r *fetcher) conflict(f *fetching) {
	r.fetch = nil
	r.keys.refuse(f.entry)
	r.onHeld(f.of)
	r.fetchNext()
}

// onRestored notes that KEYS has an entry. The directory reads it like any other, but does
// so again: a damaged copy of KEYS may have had it look as if it were not there.
func (r *fetcher) onRestored(e EntryRestored) {
	f := r.fetch
	if f == nil || f.of != e.Holding || f.entry == nil {
		return
	}
	if e.Conflict {
		r.conflict(f)
		return
	}
	r.fetch = nil
	report := Report{What: ReportRestored, Kind: wire.KindKeygen, ID: f.entry.ID, Culprit: -1}
	if e.Err != nil {
		report.What, report.Reason = ReportBadEntry, fmt.Sprintf("of node %d, not written: %v", f.peer.node, e.Err)
		r.paused = r.now.Add(writePause)
		f.requeue()
		r.out.do(report)
		return
	}
	if c := r.claims[f.of]; c != nil {
		c.stored = r.now
	}
	r.out.do(Refetch{ID: f.entry.ID, Register: true}) // it may have stood there all along, where this gateway read on
	r.restored++
	report.Suite, report.Count = frost.Suite(f.entry.Header.Suite), int(f.entry.Header.K)
	r.out.do(report)
	r.fetchNext()
}

// unproven gives up a proof. One that was none counts against the claim; no answer
// counts against the node alone, which may be away.
func (r *fetcher) unproven(f *fetching, err error, junk bool) {
	r.fetch = nil
	f.peer.cost = min(max(2*f.peer.cost, r.now.Sub(f.since), fetchPause), maxFetchWait)
	if w := r.claims[f.of].of(f.peer.node); w != nil {
		if junk {
			w.failed++
		}
		if w.failed < maxProofs {
			f.requeue()
		}
	}
	r.failed(f.peer, fmt.Errorf("batch %s: %w", f.of.ID(), err))
	r.fetchNext()
}

// failed has a node asked more seldom.
func (r *fetcher) failed(p *peer, err error) {
	p.pauseEnds = r.now.Add(min(fetchPause<<min(p.streak, 16), maxFetchWait))
	p.streak++
	r.out.do(Report{What: ReportUnproven, Kind: wire.KindKeygen, ID: "KEYS", Reason: err.Error(), Culprit: p.node})
}
