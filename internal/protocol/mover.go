package protocol

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// mover has keys move to the nodes of the next manifest, batch by batch, in the background:
// it publishes a task for each attempt, watches the rounds, and makes an entry of what all
// new nodes certified. All that it knows it has from the log, so another gateway, or another
// life of this one, goes on where it ended.
type mover struct {
	successions
	plan
	views   *views
	out     *outbox
	board   *board.Reshares
	slice   int                 // keys of a slice, at most; 0: as many as fit
	moves   map[string]*moving  // in work, by batch
	pasts   map[string]*history // by batch
	writing map[wire.BatchRef]*finishedBatch
}

func newMover(cfg CoordinatorConfig, v *views, out *outbox) *mover {
	return &mover{
		successions: newSuccessions(v, out), views: v, out: out, board: board.NewReshares(),
		plan:  plan{self: cfg.Name, most: max(cfg.Batches.Least, 1), views: v, active: map[string]time.Time{}},
		slice: cfg.PerSlice,
		moves: map[string]*moving{}, pasts: map[string]*history{},
		writing: map[wire.BatchRef]*finishedBatch{},
	}
}

// transcriptOf tells the transcript of an entry that is being written.
func (m *mover) transcriptOf(ref wire.BatchRef) (transcript [32]byte, ok bool) {
	if f := m.writing[ref]; f != nil {
		return f.transcript, true
	}
	return transcript, false
}

func (m *mover) state() Resharing {
	s := m.plan.state()
	s.InFlight = len(m.moves)
	return s
}

// onPace takes the administrator's word. What is under way goes on.
func (m *mover) onPace(pace *wire.Pace) {
	m.pace, m.began = pace, m.views.now
	m.replan()
}

func (m *mover) onLineage() {
	m.successions.onLineage()
	m.replan()
}

func (m *mover) replan() {
	m.queue, m.looked = nil, time.Time{}
	m.schedule(false)
}

// schedule begins attempts while there is capacity. While jobs wait for signatures one batch
// moves at a time, with a pause after it: as long as it took, and until the next tick.
func (m *mover) schedule(tick bool) {
	if m.pace == nil || m.blocked() != "" {
		return
	}
	limit := m.most
	if m.traffic.signs() {
		limit = 1
		if !tick || m.views.now.Before(m.pause) {
			return
		}
	}
	for m.flying() < limit && len(m.moves) < 2*m.most && m.bytes() < maxMoveBytes {
		f := m.plan.next(m.free)
		if f == nil {
			return
		}
		m.begin(f)
	}
}

// flying counts the batches in work that others wait for.
func (m *mover) flying() (count int) {
	for _, one := range m.moves {
		if !one.stalled {
			count++
		}
	}
	return count
}

// bytes is how large the deals of all batches in work are, about.
func (m *mover) bytes() (size int) {
	for _, one := range m.moves {
		size += one.DealBytes(one.next.manifest)
	}
	return size
}

// free reports whether an attempt at a batch may begin.
func (m *mover) free(id string) bool {
	p := m.pasts[id]
	return m.moves[id] == nil && (p == nil || !m.views.now.Before(p.rests))
}

func (m *mover) historyOf(id string) *history {
	if m.pasts[id] == nil {
		m.pasts[id] = &history{accused: map[int]map[int]bool{}, spoiled: map[uint32]bool{}, at: m.views.now}
	}
	return m.pasts[id]
}

// begin goes on with the attempt that WORK shows, or begins another one.
func (m *mover) begin(f *finishedBatch) {
	p, next, now := m.historyOf(f.ID), m.views.after(f.view), m.views.now
	if seen := p.seen; seen != nil && seen.To > p.over && now.Sub(p.at) < taskLife && fits(seen, f, next) {
		m.open(&moving{Reshare: *seen, history: p, from: f, next: next, begun: now, shown: p.at})
		return
	}
	r := attemptAt(f, next)
	r.To = m.number(p, f)
	if r.Dealers = m.views.dealers(f.view, p, f.ID, r.To); r.Dealers == nil {
		p.rests = now.Add(leastStop)
		return
	}
	r.PerSlice = m.perSlice(f, next)
	p.highest, p.at = r.To, now
	m.open(&moving{Reshare: r, history: p, from: f, next: next, begun: now})
	m.out.do(PublishTask{Subject: wire.ReshareTaskSubject(&r), Body: wire.Encode(&r)})
}

// perSlice is for how many keys of a batch a deal to the next nodes is; 0: for all.
func (m *mover) perSlice(f *finishedBatch, next *view) uint32 {
	k := f.header.K
	per := wire.PerSlice(frost.Suite(f.header.Suite), int(k), next.manifest.N, next.manifest.T)
	if most := uint32(m.slice); most > 0 && most < k && (per == 0 || most < per) {
		return max(most, (k+wire.MaxSlices-1)/wire.MaxSlices)
	}
	return per
}

// number is that of a batch's next attempt: higher than all that were seen. Where some gateway
// has used up those that nodes take, they begin anew: nodes forget attempts after a while.
func (m *mover) number(p *history, f *finishedBatch) uint32 {
	if max(p.highest, p.over) >= f.Generation+maxNumbers {
		p.highest, p.over, p.seen = 0, 0, nil
		clear(p.spoiled)
	}
	to := max(p.highest, p.over, f.Generation) + 1
	for _, e := range m.directory.register.Of(f.ID) {
		to = max(to, e.Generation+1)
	}
	for p.spoiled[to] && to < f.Generation+maxNumbers {
		to++
	}
	return to
}

// open follows the rounds of an attempt, from their beginning.
func (m *mover) open(one *moving) {
	from, next := one.from.view, one.next
	one.attempt = m.board.Open(one.Reshare, from.manifest, next.manifest, from.opener, next.opener)
	if !one.shown.IsZero() {
		one.late = m.views.now.Add(one.wait())
	}
	m.moves[one.from.ID] = one
	for _, id := range one.attempt.IDs() {
		m.out.do(Refetch{ID: id, Reshare: true})
	}
}

// close lets go of an attempt.
func (m *mover) close(one *moving) {
	now := m.views.now
	m.pause = now.Add(min(now.Sub(one.begun), longestPause))
	m.board.Forget(one.attempt.ID)
	delete(m.moves, one.from.ID)
}

// giveUp ends an attempt. The batch rests, longer each time, and long if another attempt does
// not help.
func (m *mover) giveUp(one *moving, s *setback) {
	m.close(one)
	one.over = max(one.over, one.To)
	one.rests = m.views.now.Add(movePause(one.tries))
	if s.stop {
		one.rests = m.views.now.Add(min(leastStop<<min(one.tries, 10), mostStop))
	}
	one.tries++
	m.out.do(Report{What: ReportReshareAbandoned, Kind: wire.KindKeygen, ID: one.from.ID, Code: s.code, Culprit: s.culprit,
		Reason: fmt.Sprintf("generation %d: %s", one.To, s.reason)})
	m.queue = append([]string{one.from.ID}, m.queue...)
	m.schedule(false)
}
