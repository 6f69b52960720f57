package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a mover hears of attempts, in WORK and in the rounds, and what becomes of one that takes its time.

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

// onTaskSeen takes a task of WORK, of whichever gateway. The first one of a number counts:
// another one for it is not seen by anybody.
func (m *mover) onTaskSeen(e TaskMessage, body []byte) {
	r, err := wire.DecodeReshare(body)
	if err != nil || wire.ReshareTaskSubject(r) != e.Subject {
		return
	}
	id := r.BatchID()
	f, one := m.directory.finished[id], m.moves[id]
	if r.To <= r.From || r.To-r.From > maxNumbers || f == nil && m.directory.complete {
		return // no node takes it
	}
	m.active[wire.SealedBy(e.Data)] = e.Now
	p := m.historyOf(id)
	if f == nil || r.From == f.Generation {
		p.highest = max(p.highest, r.To)
	}
	if f != nil && m.views.after(f.view) != nil && !fits(r, f, m.views.after(f.view)) {
		if r.To <= f.Generation+maxNumbers {
			p.spoiled[r.To] = true
		}
		if one != nil && one.shown.IsZero() && r.To == one.To {
			m.giveUp(one, &setback{wire.CodeAttemptTaken, "WORK has another task of its number, which comes to nothing", -1, false})
		}
		return // nodes may have counted it
	}
	if p.seen == nil || r.To > p.seen.To {
		p.seen, p.at = r, e.Now
		if e.Time.Before(e.Now) {
			p.at = e.Time
		}
	}
	switch {
	case one == nil || one.summing || r.To < one.To:
	case r.Context() != one.Context() && p.seen.Context() == one.Context():
		// a second task of this number: it ends nothing, or a gateway that lies had it read from its beginning for ever
	case r.Context() != one.Context():
		m.close(one) // another gateway's attempt counts in place of this one's
		m.queue = append([]string{id}, m.queue...)
		m.schedule(false)
	case one.shown.IsZero():
		one.shown, one.late = e.Now, e.Now.Add(one.wait())
	}
}

// onRounds takes a message of the rounds.
func (m *mover) onRounds(msg wire.LogMessage) {
	a, _, changed := m.board.Put(msg)
	if !changed {
		return
	}
	one := m.moves[a.BatchID()]
	if one == nil || one.attempt != a || one.summing {
		return
	}
	if one.shown.IsZero() { // who speaks has seen the task
		one.shown, one.late = m.views.now, m.views.now.Add(one.wait())
	}
	if len(a.Absent()) == 0 && !one.dealt {
		one.dealt, one.late = true, m.views.now.Add(one.wait())
		for _, d := range one.Dealers {
			one.from.view.dealing.answered(int(d))
		}
	}
	switch done, failed := one.judge(); {
	case done:
		m.sum(one)
	case failed != nil:
		m.giveUp(one, failed)
	}
}
