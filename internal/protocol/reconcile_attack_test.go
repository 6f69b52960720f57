package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// never has an answer on its way for as long as anybody waits.
func never(*lost, AskNode) {}

// All nodes but one say that they hold much, and take all the time there is to prove
// nothing: each does so once before the honest one has its turn, and not before each of
// its entries.
func TestSlowLiars(t *testing.T) {
	l := lostRegister(t)
	for i := range l.m.N - 1 {
		l.lies[i] = claims(never, fakes(500)...)
	}
	within := (l.m.N-1)*int(fetchTime.Seconds()+2) + 30
	for i := 0; l.desk.Keys() < 5; i++ {
		if i > within {
			t.Fatalf("%d keys are back after %d s", l.desk.Keys(), i)
		}
		l.tick()
	}
}

// What jobs wait for of a liar keeps what they wait for of an honest node from nobody,
// and is forgotten once nothing waits for the liar. Its queue does not grow with failures.
func TestUrgentLies(t *testing.T) {
	l := lostRegister(t)
	all := fakes(maxUrgent)
	l.lies[0] = claims(silence, all...)
	for i := range l.m.N {
		l.away[i] = true
	}
	l.tick()
	r := l.desk.reconciler()
	for _, one := range all {
		if r.mayHold(one.ID()); len(r.urgent) == maxUrgent {
			break
		}
	}
	for range 180 {
		l.tick()
	}
	equal(t, "claims of the liar that are urgent", len(r.urgent), 0)
	if n := len(r.peers[0].queue); n > len(all) {
		t.Errorf("%d claims are queued of %d", n, len(all))
	}
}

// Jobs that wait for lost keys take at most half of a gateway's places. Those beyond
// fail at once, and a place is free again when a job that waits ends.
func TestWaitingJobsLeavePlaces(t *testing.T) {
	l := lostRegister(t)
	r := l.desk.reconciler()
	r.started = false // nobody was compared: each may hold all
	for i := range maxLacking + 3 {
		l.desk.arrive(l.signing(100+i, "alice", wire.JobItem{Key: fake(7).ID() + ".0", Message: make([]byte, 32)}), nil)
	}
	for range loadRetries {
		timers := l.desk.timers
		l.desk.timers = nil
		for _, timer := range timers {
			if timer.Kind == timerLoad {
				l.desk.do(timer)
			}
		}
	}
	equal(t, "that wait", l.desk.directory.waiting, maxLacking)
	equal(t, "that failed", len(l.desk.finished), 3)
	for _, f := range l.desk.finished {
		equal(t, "code", f.Result.Code, wire.CodeRegisterIncomplete)
	}
	l.fleet.now = l.now.Add(11 * time.Minute)
	l.desk.do(Tick{l.now})
	equal(t, "that wait after all expired", l.desk.directory.waiting, 0)
}

// If KEYS turns out to have another valid entry, the batch is refused, and nothing else
// waits for it.
func TestConflictFoundByWriting(t *testing.T) {
	l := lostRegister(t)
	l.stuck = true
	l.tick()
	for len(l.desk.restores) == 0 {
		e := l.desk.asks[0]
		l.desk.asks = l.desk.asks[1:]
		l.answer(e)
	}
	one := l.desk.restores[0].Holding
	l.desk.restores = nil
	l.desk.do(EntryRestored{Holding: one, Conflict: true, Err: errOtherAnswer})
	equal(t, "refused", l.desk.directory.register.Refused(one.ID()), true)
	l.stuck = false
	l.ticks(2)
	equal(t, "restored", l.desk.counted(ReportRestored), 2)
}

// One answer that is lost makes no key unknown that a node said it holds; a node that
// stays away does.
func TestLostAnswer(t *testing.T) {
	l := lostRegister(t)
	for i := range l.m.N {
		own := l.nodes[i].Holdings()
		l.lies[i] = func(l *lost, e AskNode) {
			if h := own.Answer(&e.Ask); h != nil {
				l.say(e, h, nil)
			} // and the proof is on its way for ever
		}
	}
	l.ticks(2)
	r := l.desk.reconciler()
	equal(t, "may hold it", r.mayHold(l.btc), true)
	for i := range l.m.N {
		l.lies[i] = silence
	}
	l.ticks(12)
	equal(t, "may hold it, an answer later", r.mayHold(l.btc), true)
	l.ticks(maxMissed * 10)
	equal(t, "may hold it, long after", r.mayHold(l.btc), false)
}
