package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
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

// onTick gives up what is late, and begins what there is time for.
func (m *mover) onTick() {
	m.propose()
	now := m.views.now
	for _, id := range slices.Sorted(maps.Keys(m.moves)) {
		switch one := m.moves[id]; {
		case !m.directory.has(one.from.BatchRef): // it was refused
			m.close(one)
		case !one.summing:
			m.onLate(one, now)
		}
	}
	for id, p := range m.pasts {
		if m.moves[id] == nil && p.over == 0 && now.Sub(p.at) > 2*wire.LiveAge { // nothing came of it here
			delete(m.pasts, id)
		}
	}
	m.schedule(true)
}

// onLate looks at an attempt that takes its time.
func (m *mover) onLate(one *moving, now time.Time) {
	switch {
	case one.shown.IsZero():
		if now.Sub(one.begun) > publishLife {
			m.giveUp(one, &setback{wire.CodeInternal, "WORK did not show its task", -1, false})
		}
	case !one.dealt && m.gone(one) >= 0:
		gone := m.gone(one)
		m.giveUp(one, &setback{wire.CodeExpired, nodeList([]int{gone}) + one.from.view.named() + " is not heard any more", -1, false})
	case !one.dealt && now.After(one.late):
		absent := one.attempt.Absent()
		for _, node := range absent {
			one.from.view.dealing.missed(node, one.begun)
		}
		m.giveUp(one, &setback{wire.CodeExpired, nodeList(absent) + one.from.view.named() + " did not deal in time", -1, false})
	case now.Sub(one.shown) > taskLife:
		m.giveUp(one, &setback{wire.CodeExpired, nodeList(one.attempt.Uncertified()) + one.next.named() +
			" did not certify for as long as WORK has the task", -1, false})
	case one.dealt && now.After(one.late):
		one.stalled = true
	}
}

// gone is a dealer that has not dealt and is not heard, where others are enough: nobody waits
// until its time is up. -1: there is none.
func (m *mover) gone(one *moving) int {
	v, heard := one.from.view, 0
	for i := range v.manifest.N {
		if !v.presence.nodes[i].absent {
			heard++
		}
	}
	for _, node := range one.attempt.Absent() {
		if v.presence.nodes[node].absent && heard >= v.manifest.T {
			return node
		}
	}
	return -1
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
