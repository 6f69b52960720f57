package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// reconciler compares the register with what the nodes of a manifest hold. Nobody's word counts: what a
// node holds beyond the register is a claim, the node is asked for its proof, and an
// entry that verifies is written. One node is enough to bring a batch back.
//
// A node may claim anything. So claims are bounded, one entry is fetched at a time, the
// nodes take turns, and one that proved nothing when it was asked is asked more and more
// seldom; after some such failures in a row nothing waits for it.
type reconciler struct {
	fetcher
	started bool      // the register was read: comparing makes sense
	told    time.Time // when progress was reported
	lacking int       // claims that count, as of the last tick
	by      []int     // of these, by node
}

func newReconciler(m *wire.Manifest, keys inKeys, out *outbox) *reconciler {
	r := &reconciler{fetcher: fetcher{asked: map[uint64]*fetching{}, claimSet: claimSet{
		manifest: m, out: out, keys: keys, claims: map[wire.Holding]*claim{}, of: map[string][]wire.Holding{}, maxClaims: max(1024, allClaims/m.N),
	}}}
	for i := range m.N {
		r.peers = append(r.peers, &peer{node: i})
	}
	return r
}

// onTick asks the nodes whose turn it is. One whose heartbeat says that it holds just
// what the register has need not be asked.
func (r *reconciler) onTick(now time.Time, holdings func(node int) (root [32]byte, ok bool)) {
	r.now = now
	if !r.keys.read() {
		return
	}
	r.started = true
	for _, p := range r.peers {
		if !p.asking && !now.Before(p.next) {
			p.began, p.next = now, now.Add(compareEvery)
			p.round++
			if root, ok := holdings(p.node); ok && root == r.keys.holdings().Root() {
				p.present, p.missed, p.full = true, 0, false
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
	r.out.do(AskNode{Manifest: r.manifest, Node: p.node, Ask: wire.Ask{Version: wire.HoldingsVersion, Kind: kind, Number: r.number, Holding: of}})
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
	p.asking, p.present, p.missed = false, true, 0
	if e.Ask.Kind == wire.AskDigests {
		p.todo, p.full = r.keys.holdings().Differing(e.Held), false
	} else if err := r.onList(p, e.Held); err != nil {
		e.Err = err
		r.unanswered(p, e)
		return
	}
	r.listNext(p, e)
}

// unanswered ends a comparison. A node that says nothing, several times, is absent: one
// answer may be lost, or the node starts again. One that said something else than was
// asked for has a failure more.
func (r *reconciler) unanswered(p *peer, e HeldAnswer) {
	p.asking, p.settled, p.todo = false, true, nil
	if e.Junk() {
		p.present, p.missed = true, 0
		r.failed(p, e.Err)
		return
	}
	p.missed++
	p.lapsed++
	p.present = p.present && p.missed < maxMissed
	if p.awaited() {
		p.next = r.now.Add(askAgain)
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
		if r.keys.holdings().Has(one) || r.keys.isRefused(one.ID()) {
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

// listNext goes on with a comparison: the list goes on, or the next bucket's begins, or
// all was listed.
func (r *reconciler) listNext(p *peer, e HeldAnswer) {
	if e.Ask.Kind == wire.AskList && !e.Held.More && len(p.todo) > 0 {
		p.todo = p.todo[1:]
	}
	switch {
	case r.now.Sub(p.began) > compareTime:
		e.Err = errors.New("its lists have no end")
		r.unanswered(p, e)
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

// mayHold reports whether some node may hold a batch that the register lacks: it says
// so and may yet prove it, or was not compared yet: one that did not answer at once may be
// starting as this gateway is. What jobs wait for comes first.
func (r *reconciler) mayHold(id string) bool {
	if !r.started {
		return true
	}
	for _, p := range r.peers {
		if !p.settled || p.awaited() || p.full && p.trusted() {
			return true
		}
	}
	for _, one := range r.of[id] {
		for node, w := range r.claims[one].by {
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
		if !p.latched && (!p.settled || p.trusted() && !p.givenUp()) {
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
