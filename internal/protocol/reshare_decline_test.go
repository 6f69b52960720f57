package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// declined are the attempts that a new node says it took no part in, as it holds another one.
func (a *actor) declined(t *testing.T) (sessions [][32]byte) {
	t.Helper()
	for _, w := range a.out {
		if w.slot.Kind != wire.SlotReshareAbort {
			continue
		}
		c := must(wire.DecodeComplaint(w.body))
		if c.Code != wire.CodeAttemptTaken || culpritOf(c) != -1 || w.slot.ID != wire.ShortID(c.Session) {
			t.Errorf("node %d says %v in %v", a.cfg.Index, c, w.slot)
		}
		sessions = append(sessions, c.Session)
	}
	return sessions
}

// useless is an attempt at shares that nobody has, which new nodes can't tell from another.
func (c *crossing) useless(to uint32) *wire.Reshare {
	r := c.attempt(to, 0, 1)
	r.From, r.Base = 1, [32]byte{1}
	return r
}

// New nodes took a task that can come to nothing, and a true one of the same number comes: they say
// that they certify it never. Of the task that they took they say nothing, however often it comes.
func TestReshareNumberTaken(t *testing.T) {
	c := standard(t)
	first := c.open(c.useless(2))
	c.open(first)
	for _, a := range c.next.nodes {
		equal(t, "declined", len(a.declined(t)), 0)
	}
	second := c.open(c.attempt(2, 0, 1))
	for _, a := range c.next.nodes {
		a.refusedLast(t, "was opened before")
		if got := a.declined(t); len(got) != 1 || got[0] != second.Context() {
			t.Errorf("node %d declines %x", a.cfg.Index, got)
		}
		a.want(wire.SlotReshareAbort)
	}
	for i, a := range c.old.nodes {
		equal(t, "an old node says more than its deal", len(a.out), map[bool]int{true: 1}[i < 2])
	}
	// A task that is not for these nodes, or can't be taken, is declined by nobody.
	third := c.attempt(2, 0, 1)
	third.PerSlice = 7
	c.open(third)
	for _, a := range c.next.nodes {
		a.want(wire.SlotReshareAbort)
	}
	c.publish()
	c.arrived(t, c.cross(3, 0, 2))
}

// Who certified an attempt in an earlier life knows which one it was.
func TestReshareNumberTakenBefore(t *testing.T) {
	c := standard(t)
	c.open(c.attempt(1, 0, 1))
	c.publish(wire.SlotReshareDeal)
	a := c.next.nodes[0]
	a.restart()
	equal(t, "declined", len(a.declined(t)), 0)
	a.resharer.tries = map[tryKey]*tries{}
	other := c.open(c.attempt(1, 1, 2))
	if got := a.declined(t); len(got) != 1 || got[0] != other.Context() {
		t.Errorf("declined: %x", got)
	}
}

// A gateway that lies opens a useless attempt, and a true one of the same number. The batch moves
// with the next number all the same, at once: it does not wait for as long as WORK has the task.
func TestNumberTakenHoldsNothingUp(t *testing.T) {
	c := newCrossing(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3})
	c.open(c.useless(2))
	c.open(c.attempt(2, 0, 1))
	c.gateway()
	d, hash := c.old.desk, c.next.m.Hash()
	d.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	c.run()
	for range 5 {
		c.old.now, c.next.now = c.old.now.Add(time.Second), c.next.now.Add(time.Second)
		d.do(Tick{c.old.now})
		c.run()
	}
	if f := d.directory.finished[c.id]; f.Generation != 3 {
		t.Errorf("the batch is at generation %d after 5 seconds: %v", f.Generation, d.reports)
	}
}

// A gateway that lies opens a useless attempt in the middle of a true one, which it ends at the new
// nodes. They say so, and the batch moves with the next number.
func TestLaterAttemptHoldsNothingUp(t *testing.T) {
	c := newCrossing(t, "solana", [2]int{2, 3}, [2]int{2, 2})
	c.gateway()
	d, hash := c.old.desk, c.next.m.Hash()
	d.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	p := d.tasks[0]
	d.tasks = nil
	c.old.post(p.Subject, wire.SealGateway(c.old.gateway, "gw", c.old.m, p.Subject, p.Body))
	c.open(c.useless(5))
	c.run()
	for range 5 {
		c.old.now, c.next.now = c.old.now.Add(time.Second), c.next.now.Add(time.Second)
		d.do(Tick{c.old.now})
		c.run()
	}
	if f := d.directory.finished[c.id]; f.Generation != 2 {
		t.Errorf("the batch is at generation %d after 5 seconds: %v", f.Generation, d.reports)
	}
}

// Whoever has a node refuse one task after the other has it say so with the pace of attempts.
func TestDeclinesHaveAPace(t *testing.T) {
	c := standard(t)
	c.open(c.useless(2))
	a := c.next.nodes[0]
	flood := func() {
		for i := range byte(20) {
			r := c.attempt(2, 0, 1)
			r.Made = [32]byte{i + 1}
			r.Base = r.Made
			c.open(r)
		}
	}
	flood()
	equal(t, "declined", len(a.declined(t)), freeAttempts)
	c.tick(keygenPause(freeAttempts))
	flood()
	equal(t, "declined after a pause", len(a.declined(t)), freeAttempts+1)
	c.tick(triesFor + time.Second)
	equal(t, "remembered", len(a.resharer.tries), 0)
}
