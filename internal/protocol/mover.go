package protocol

import (
	"fmt"
	"maps"
	"slices"
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

// moved is an entry of a later generation, or why there is none.
type moved struct {
	batch *finishedBatch
	write WriteEntry
	err   error
}

func (moved) event() {}

// sum has the entry of an attempt made that all new nodes certified.
func (m *mover) sum(one *moving) {
	one.summing = true
	digests, _ := one.attempt.Digests()
	f, r, from, next := *one.from, one.Reshare, one.from.view.manifest, one.next.manifest
	f.BatchRef = wire.BatchRef{ID: f.ID, Generation: r.To}
	f.view, f.transcript, f.public = one.next, wire.Transcript(digests), nil
	keys, certs, deals := one.from.keys(), one.attempt.Certificates(), one.attempt.Deals()
	m.out.do(Compute{Name: "make entry", Run: func() Event {
		made := moved{batch: &f}
		if f.public, made.err = sumUpLater(&r, from, next, publicKeys(keys), deals); made.err == nil &&
			wire.KeyRoot(f.keys()) != f.root {
			made.err = errOtherKeys
		}
		made.write = WriteEntry{ID: f.ID, Generation: r.To, Deals: deals, Head: wire.Encode(wire.NewLaterHead(&r, keys, certs, digests))}
		return made
	}})
}

func publicKeys(keys []wire.EntryKey) (all [][]byte) {
	for _, k := range keys {
		all = append(all, k.PublicKey)
	}
	return all
}

// onMoved has an entry written.
func (m *mover) onMoved(e moved) {
	one := m.moves[e.batch.ID]
	if one == nil || one.To != e.batch.Generation {
		return
	}
	if e.err != nil { // all nodes of a manifest certified it
		m.giveUp(one, &setback{wire.CodeInternal, e.err.Error(), -1, true})
		return
	}
	m.writing[e.batch.BatchRef] = e.batch
	m.out.do(e.write)
}

// onWritten takes a batch into the directory that KEYS has acknowledged, all of it.
func (m *mover) onWritten(e EntryWritten) *finishedBatch {
	ref := wire.BatchRef{ID: e.ID, Generation: e.Generation}
	f := m.writing[ref]
	if f == nil {
		return nil
	}
	delete(m.writing, ref)
	if e.Err != nil { // somebody else may have succeeded
		m.out.do(Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: f.ID, Culprit: -1,
			Reason: fmt.Sprintf("not written: %v", e.Err)}, Refetch{ID: f.ID, Register: true})
		if one := m.moves[e.ID]; one != nil && one.To == e.Generation {
			m.giveUp(one, &setback{wire.CodeInternal, "its entry was not written", -1, false})
		}
		return nil
	}
	m.out.do(Report{What: ReportReshared, Kind: wire.KindKeygen, ID: f.ID, Suite: frost.Suite(f.header.Suite),
		Count: int(f.header.K), Culprit: -1})
	return m.directory.add(f)
}

// onFinished ends the moving of a batch to where it is now, whoever brought it there.
func (m *mover) onFinished(f *finishedBatch) {
	if one := m.moves[f.ID]; one != nil && one.from != f {
		m.close(one)
	}
	delete(m.pasts, f.ID)
	if _, ok := m.leaves(f); ok {
		m.queue = append(m.queue, f.ID)
	}
	m.schedule(false)
}
