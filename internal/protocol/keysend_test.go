package protocol

import (
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// looks has every job that lacks keys look for them, many times.
func (d *desk) looks(jobs ...wire.SignedJob) {
	for range 2 * loadRetries {
		for _, j := range jobs {
			d.do(Timer{jobKey(j.Client, wire.PeekJobID(j.Payload)), timerLoad})
		}
	}
}

// A gateway that is behind does not say that there is no such key: it waits until it has
// read what KEYS had when the job came, however long that takes, and signs.
func TestBehindIsNotUnknown(t *testing.T) {
	f := agedFleet(t)
	f.desk = f.newDesk()
	f.desk.behind = true
	job := f.signing(9, "alice", item(f.btc, 0, "a"))
	f.desk.arrive(job, nil)
	f.desk.looks(job)
	equal(t, "answers of a gateway that is behind", len(f.desk.finished), 0)
	equal(t, "questions", len(f.desk.ends), 1)
	for _, m := range f.keys {
		f.desk.do(ReadKeys(f.m, m))
	}
	f.desk.looks(job)
	f.drain()
	(&signCase{aged: f, job: job}).done(1)
}

// What KEYS had when a question was asked says nothing of a job that came after. The jobs
// that wait ask together: keys that do not exist cost KEYS' leader two questions, however
// many jobs there are.
func TestUnknownAsksTogether(t *testing.T) {
	f := agedFleet(t)
	f.desk.behind = true
	unknown := wire.JobItem{Key: wire.KeyID{Batch: strings.Repeat("0", 32)}.String(), Message: make([]byte, 32)}
	var jobs []wire.SignedJob
	for i := range 64 {
		jobs = append(jobs, f.signing(100+i, "alice", unknown))
		f.desk.arrive(jobs[i], nil)
	}
	f.desk.looks(jobs...)
	equal(t, "answers before KEYS was read to its end", len(f.desk.finished), 0)
	equal(t, "questions", len(f.desk.ends), 1)
	f.desk.do(KeysEndRead{Number: 1})
	f.desk.looks(jobs...)
	equal(t, "answers to what came before the question", len(f.desk.finished), 1)
	f.desk.do(KeysEndRead{Number: 2})
	f.desk.looks(jobs...)
	equal(t, "answers", len(f.desk.finished), 64)
	equal(t, "questions in all", len(f.desk.ends), 2)
	for _, e := range f.desk.finished {
		equal(t, "code", e.Result.Code, wire.CodeUnknownKey)
	}
	equal(t, "jobs that wait", f.desk.directory.waiting, 0)
}

// Where KEYS' leader can't be asked, the job ends when its time is up, and says why.
func TestBehindUntilItExpires(t *testing.T) {
	f := agedFleet(t)
	f.desk.behind = true
	job := f.signing(9, "alice", wire.JobItem{
		Key: wire.KeyID{Batch: strings.Repeat("0", 32)}.String(), Message: make([]byte, 32),
	})
	f.desk.arrive(job, nil)
	f.desk.looks(job)
	f.fleet.now = f.now.Add(11 * time.Minute)
	f.desk.do(Tick{f.now})
	equal(t, "code", f.desk.result().Code, wire.CodeRegisterIncomplete)
	if reason := f.desk.result().Error; !strings.Contains(reason, "before the gateway had read KEYS to its end") {
		t.Error(reason)
	}
}
