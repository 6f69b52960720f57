package protocol

import (
	"github.com/frostfleet/frostfleet/internal/wire"
	"testing"
	"time"
)

// TestRounds: what a gateway measures runs from the storing of the job to that
// of the round's last message.
func TestRounds(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	begin := f.now
	f.desk.arrive(f.keygen(1, "alice", "bitcoin", 2), nil)
	f.drainTasks()
	for i := range 3 {
		f.now = begin.Add(time.Duration(1+i) * time.Second)
		f.let(i, wire.SlotDeal)
	}
	for i := range 3 {
		f.now = begin.Add(time.Duration(11+i) * time.Second)
		f.let(i, wire.SlotCert)
	}
	f.rounds(begin, wire.KindKeygen, map[RoundKind]time.Duration{RoundDeals: 3 * time.Second, RoundCertificates: 13 * time.Second})
}

func TestSigningRounds(t *testing.T) {
	s := newSignCase(t)
	begin := s.now
	s.now = begin.Add(time.Second)
	members := s.members()
	for i, node := range members {
		s.now = begin.Add(time.Duration(2+i) * time.Second)
		s.let(node, wire.SlotShare)
	}
	s.done(1)
	s.rounds(begin, wire.KindSign, map[RoundKind]time.Duration{RoundCommitments: time.Second, RoundShares: 3 * time.Second})
}

func (f *fleet) rounds(begin time.Time, kind wire.Kind, want map[RoundKind]time.Duration) {
	f.t.Helper()
	equal(f.t, "rounds", len(f.desk.rounds), len(want))
	for _, r := range f.desk.rounds {
		if r.From != begin || r.To.Sub(begin) != want[r.Round] || r.Kind != kind || !r.Suite.Valid() || !r.Interactive {
			f.t.Errorf("%+v, want %s", r, want[r.Round])
		}
	}
}

// A job that was published twice finds the rounds of its first copy in the log.
// They took no time of the second's.
func TestRoundsOfAnEarlierCopy(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "bitcoin", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for i := range 3 {
		f.let(i, wire.SlotDeal)
	}
	deals := f.dkg
	f.desk = f.newDesk()
	f.now = f.now.Add(time.Minute)
	f.desk.arrive(job, nil)
	for _, m := range deals {
		f.desk.do(RoundsMessage{m})
	}
	equal(t, "rounds", len(f.desk.rounds), 0)
}

// TestNonceCounts: every pair that was drawn is used, dropped or held.
func TestNonceCounts(t *testing.T) {
	s := begun(t)
	counts := func(rank int, drawn, used, dropped uint64) {
		t.Helper()
		d, u, l := s.at(rank).NonceCounts()
		equal(t, "drawn, used, dropped", [3]uint64{d, u, l}, [3]uint64{drawn, used, dropped})
	}
	counts(0, 2, 0, 0)
	counts(2, 0, 0, 0) // of the second rank
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	counts(0, 2, 2, 0)

	s = begun(t)
	s.at(0).do(SignLost{})
	counts(0, 2, 0, 2)
	s.at(1).do(Tick{Now: s.now.Add(sessionLife + time.Second)})
	counts(1, 2, 0, 2)
}

// TestReportsNameTheJob: what is told of a batch or session leads back to its
// job, and to its trace.
func TestReportsNameTheJob(t *testing.T) {
	f := agedFleet(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, job := range []wire.SignedJob{f.signing(9, "alice", item(f.btc, 0, "one")), f.keygen(10, "alice", "bitcoin", 1)} {
		job.Trace = trace
		f.desk.reports, f.desk.rounds = nil, nil
		f.desk.arrive(job, nil)
		for _, task := range f.desk.tasks {
			equal(t, "trace of the task", task.Trace, trace)
		}
		f.drain()
		id := wire.PeekJobID(job.Payload)
		for _, r := range f.desk.reports {
			equal(t, "report", [3]string{string(r.Kind), r.Job, r.Trace}, [3]string{string(job.Kind), "alice/" + id, trace})
		}
		for _, r := range f.desk.rounds {
			equal(t, "trace of a round", r.Trace, trace)
		}
		equal(t, "rounds", len(f.desk.rounds), 2)
	}
}
