package protocol

import (
	"errors"
	"fmt"
	"github.com/frostfleet/frostfleet/internal/wire"
	"strings"
	"testing"
	"time"
)

func TestKeygenJob(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "bitcoin", 2)
	f.desk.arrive(job, nil)
	f.drain()
	r := f.desk.result()
	f.check(wire.VerifyKeys(f.m, job, r))
	equal(t, "attempts", r.Attempts, 1)
	equal(t, "address", r.Keys[0].Address, fmt.Sprintf("bitcoin:regtest:%x", []byte(r.Keys[0].PublicKey)))
	equal(t, "keys in the directory", f.desk.Keys(), 2)
	again := f.desk.arrive(job, nil) // delivered again before its result could be found
	equal(t, "same keys", f.desk.finished[1].Result.Keys[0].ID, r.Keys[0].ID)
	equal(t, "token", f.desk.finished[1].Token, again)
	equal(t, "tasks", len(f.desk.tasks), 0)
}

// The gateway ends in the middle of key generation, at every stage. Its next
// life goes on where the log is.
func TestKeygenGatewayRestart(t *testing.T) {
	for stage := range 6 {
		f := newFleet(t, 2, 3).start()
		job := f.keygen(1, "alice", "solana", 2)
		f.desk.arrive(job, nil)
		f.drainTasks()
		for i := range stage {
			if i < 3 {
				f.let(i, wire.SlotDeal)
			} else {
				f.let(i-3, wire.SlotCert)
			}
		}
		f.newLife()
		equal(t, "under way", f.desk.Summaries(), 0)
		f.desk.arrive(job, nil)
		f.drain()
		r := f.desk.result()
		f.check(wire.VerifyKeys(f.m, job, r))
		equal(t, "attempts", r.Attempts, 1)
		equal(t, "tasks in WORK", len(f.work), 1)
	}
}

func (f *fleet) abort(code wire.Code) {
	var p *keygenBatch
	for _, p = range f.desk.keygen.batches {
	}
	ctx := p.header().Context(f.m)
	culprit := uint8(2)
	f.say(wire.Slot{Kind: wire.SlotAbort, ID: p.id, Node: 1}, wire.Encode(&wire.Complaint{Session: ctx, Code: code, Reason: "because", Culprit: &culprit}))
}

// An aborted attempt is followed by the next, after a pause; too many faults
// end the job with the last reason. Restarts are no fault.
func TestKeygenAborts(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for _, a := range f.nodes {
		a.out = nil
	}
	for range 3 * maxFaults {
		f.abort(wire.CodeRestarted)
		f.desk.timeout(timerRetry)
		f.drainTasks()
	}
	equal(t, "results after restarts only", len(f.desk.finished), 0)
	f.newLife() // counts what the log has
	f.desk.arrive(job, nil)
	f.drainTasks()
	for range maxFaults - 1 {
		f.abort(wire.CodeInternal)
		f.desk.timeout(timerRetry)
		f.drainTasks()
		equal(t, "culprit of the retry, by one node's word", f.desk.reports[len(f.desk.reports)-1].Culprit, -1)
	}
	equal(t, "results", len(f.desk.finished), 0)
	f.abort(wire.CodeInternal)
	r := f.desk.result()
	if r.Code != wire.CodeKeygenFailed || !strings.Contains(r.Error, "node 1 gave up: internal: because") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

func TestKeygenAfterAbort(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	f.abort(wire.CodeRestarted)
	f.desk.timeout(timerRetry)
	f.drain()
	r := f.desk.result()
	f.check(wire.VerifyKeys(f.m, job, r))
	equal(t, "attempts", r.Attempts, 2)
	equal(t, "attempt of the batch", r.Batches[0].Attempt, 1)
}

// n certificates win over an abort: the gateway gives out the first attempt's
// keys if that is the one that got done.
func TestKeygenDoneDespiteAbort(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for i := range 3 {
		f.let(i, wire.SlotDeal)
	}
	f.abort(wire.CodeInternal)
	for i := range 3 {
		f.let(i, wire.SlotCert)
	}
	f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
}

// The same, where the job comes while the finished batch is being read.
func TestKeygenDoneDespiteAbortAfterRestart(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for i := range 3 {
		f.let(i, wire.SlotDeal)
	}
	f.abort(wire.CodeInternal)
	for i := range 3 {
		f.let(i, wire.SlotCert)
	}
	f.desk = f.newDesk()
	f.desk.hold = true
	f.show(f.desk)
	equal(t, "under way", f.desk.Summaries(), 1)
	f.desk.arrive(job, nil)
	f.desk.hold = false
	for _, c := range f.desk.held {
		f.desk.do(c.Run())
	}
	r := f.desk.result()
	f.check(wire.VerifyKeys(f.m, job, r))
	equal(t, "attempts", r.Attempts, 1)
}

// More parts than places: they queue, and each place is used again.
func TestPlaces(t *testing.T) {
	f := newFleet(t, 1, 1).start()
	f.desk.keygen.flights.bounds = Range{1, 1}
	one, two := f.keygen(1, "alice", "solana", 1001), f.keygen(2, "bob", "solana", 1)
	f.desk.arrive(one, nil)
	f.desk.arrive(two, nil)
	equal(t, "tasks", len(f.desk.tasks), 1)
	f.drain()
	equal(t, "results", len(f.desk.finished), 2)
	for i, job := range []wire.SignedJob{one, two} {
		f.check(wire.VerifyKeys(f.m, job, f.desk.finished[i].Result))
	}
	equal(t, "left", f.desk.keygen.flights.underWay+len(f.desk.keygen.batches)+len(f.desk.keygen.queue), 0)
}

func TestBatchPoll(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
	f.drainTasks()
	f.work = nil // WORK was lost
	f.desk.timeout(timerBatch)
	equal(t, "tasks", len(f.desk.tasks), 1)
	f.drain()
	equal(t, "status", f.desk.result().Status, wire.StatusDone)
	for _, timer := range f.desk.timers {
		f.desk.do(timer) // of a job that is done
	}
	equal(t, "tasks", len(f.desk.tasks), 0)
}

// A result that can't be made ends its job all the same.
func TestNoAddress(t *testing.T) {
	for _, address := range []func(string, string, []byte) (string, error){
		func(string, string, []byte) (string, error) { return "", errors.New("no") },
		func(string, string, []byte) (string, error) { panic("no") },
	} {
		f := newFleet(t, 1, 1).start()
		f.desk.keygen.cfg.Address = address
		f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
		f.drain()
		equal(t, "code", f.desk.result().Code, wire.CodeInternal)
	}
}

// A job that expires while its result is being computed has its result.
func TestExpiryWhileAnswering(t *testing.T) {
	f := newFleet(t, 1, 1).start()
	f.desk.hold = true
	f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
	f.drain()
	f.desk.do(f.desk.held[0].Run()) // the entry; then the result
	f.flush()
	f.desk.do(Tick{f.now.Add(time.Hour)})
	equal(t, "ended by the clock", len(f.desk.finished), 0)
	f.desk.do(f.desk.held[1].Run())
	equal(t, "status", f.desk.result().Status, wire.StatusDone)
	equal(t, "jobs", f.desk.Jobs(), 0)
}

// What no job waits for is forgotten in the end; a batch in work stays.
func TestGatewayForgets(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
	f.drainTasks()
	f.let(0, wire.SlotDeal)
	for _, id := range []string{someBatch, "ff" + someBatch[2:]} {
		f.say(wire.Slot{Kind: wire.SlotDeal, ID: id, Node: 1}, make([]byte, 1000))
	}
	held := f.desk.registrar().rounds
	equal(t, "batches", held.Len(), 3)
	f.desk.do(Tick{f.now.Add(boardLife + time.Second)}) // the job expires as well
	f.desk.do(Tick{f.now.Add(boardLife + 2*time.Second)})
	equal(t, "batches and bytes after the time", held.Len()+held.Bytes(), 0)
}

// A log full of given up attempts: the next life of a gateway goes past them,
// and ends the job where they were too many.
func TestKeygenPastAborts(t *testing.T) {
	for _, code := range []wire.Code{wire.CodeRestarted, wire.CodeInternal} {
		f := newFleet(t, 2, 3).start()
		job := f.keygen(1, "alice", "solana", 1)
		for attempt := range maxFaults + 1 {
			ctx := f.header(job, 0, attempt).Context(f.m)
			f.say(wire.Slot{Kind: wire.SlotAbort, ID: wire.ShortID(ctx), Node: 0}, wire.Encode(&wire.Complaint{Session: ctx, Code: code, Reason: "because"}))
		}
		f.newLife()
		f.desk.arrive(job, nil)
		f.drain()
		f.passTime(attemptDue(maxFaults + 1)) // nodes that saw no earlier task take it for early
		f.drain()
		r := f.desk.result()
		if code == wire.CodeRestarted {
			f.check(wire.VerifyKeys(f.m, job, r))
			equal(t, "attempts", r.Attempts, maxFaults+2)
		} else {
			equal(t, "code", r.Code, wire.CodeKeygenFailed)
		}
	}
}
