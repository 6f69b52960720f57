package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signJobs runs sign jobs: it finds their keys, has bulk jobs wait for capacity,
// and opens attempts until every item is signed.
type signJobs struct {
	cfg       CoordinatorConfig
	directory *directory
	opener    *wire.Opener
	out       *outbox
	jobs      map[*activeJob]*activeSign
	attempts  map[string]*attempt // by session
	latest    map[string]lastTask // in WORK, by job
	bulk      bulkQueue
}

// lastTask is the latest attempt of a job that stands in WORK.
type lastTask struct {
	attempt uint32
	at      time.Time
}

func newSignJobs(cfg CoordinatorConfig, d *directory, o *wire.Opener, out *outbox) *signJobs {
	return &signJobs{
		cfg: cfg, directory: d, opener: o, out: out, jobs: map[*activeJob]*activeSign{},
		attempts: map[string]*attempt{}, latest: map[string]lastTask{}, bulk: bulkQueue{running: map[string]int{}},
	}
}

func (s *signJobs) start(job *activeJob) {
	j := &activeSign{
		activeJob: job, bad: map[int]string{}, missing: map[int]bool{}, late: map[int]int{},
		sigs: make([][]byte, len(job.job.Items)), left: make([]uint32, len(job.job.Items)),
	}
	s.jobs[job] = j
	for i := range j.left {
		j.left[i] = uint32(i)
	}
	if last, ok := s.latest[job.key()]; ok {
		j.next = int(last.attempt) + 1
	}
	s.find(j)
}

// lookAgain looks for the keys of a job once more, if it still lacks some.
func (s *signJobs) lookAgain(job *activeJob) {
	if j := s.jobs[job]; j != nil && j.items == nil {
		s.find(j)
	}
}

// onTaskSeen remembers the latest attempt of a job, of whichever gateway.
func (s *signJobs) onTaskSeen(key string, attempt uint32, at time.Time) {
	if last, ok := s.latest[key]; !ok || last.attempt < attempt {
		s.latest[key] = lastTask{attempt: attempt, at: at}
	}
}

// expire forgets tasks that nobody will follow up.
func (s *signJobs) expire(now time.Time) {
	for key, last := range s.latest {
		if now.Sub(last.at) > 2*sessionLife {
			delete(s.latest, key)
		}
	}
}

// find looks the job's keys up, and opens its first attempt. A key that is not
// there yet may be one that another gateway announced a moment ago, so the look is
// repeated.
func (s *signJobs) find(j *activeSign) {
	items, keys := make([]frost.Item, len(j.job.Items)), make([]frost.Key, len(j.job.Items))
	for i, it := range j.job.Items {
		id, _ := wire.ParseKeyID(it.Key)
		b := s.directory.find(id.Batch)
		switch {
		case b == nil && (s.directory.proven(id.Batch) || s.again(j)):
			s.out.do(After{Delay: loadDelay, Timer: Timer{j.key(), timerLoad}})
			return
		case b == nil || id.Index >= int(b.header.K):
			s.out.fail(j.activeJob, wire.Refuse(wire.CodeUnknownKey, "item %d: this fleet has no key %s", i, it.Key))
			return
		case b.header.Client != j.Signed.Client:
			s.out.fail(j.activeJob, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", i, it.Key))
			return
		}
		keys[i] = b.key(s.cfg.Manifest, id.Index)
		items[i] = frost.Item{Key: &keys[i], Message: it.Message, Tweak: it.Tweak(keys[i].Suite)}
		if err := checkItem(items[i], items[0]); err != nil {
			s.out.fail(j.activeJob, wire.Refuse(err.Code, "item %d: %s", i, err.Reason))
			return
		}
	}
	j.items = items
	if j.job.Interactive() {
		s.open(j)
		return
	}
	s.bulk.add(j)
	s.schedule()
}

// again reports whether an unknown key is worth another look. While the directory
// is being filled it always is.
func (s *signJobs) again(j *activeSign) bool {
	if !s.directory.complete {
		return true
	}
	j.loads++
	return j.loads < loadRetries/2
}

// schedule opens bulk jobs while there is capacity.
func (s *signJobs) schedule() {
	for s.bulk.total < s.cfg.MaxBulk {
		j := s.bulk.next()
		if j == nil {
			return
		}
		s.open(j)
	}
}

// release takes a job that has ended out of work.
func (s *signJobs) release(job *activeJob) {
	j := s.jobs[job]
	if j == nil {
		return
	}
	delete(s.jobs, job)
	for _, id := range j.sessions {
		delete(s.attempts, id)
	}
	s.bulk.done(j)
	s.schedule()
}

// spareAttempts is how many attempts a job gets besides one for each node that
// may be faulty: a restart of a member costs one, and so do two seconds without
// the bus.
const spareAttempts = 12

// open asks for signatures of all that is left, from whoever is neither proven
// faulty nor missing.
func (s *signJobs) open(j *activeSign) {
	n, t := s.cfg.Manifest.N, s.cfg.Manifest.T
	if j.current != nil {
		j.current.closed = true
	}
	for node := range j.bad {
		delete(j.missing, node)
	}
	if n-len(j.bad)-len(j.missing) < t {
		clear(j.missing)
	}
	if n-len(j.bad) < t || j.next > wire.MaxAttempts || j.tries >= n-t+spareAttempts {
		s.out.fail(j.activeJob, wire.Refuse(wire.CodeSigningFailed, "given up after %d attempts with %d of %d signatures missing: %s",
			j.tries, len(j.left), len(j.job.Items), j.failureSummary(t)))
		return
	}
	task := wire.SignTask(j.Signed, j.next, slices.Clone(j.left), j.excluded(n))
	j.next++
	j.tries++
	a := newAttempt(j, task, s.cfg.Manifest, s.opener)
	j.current = a
	j.sessions = append(j.sessions, a.id)
	s.attempts[a.id] = a
	s.out.do(
		PublishTask{Subject: wire.TaskSubject(task, j.ID), Body: wire.Encode(task), Trace: j.Signed.Trace},
		After{Delay: s.cfg.CommitWait + a.sizeWait(), Timer: Timer{a.id, timerCommits}},
	)
}

// retry opens the next attempt; culprit -1 is nobody.
func (s *signJobs) retry(j *activeSign, culprit int) {
	s.out.do(j.retry(wire.CodeSigningFailed, j.failureSummary(s.cfg.Manifest.T), culprit))
	s.open(j)
}

// expiryReason explains what an expired job was waiting for.
func (s *signJobs) expiryReason(job *activeJob) *wire.JobError {
	j := s.jobs[job]
	return wire.Refuse(wire.CodeSigningFailed, "expired before %d of %d signatures were made: %s",
		len(j.left), len(j.job.Items), j.failureSummary(s.cfg.Manifest.T))
}
