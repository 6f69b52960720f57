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
	if p == nil {
		p, one = r.nextClaim()
	}
	if p == nil {
		return
	}
	f := &fetching{of: one, peer: p, since: r.now}
	r.fetch = f
	r.askFor(f, wire.AskHead, 0)
}

// nextUrgent is what a job waits for, of a node that may be asked for it now.
func (r *fetcher) nextUrgent() (*peer, wire.Holding) {
	for i := 0; i < len(r.urgent); {
		one := r.urgent[i]
		c := r.claims[one]
		if c == nil || c.stored {
			r.urgent = slices.Delete(r.urgent, i, i+1)
			continue
		}
		for _, p := range r.peers {
			if w := c.by[p.node]; w != nil && w.failed < maxProofs && !r.now.Before(p.pauseEnds) {
				return p, one
			}
		}
		i++
	}
	return nil, wire.Holding{}
}

// nextClaim takes the first claim of the node whose turn it is.
func (r *fetcher) nextClaim() (*peer, wire.Holding) {
	for range r.peers {
		p := r.peers[r.turn%len(r.peers)]
		r.turn++
		if r.now.Before(p.pauseEnds) {
			continue
		}
		for len(p.queue) > 0 {
			one := p.queue[0]
			p.queue = p.queue[1:]
			if c := r.claims[one]; c != nil && !c.stored && c.by[p.node] != nil && c.by[p.node].failed < maxProofs {
				return p, one
			}
		}
	}
	return nil, wire.Holding{}
}

func (r *fetcher) askFor(f *fetching, kind wire.AskKind, deal int) {
	r.number++
	r.asked[r.number] = f
	r.out.do(AskNode{Node: f.peer.node, Ask: wire.Ask{
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

// onRestored notes that KEYS has an entry. The directory reads it like any other.
func (r *fetcher) onRestored(e EntryRestored) {
	f := r.fetch
	if f == nil || f.of != e.Holding || f.entry == nil {
		return
	}
	r.fetch = nil
	report := Report{What: ReportRestored, Kind: wire.KindKeygen, ID: f.entry.ID, Culprit: -1}
	if e.Err != nil {
		report.What, report.Reason = ReportBadEntry, fmt.Sprintf("of node %d, not written: %v", f.peer.node, e.Err)
		r.paused = r.now.Add(writePause)
		f.peer.queue = append(f.peer.queue, f.of)
		r.out.do(report)
		return
	}
	if c := r.claims[f.of]; c != nil {
		c.stored = true
	}
	r.restored++
	report.Suite, report.Count = frost.Suite(f.entry.Header.Suite), int(f.entry.Header.K)
	r.out.do(report)
	r.fetchNext()
}

// unproven gives up a proof. One that was none counts against the claim; no answer
// counts against the node alone, which may be away.
func (r *fetcher) unproven(f *fetching, err error, junk bool) {
	r.fetch = nil
	if w := r.claims[f.of].of(f.peer.node); w != nil {
		if junk {
			w.failed++
		}
		if w.failed < maxProofs {
			f.peer.queue = append(f.peer.queue, f.of)
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
