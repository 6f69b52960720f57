package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// tick lets time go by for everybody; node 0's clock is off.
func (b *batchTest) tick(by, off time.Duration) {
	b.now = b.now.Add(by)
	for i, a := range b.nodes {
		now := b.now
		if i == 0 {
			now = now.Add(off)
		}
		a.do(Tick{now})
	}
}

// sealWhen gives node 0 a session key by a clock that is off.
func (b *batchTest) sealWhen(off time.Duration) {
	now := b.now
	b.now = now.Add(off)
	b.sessions[0] = b.session(0)
	b.now = now
}

// wrong are clocks by which a session key counts for nobody.
var wrong = map[string]time.Duration{"fast": 5 * time.Minute, "slow": -2 * time.Hour}

// TestDealUnderAKeyFromAWrongClock: a deal that was sealed while the clock was wrong
// counts for nobody. Its node says it again once it has another key, and the batch is
// finished.
func TestDealUnderAKeyFromAWrongClock(t *testing.T) {
	for name, off := range wrong {
		t.Run(name, func(t *testing.T) {
			b := dealt(t, "solana")
			b.tick(0, off)
			b.sealWhen(off)
			b.releaseAll(wire.SlotDeal)
			equal(t, "phase after a deal that does not count", b.phase(1), dkgDealt)
			b.sealWhen(0)
			b.tick(sayAgainAfter, 0)
			b.release(0, wire.SlotDeal) // fails if it is not wanted
			equal(t, "phase after the deal was said again", b.phase(1), dkgCertifying)
			b.releaseAll(wire.SlotCert)
			for i, a := range b.nodes {
				equal(t, "complete", a.done[b.id], true)
				if _, count := a.reported(ReportDealt); count != 1 {
					t.Errorf("node %d dealt %d times", i, count)
				}
			}
		})
	}
}

// TestAbortUnderAKeyFromAWrongClock: the same with an abort, for which a gateway waits
// that would begin again.
func TestAbortUnderAKeyFromAWrongClock(t *testing.T) {
	for name, off := range wrong {
		t.Run(name, func(t *testing.T) {
			b := dealt(t, "solana")
			b.nodes[0].do(SlotLost{wire.Slot{Kind: wire.SlotDeal, ID: b.id, Node: 0}})
			b.nodes[0].out = b.nodes[0].out[1:] // the deal
			b.tick(0, off)
			b.sealWhen(off)
			b.release(0, wire.SlotAbort)
			equal(t, "phase after an abort that does not count", b.phase(1), dkgDealt)
			b.sealWhen(0)
			b.tick(sayAgainAfter, 0)
			b.release(0, wire.SlotAbort)
			equal(t, "phase after the abort was said again", b.phase(1), dkgAborted)
		})
	}
}

// TestSaidAgainSeldom: a clock that stays wrong does not fill the rounds, and what counts
// is not said again, whatever else comes into the slot.
func TestSaidAgainSeldom(t *testing.T) {
	b := dealt(t, "solana")
	deal := b.nodes[0].want(wire.SlotDeal)
	said := 0
	for range int(wire.MaxJobLife/4/time.Second) / 2 {
		b.sealWhen(5 * time.Minute)
		for _, w := range b.nodes[0].out {
			said++
			b.nodes[0].fill(w)
		}
		b.nodes[0].out = nil
		b.tick(2*time.Second, 5*time.Minute)
	}
	if most := int(wire.MaxJobLife/4/sayAgainMost) + 7; said < most-3 || said > most {
		t.Errorf("said %d times in a quarter of an hour, want about %d", said, most)
	}
	b.sealWhen(0)
	b.nodes[0].fill(deal)
	b.nodes[0].out = nil
	b.post(deal.slot.String(), []byte("junk"))
	b.tick(time.Hour/2, 0)
	if len(b.nodes[0].out) > 0 {
		t.Errorf("wants %v again", b.nodes[0].out[0].slot)
	}
}

// TestTaskWhileTheClockWasWrong: a node that refused the task of a key generation by its
// clock begins it when the clock is right, and no other node has to wait for longer.
func TestTaskWhileTheClockWasWrong(t *testing.T) {
	for name, off := range map[string]time.Duration{"fast": 2 * time.Hour, "slow": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBatch(t, "solana")
			b.task(&wire.Task{Job: b.job}, jobID(1))
			task := b.work[len(b.work)-1]
			b.nodes[0] = b.newActor(0)
			b.nodes[0].do(TaskMessage{task, b.now.Add(off)})
			b.tick(time.Second, off)
			b.nodes[0].expect(ReportBadTask)
			if len(b.nodes[0].out) > 0 {
				t.Fatal("a node dealt against its clock")
			}
			b.tick(time.Second, 0)
			b.releaseAll(wire.SlotDeal)
			b.releaseAll(wire.SlotCert)
			equal(t, "complete", b.nodes[1].done[b.id], true)
			b.tick(time.Second, off)
			b.tick(time.Second, 0)
			equal(t, "postponed tasks", len(b.nodes[0].postponed), 0)
		})
	}
}

// TestPostponedTasksAreBounded: what a wrong clock refuses takes no more memory than
// that, and signing tasks take none.
func TestPostponedTasksAreBounded(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk = nil
	for i := range maxPostponed + 2 {
		job := f.keygen(i, "alice", "solana", 1)
		f.task(&wire.Task{Job: job}, jobID(i))
	}
	last := f.work[len(f.work)-1]
	sign := f.signing(1, "alice", wire.JobItem{Key: wire.KeyID{Batch: someBatch}.String(), Message: []byte("m")})
	f.task(wire.SignTask(sign, 0, []uint32{0}, nil), jobID(1))
	a := f.newActor(0)
	for _, m := range f.work {
		a.do(TaskMessage{m, f.now.Add(-time.Hour)})
	}
	kept := a.postponed
	equal(t, "kept", len(kept), maxPostponed)
	equal(t, "the newest", kept[maxPostponed-1].message.Subject, last.Subject)
}

// TestLookAgainAfterTheClockWasSet: a batch that has to be read again waits for no time
// that a fast clock showed.
func TestLookAgainAfterTheClockWasSet(t *testing.T) {
	b := dealt(t, "solana")
	d := b.nodes[0].dealer.batches[b.id]
	for _, at := range []struct {
		off   time.Duration
		looks int
	}{{5 * time.Minute, 1}, {5*time.Minute + time.Second, 0}, {0, 1}, {time.Second, 0}} {
		b.nodes[0].setTime(b.now.Add(at.off))
		equal(t, "looks", len(d.lookAgain(b.nodes[0].dealer.board.Get(b.id))), at.looks)
	}
}

// TestBatchWhileTheClockWasFast: a node whose clock says for a moment that a job is over
// has forgotten its deal. It says so when the clock is right again, and deals no second
// time, whoever shows it the task once more: the gateway begins again, and need not wait
// until the job expires.
func TestBatchWhileTheClockWasFast(t *testing.T) {
	b := dealt(t, "solana")
	b.release(0, wire.SlotDeal)
	b.tick(time.Second, 2*time.Hour)
	equal(t, "phase after the job was over", b.phase(0), dkgIdle)
	b.nodes[0].do(TaskMessage{b.work[len(b.work)-1], b.now.Add(2 * time.Hour)})
	b.tick(time.Second, 0)
	equal(t, "code", b.aborted(0).Code, wire.CodeRestarted)
	if _, count := b.nodes[0].reported(ReportDealt); count != 1 {
		t.Errorf("it dealt %d times", count)
	}
	b.release(0, wire.SlotAbort)
	equal(t, "phase of the others", b.phase(1), dkgAborted)
	equal(t, "lapsed", len(b.nodes[0].dealer.lapsed), 0)
}

// TestNothingSaidAfterExpiry: what does not count is not said again once its job is over.
func TestNothingSaidAfterExpiry(t *testing.T) {
	for _, kind := range []wire.SlotKind{wire.SlotDeal, wire.SlotAbort} {
		b := dealt(t, "solana")
		if kind == wire.SlotAbort {
			b.nodes[0].do(SlotLost{wire.Slot{Kind: wire.SlotDeal, ID: b.id, Node: 0}})
		}
		b.nodes[0].out = nil
		b.post(wire.Slot{Kind: kind, ID: b.id, Node: 0}.String(), []byte("junk"))
		b.tick(wire.MaxJobLife+2*wire.ClockSkew, 0)
		if len(b.nodes[0].out) > 0 {
			t.Errorf("says %v again", b.nodes[0].out[0].slot)
		}
	}
}

// TestLapsedBatchesAreBounded: what a fast clock ends takes no more memory than that.
func TestLapsedBatchesAreBounded(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk = nil
	for i := range maxPostponed + 2 {
		f.task(&wire.Task{Job: f.keygen(i, "alice", "solana", 1)}, jobID(i))
	}
	a := f.nodes[0]
	for range 2 {
		a.do(Tick{f.now.Add(2 * time.Hour)})
		equal(t, "batches", len(a.dealer.batches), 0)
		equal(t, "lapsed", len(a.dealer.lapsed), maxPostponed)
	}
	for _, d := range a.dealer.lapsed {
		if d.said != nil {
			t.Fatal("it keeps a deal")
		}
	}
}

// TestPostponedTaskOfTheRevoked: a task that waited for the clock is held against the
// access list of when it begins.
func TestPostponedTaskOfTheRevoked(t *testing.T) {
	for name, revoke := range map[string]func(*batchTest){
		"client":  func(b *batchTest) { b.change(wire.Revoked{}, "alice") },
		"gateway": func(b *batchTest) { b.change(wire.Revoked{}, "gw") },
		"node":    func(b *batchTest) { b.change(b.identityOf(2)) },
		"nobody":  func(b *batchTest) { b.change(wire.Revoked{}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBatch(t, "solana")
			b.task(&wire.Task{Job: b.job}, jobID(1))
			b.nodes[0] = b.newActor(0)
			b.nodes[0].do(TaskMessage{b.work[len(b.work)-1], b.now.Add(2 * time.Hour)})
			equal(t, "postponed", len(b.nodes[0].postponed), 1)
			revoke(b)
			b.tick(time.Second, 0)
			equal(t, "begun", b.phase(0) == dkgDealt, name == "nobody")
			equal(t, "postponed", len(b.nodes[0].postponed), 0)
		})
	}
}
