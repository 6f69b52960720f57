package protocol

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signJobs runs sign jobs: it finds their keys, has them wait for their turn, and
// opens attempts until every item is signed, or the job's time is up.
type signJobs struct {
	cfg      CoordinatorConfig
	keys     keyFinder
	views    *views
	out      *outbox
	jobs     map[*activeJob]*activeSign
	attempts map[string]*attempt // by session
	latest   map[string]lastTask // in WORK, by job
	traffic  traffic
}

// lastTask is the latest attempt of a job that stands in WORK.
type lastTask struct {
	attempt uint32
	view    *view // whose nodes it is for; nil: none that this gateway goes by
	at      time.Time
	gateway string // that said so
}

func newSignJobs(
	cfg CoordinatorConfig, d *directory, frozen *atomic.Pointer[wire.Frozen], v *views, out *outbox,
) *signJobs {
	return &signJobs{
		cfg: cfg, keys: keyFinder{d, derive.NewCache(maxBranches), frozen, map[movedBy]movedWord{}}, views: v, out: out,
		jobs: map[*activeJob]*activeSign{}, attempts: map[string]*attempt{}, latest: map[string]lastTask{},
		traffic: newTraffic(cfg, v.presence),
	}
}

func (s *signJobs) start(job *activeJob) {
	j := &activeSign{
		activeJob: job, trouble: map[*view]*trouble{}, signers: map[int]bool{}, since: s.keys.directory.end.sinceNow(),
	}
	s.jobs[job] = j
	j.wants(job.size)
	s.find(j)
}

// lookAgain looks for the keys of a job once more, if it still lacks some.
func (s *signJobs) lookAgain(job *activeJob) {
	if j := s.jobs[job]; j != nil && !j.found {
		s.find(j)
	}
}

// note remembers the latest attempt of a job, of whichever gateway.
func (s *signJobs) note(key string, task *wire.Task, v *view, e TaskMessage) {
	if last, ok := s.latest[key]; !ok || last.attempt < task.Attempt {
		s.latest[key] = lastTask{attempt: task.Attempt, view: v, at: e.Time, gateway: wire.SealedBy(e.Data)}
	}
}

// onTaskSeen begins the time of this gateway's own attempt.
func (s *signJobs) onTaskSeen(job *activeJob, task *wire.Task, e TaskMessage) {
	j := s.jobs[job]
	if j == nil {
		return
	}
	for _, a := range j.attempts {
		switch {
		case a.number != task.Attempt || a.closed || !a.sent.IsZero():
		case task.Session(a.view.manifest) != a.session: // another gateway's stands there, and nobody sees this one
			a.close()
			s.open(j)
			return
		default:
			a.sent = e.Now
			s.watch(a)
		}
	}
}

// watch has the machine look at an attempt that WORK has.
func (s *signJobs) watch(a *attempt) {
	wait := s.traffic.lane(a.job).wait(len(a.items))
	s.out.do(
		After{Delay: wait, Timer: Timer{a.id, timerLate}},
		After{Delay: attemptLife(len(a.items)), Timer: Timer{a.id, timerOver}},
	)
}

// disbelieve forgets what gateways said that are not heard any more.
func (s *signJobs) disbelieve(access, before *wire.Access) {
	for key, last := range s.latest {
		if !access.StillHears(before, last.gateway) {
			delete(s.latest, key)
		}
	}
}

// find looks the job's keys up, and has it wait for its turn. A key that is not
// there yet may be one that another gateway announced a moment ago, so the look is
// repeated; and it is unknown only once KEYS was read as far as it went when the job came.
// One whose items are all refused has failed.
func (s *signJobs) find(j *activeSign) {
	found := s.keys.find(j.CheckedJob)
	for _, id := range found.missing {
		if s.waitsForKey(j, id.String(), id.Batch) {
			return
		}
	}
	s.found(j)
	j.found = true
	switch {
	case found.refusal != nil:
		s.out.fail(j.activeJob, found.refusal)
		return
	case found.roots == nil && !j.without(found.refused):
		s.out.fail(j.activeJob, j.refusal())
		return
	}
	j.items, j.from, j.children, j.roots = found.items, found.from, found.children, found.roots
	j.suite, j.queued = found.suite, s.traffic.now
	s.traffic.add(j)
	s.schedule()
}

// read reads a job, and then opens its first attempt. As the offsets of children, that belongs to the job's turn.
func (s *signJobs) read(j *activeSign) {
	run := readJob(s.cfg.Manifest.Network, s.keys.branches, j)
	if readInline(j.job) {
		s.onRead(run().(requestRead))
		return
	}
	s.out.do(Compute{Urgent: j.interactive(), Name: "read request", Trace: j.Signed.Trace, Run: run})
}

func (s *signJobs) onRead(e requestRead) {
	j := e.j
	switch {
	case s.jobs[j.activeJob] != j || j.over(): // it ended meanwhile
	case e.refusal != nil:
		s.out.fail(j.activeJob, e.refusal)
	default:
		e.take()
		s.open(j)
	}
}

// descend computes the offsets of a job's children, and then opens its first attempt. That takes a gateway longer than
// anything else that it does for a job, so it belongs to the job's turn.
func (s *signJobs) descend(j *activeSign) {
	run := descend(s.keys.branches, j)
	if len(j.children) <= inlineChecks {
		s.onDescended(run().(descended))
		return
	}
	s.out.do(Compute{Urgent: j.interactive(), Name: "derive children", Trace: j.Signed.Trace, Run: run})
}

// onDescended opens the first attempt of a job that lacks nothing any more. One whose items
// have all turned out to be refused has failed.
func (s *signJobs) onDescended(e descended) {
	j := e.j
	if s.jobs[j.activeJob] != j || j.over() { // it ended meanwhile
		return
	}
	if e.take(); !j.without(j.refused) {
		s.out.fail(j.activeJob, j.refusal())
		return
	}
	s.open(j)
}

// waitsForKey reports whether a job waits for a key that the directory lacks and may
// have later.
func (s *signJobs) waitsForKey(j *activeSign, key, batch string) bool {
	if s.keys.directory.complete {
		s.keys.directory.end.want(j.since, s.out)
	}
	switch {
	case s.worthALook(j):
		s.out.do(After{Delay: loadDelay, Timer: Timer{j.key(), timerLoad}})
		return true
	case s.keys.directory.proven(batch), s.keys.directory.mayHold(batch), !s.keys.directory.end.readSince(j.since):
		s.await(j, key)
		return true
	}
	return false
}

// lackDelay is how often a job looks for a key that the register lost and that may come
// back, or that this gateway did not read yet.
const lackDelay = time.Second

// maxLacking is how many jobs wait for such keys: half of what a gateway holds at a time,
// so that all others go on.
const maxLacking = 1024

// await has a job look again for such a key. If too many do, it fails: its client may
// send it again.
func (s *signJobs) await(j *activeSign, key string) {
	if d := s.keys.directory; j.lacks == "" && d.waiting >= maxLacking {
		s.out.fail(j.activeJob, wire.Refuse(wire.CodeRegisterIncomplete,
			"KEYS lacks the entry of key %s, which a node may bring back, and %d jobs wait for such keys", key, d.waiting))
		return
	} else if j.lacks == "" {
		d.waiting++
	}
	j.lacks = key
	s.out.do(After{Delay: lackDelay, Timer: Timer{j.key(), timerLoad}})
}

// found ends a job's waiting for lost keys.
func (s *signJobs) found(j *activeSign) {
	if j.lacks != "" {
		j.lacks = ""
		s.keys.directory.waiting--
	}
}

// worthALook reports whether to look for an unknown key once more. While the directory
// is being filled it always is.
func (s *signJobs) worthALook(j *activeSign) bool {
	if !s.keys.directory.complete {
		return true
	}
	j.loads++
	return j.loads < loadRetries/2
}

// schedule opens the jobs whose turn it is.
func (s *signJobs) schedule() {
	for j := s.traffic.next(); j != nil; j = s.traffic.next() {
		s.open(j)
	}
}

// open asks for signatures of what is left, as far as its keys are with the nodes of one
// manifest, from whoever of them is neither proven faulty nor in bad standing. The rest
// follows once these are there. The first time it finds out under which keys.
func (s *signJobs) open(j *activeSign) {
	if j.expired(s.views.now) {
		s.out.fail(j.activeJob, s.expiryReason(j.activeJob))
		return
	}
	switch {
	case j.roots != nil:
		s.read(j)
		return
	case j.children != nil:
		s.descend(j)
		return
	}
	if last, ok := s.latest[j.key()]; ok { // another gateway may have come this far while the job waited
		j.next = max(j.next, int(last.attempt)+1)
	}
	s.keys.renew(j)
	v, which := j.group()
	met := j.troubleWith(v, s.views.revoked(v))
	if v.manifest.N-len(met.bad) < v.manifest.T || j.next > wire.MaxAttempts {
		s.out.fail(j.activeJob, wire.Refuse(wire.CodeSigningFailed,
			"given up after %d attempts with %d of %d signatures missing: %s", j.tries, len(j.left), len(j.sigs), j.failureSummary()))
		return
	}
	task := wire.SignTask(j.approved(), j.next, which, v.excluded(met)).For(v.manifest).InForm(s.views.form(v))
	j.next++
	j.tries++
	a := newAttempt(j, v, met, task)
	a.opened = s.traffic.now
	for i := range v.manifest.N {
		if !slices.Contains(task.Exclude, uint8(i)) {
			v.presence.asked(i)
		}
	}
	j.attempts = append(j.attempts, a)
	s.attempts[a.id] = a
	s.out.do(
		PublishTask{Subject: wire.TaskSubject(task, j.ID), Body: wire.Encode(task), Trace: j.Signed.Trace},
		After{Delay: publishLife, Timer: Timer{a.id, timerOver}},
	)
}

// publishLife is how long an attempt waits for WORK to show its task: longer than the program tries to publish it.
const publishLife = 75 * time.Second

// retry reports that an attempt came to nothing, and opens another: at once, or else after a pause, unless one is
// under way. Culprit -1 is nobody.
func (s *signJobs) retry(j *activeSign, culprit int, atOnce bool) {
	s.out.do(j.retry(wire.CodeSigningFailed, j.failureSummary(), culprit))
	switch {
	case atOnce:
		s.open(j)
	case !j.waits():
		s.pause(j)
	}
}

// Bounds of the pause between two attempts of a job, which doubles. In an hour of them no job comes to MaxAttempts.
const (
	leastPause = 250 * time.Millisecond
	mostPause  = 20 * time.Second
)

// pause has a job wait before it is in the queue again. The pause is a little different for each, so that jobs that
// failed together do not come together again.
func (s *signJobs) pause(j *activeSign) {
	pause := min(leastPause<<min(j.pauses, 10), mostPause)
	j.pauses++
	pause -= pause / 2 * time.Duration(j.last().session[0]) / 256
	s.traffic.end(j)
	j.place = paused
	s.out.do(After{Delay: pause, Timer: Timer{j.key(), timerRetry}})
	s.schedule()
}

// expiryReason explains what an expired job was waiting for.
func (s *signJobs) expiryReason(job *activeJob) *wire.JobError {
	j := s.jobs[job]
	switch {
	case !j.found && j.lacks != "" && !s.keys.directory.end.readSince(j.since):
		return wire.Refuse(wire.CodeRegisterIncomplete,
			"expired before the gateway had read KEYS to its end, where it looked for key %s", j.lacks)
	case !j.found && j.lacks != "":
		return wire.Refuse(wire.CodeRegisterIncomplete, "expired while KEYS lacked the entry of key %s: a node may bring it back",
			j.lacks)
	case !j.found && !s.keys.directory.complete:
		return wire.Refuse(wire.CodeRegisterIncomplete, "expired while the gateway was still reading KEYS")
	case len(j.attempts) == 0 && j.found:
		if !j.over() { // one that ended in this step may have had its turn since
			s.out.unserved(j.activeJob)
		}
		return wire.Refuse(wire.CodeSigningFailed, "expired before its turn came: the fleet has more to sign than it can")
	}
	return wire.Refuse(wire.CodeSigningFailed, "expired before %d of %d signatures were made: %s",
		len(j.left), len(j.sigs), j.failureSummary())
}
