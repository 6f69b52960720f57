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
	attested  *wire.AttestationCache
	attempts  map[string]*attempt // by session
	latest    map[string]lastTask // in WORK, by job
	bulk      bulkQueue
}

// lastTask is the latest attempt of a job that stands in WORK.
type lastTask struct {
	attempt uint32
	at      time.Time
}

// activeSign is what is special about a sign job in work.
type activeSign struct {
	items    []frost.Item   // nil until all keys are found
	left     []uint32       // items to sign yet
	sigs     [][]byte       // by item
	next     int            // attempt
	tries    int            // attempts that this gateway opened
	loads    int            // looks for a key that is not there
	bad      map[int]string // nodes proven faulty: out for this job
	missing  map[int]bool   // nodes that sent no share in time: out until it arrives
	late     map[int]int    // how often they were
	current  *attempt
	sessions []string // of all attempts

	scheduled bool // a bulk job that counts as running
}

func newSignJobs(cfg CoordinatorConfig, d *directory, o *wire.Opener, out *outbox) *signJobs {
	return &signJobs{
		cfg: cfg, directory: d, opener: o, out: out, attested: wire.NewAttestationCache(cfg.Manifest),
		attempts: map[string]*attempt{}, latest: map[string]lastTask{}, bulk: bulkQueue{running: map[string]int{}},
	}
}

func (s *signJobs) start(j *activeJob) {
	j.sign = &activeSign{
		bad: map[int]string{}, missing: map[int]bool{}, late: map[int]int{}, sigs: make([][]byte, len(j.job.Items)),
	}
	for i := range j.job.Items {
		j.sign.left = append(j.sign.left, uint32(i))
	}
	if last, ok := s.latest[j.key()]; ok {
		j.sign.next = int(last.attempt) + 1
	}
	s.find(j)
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
func (s *signJobs) find(j *activeJob) {
	items := make([]frost.Item, len(j.job.Items))
	for i, it := range j.job.Items {
		id, _ := wire.ParseKeyID(it.Key)
		b := s.directory.find(id.Batch)
		switch {
		case b == nil && s.again(j):
			s.out.do(After{Delay: loadDelay, Timer: Timer{j.key(), timerLoad}})
			return
		case b == nil || id.Index >= int(b.header.K):
			s.out.fail(j, wire.Refuse(wire.CodeUnknownKey, "item %d: this fleet has no key %s", i, it.Key))
			return
		case b.header.Client != j.Signed.Client:
			s.out.fail(j, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", i, it.Key))
			return
		}
		items[i] = frost.Item{
			Key: b.key(s.cfg.Manifest, id.Index), Message: it.Message, Tweak: it.Tweak(frost.Suite(b.header.Suite)),
		}
		if err := checkItem(items[i], items[0]); err != nil {
			s.out.fail(j, wire.Refuse(err.Code, "item %d: %s", i, err.Reason))
			return
		}
	}
	j.sign.items = items
	if j.job.Interactive() {
		s.open(j)
		return
	}
	s.bulk.add(j)
	s.schedule()
}

// again reports whether an unknown key is worth another look. While the directory
// is being filled it always is.
func (s *signJobs) again(j *activeJob) bool {
	if !s.directory.complete {
		return true
	}
	j.sign.loads++
	return j.sign.loads < loadRetries/2
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
func (s *signJobs) release(j *activeJob) {
	if j.sign == nil {
		return
	}
	for _, id := range j.sign.sessions {
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
func (s *signJobs) open(j *activeJob) {
	js, n, t := j.sign, s.cfg.Manifest.N, s.cfg.Manifest.T
	if js.current != nil {
		js.current.closed = true
	}
	for node := range js.bad {
		delete(js.missing, node)
	}
	if n-len(js.bad)-len(js.missing) < t {
		clear(js.missing)
	}
	if n-len(js.bad) < t || js.next > wire.MaxAttempts || js.tries >= n-t+spareAttempts {
		s.out.fail(j, wire.Refuse(wire.CodeSigningFailed, "given up after %d attempts with %d of %d signatures missing: %s",
			js.tries, len(js.left), len(j.job.Items), js.failureSummary(t)))
		return
	}
	task := wire.SignTask(j.Signed, js.next, slices.Clone(js.left), js.excluded(n))
	js.next++
	js.tries++
	a := newAttempt(j, task, s.cfg.Manifest, s.attested)
	js.current = a
	js.sessions = append(js.sessions, a.id)
	s.attempts[a.id] = a
	s.out.do(
		PublishTask{Subject: wire.TaskSubject(task, j.ID), Body: wire.Encode(task), Trace: j.Signed.Trace},
		After{Delay: s.cfg.CommitWait + a.sizeWait(), Timer: Timer{a.id, timerCommits}},
	)
}

// retry opens the next attempt; culprit -1 is nobody.
func (s *signJobs) retry(j *activeJob, culprit int) {
	s.out.do(j.retry(wire.CodeSigningFailed, j.sign.failureSummary(s.cfg.Manifest.T), culprit))
	s.open(j)
}

// rebuildPause is how long a gateway waits for nodes that lack a key.
const rebuildPause = time.Second

func (s *signJobs) onTimer(t Timer) {
	a := s.attempts[t.ID]
	switch t.Kind {
	case timerRetry:
		if a != nil && a.job.sign.current == a {
			s.retry(a.job, -1)
		}
	case timerCommits, timerShares:
		if a != nil {
			s.onTimeout(a, t.Kind)
		}
	}
}

// expiryReason explains what an expired job was waiting for.
func (s *signJobs) expiryReason(j *activeJob) *wire.JobError {
	return wire.Refuse(wire.CodeSigningFailed, "expired before %d of %d signatures were made: %s",
		len(j.sign.left), len(j.job.Items), j.sign.failureSummary(s.cfg.Manifest.T))
}
