package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The attempts of a mover: how one is opened, what WORK and the rounds show of it, and how it ends.

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
