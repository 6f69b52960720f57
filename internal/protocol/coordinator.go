package protocol

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// CoordinatorConfig is what a gateway's machine starts with.
type CoordinatorConfig struct {
	Manifest *wire.Manifest
	Access   *wire.Access
	// Address encodes a public key for a chain and the manifest's network.
	Address func(chain, network string, publicKey []byte) (string, error)
	// MaxBatches bounds the batches in work at a time, and MaxBulk the sign jobs
	// of more than InteractiveItems, and with them everybody's memory. Others wait.
	MaxBatches, MaxBulk int
	// CommitWait and ShareWait are how long an attempt waits for its signing
	// set and then for its shares, before the time that its size needs.
	CommitWait, ShareWait time.Duration
}

// perItemWait is the time that an attempt gets for each of its items.
const perItemWait = 20 * time.Millisecond

// Coordinator is one gateway's machine. It schedules and aggregates; it holds
// no share and nothing it says is believed without a proof. It is not safe
// for concurrent use.
type Coordinator struct {
	CoordinatorConfig
	opener    *wire.Opener
	attested  *wire.AttestationCache
	directory map[string]*entry
	batches   map[string]*batchLog
	computing map[string]bool // batches being summarized
	refetched map[string]bool // finished batches whose deals were asked for again
	wanted    map[string]bool // batches looked up before the directory was complete
	jobs      map[string]*run
	parts     map[string]*part    // by batch id
	attempts  map[string]*attempt // by session id
	tasks     map[string]seenTask // latest signing attempt in WORK, by job
	queue     []*part             // parts that wait for a place
	complete  bool                // everything in KEYS at the start is in the directory
	awaited   map[string]bool     // what is missing for that, once KEYS was read
	bytes     int                 // of the deals in batches
	running   int
	bulk      []*run         // bulk sign jobs that wait for a place
	signing   int            // bulk sign jobs that have one
	busy      map[string]int // of them, by client
	now       time.Time
}

// entry is what the directory knows of a finished batch.
type entry struct {
	header wire.BatchHeader
	certs  [][]byte
	public *frost.Public
}

type seenTask struct {
	attempt uint32
	at      time.Time
}

// run is a job in work.
type run struct {
	token  uint64
	signed wire.SignedJob
	digest [32]byte
	stored time.Time // in JOBS
	job    *wire.Job
	parts  []*part  // keygen
	sign   *signRun // sign
}

func (r *run) key() string { return jobKey(r.signed.Client, r.job.ID) }

func jobKey(client, id string) string { return client + "/" + id }

// Events of a Coordinator.
type (
	// JobArrived is a delivery from JOBS. Existing is the stored result under
	// the job's client and id, if there is one.
	JobArrived struct {
		Token    uint64 // names the delivery in the effects that end it
		Job      wire.SignedJob
		Stored   time.Time
		Existing []byte
	}
	// JobPoisoned is a delivery that came too often: whoever worked on it died.
	JobPoisoned struct {
		Token      uint64
		Job        wire.SignedJob
		Existing   []byte
		Deliveries int
	}
	// KeysRead says that all of KEYS, as it stood at the start, was read. Once its
	// summaries are done too the directory is complete; until then a key that is not
	// in it is looked up by itself.
	KeysRead struct{}

	summarized struct {
		id     string
		public *frost.Public
		err    error
	}
	attemptChecked struct {
		a   *attempt
		pos int
		err error
	}
	aggregated struct {
		a     *attempt
		sigs  [][]byte
		blame []frost.Blame
		err   error
	}
)

// Effects of a Coordinator.
type (
	// PublishTask puts a task into WORK, unless its subject already has one.
	PublishTask struct {
		Subject string
		Body    []byte
		Trace   string // the job's traceparent
	}
	// Finish stores a job's result (the first one stored wins), with a dead
	// letter if it failed, and then acknowledges the delivery.
	Finish struct {
		Token  uint64
		Job    wire.SignedJob
		Result *wire.Result
	}
	// Reject answers a job that must not touch the place of a stored result: a
	// dead letter, an answer that is not stored, and an acknowledgement.
	Reject struct {
		Token  uint64
		Job    wire.SignedJob
		Result *wire.Result
	}
	// Replay announces the stored result again and acknowledges the delivery.
	Replay struct {
		Token       uint64
		Client, Job string
	}
	// Supersede says that a job in work was delivered again under a new token.
	Supersede struct{ Old, New uint64 }
	// Round says how long after its job was stored a round of it was through, by
	// the log's own clock. It is for metrics and changes nothing.
	Round struct {
		Round       RoundKind
		Kind        wire.Kind
		Suite       frost.Suite
		Interactive bool   // few items
		Trace       string // the job's traceparent
		ID          string // batch or session
		From, To    time.Time
	}
)

// RoundKind names a round that a gateway saw end.
type RoundKind string

// The rounds: all n deals and all n certificates of a batch; a session's signing
// set, and all its shares.
const (
	RoundDeals        RoundKind = "deals"
	RoundCertificates RoundKind = "certificates"
	RoundCommitments  RoundKind = "commitments"
	RoundShares       RoundKind = "shares"
)

// Rounds are all of them, in their order.
var Rounds = []RoundKind{RoundDeals, RoundCertificates, RoundCommitments, RoundShares}

// JobEnd is how a job ended. Took is from its storing in JOBS to that of its
// result.
type JobEnd struct {
	Kind        wire.Kind
	Code        wire.Code // "" if it was done
	Interactive bool      // few items
	Items       int       // keys or signatures in the result
	Trace       string
	Took        time.Duration
}

func (JobArrived) event()     {}
func (KeysRead) event()       {}
func (JobPoisoned) event()    {}
func (summarized) event()     {}
func (attemptChecked) event() {}
func (aggregated) event()     {}

func (PublishTask) effect() {}
func (Finish) effect()      {}
func (Reject) effect()      {}
func (Replay) effect()      {}
func (Supersede) effect()   {}
func (Round) effect()       {}

// NewCoordinator returns a machine that has seen nothing of the log.
func NewCoordinator(cfg CoordinatorConfig) *Coordinator {
	return &Coordinator{
		CoordinatorConfig: cfg, opener: wire.NewOpener(cfg.Manifest, cfg.Access), attested: wire.NewAttestationCache(cfg.Manifest),
		directory: map[string]*entry{}, batches: map[string]*batchLog{}, computing: map[string]bool{}, refetched: map[string]bool{}, wanted: map[string]bool{}, busy: map[string]int{},
		jobs: map[string]*run{}, parts: map[string]*part{}, attempts: map[string]*attempt{}, tasks: map[string]seenTask{},
	}
}

// Complete reports whether everything that KEYS had at the start is in the
// directory.
func (c *Coordinator) Complete() bool { return c.complete }

// completed notes that a batch's summary is done.
func (c *Coordinator) completed(id string) {
	if c.complete || c.awaited == nil {
		return
	}
	if delete(c.awaited, id); len(c.awaited) == 0 {
		c.complete = true
		clear(c.wanted)
	}
}

// Summaries counts the finished batches that were read and are on their way into
// the directory.
func (c *Coordinator) Summaries() int { return len(c.computing) }

// Jobs counts the jobs in work, and Keys the keys in the directory.
func (c *Coordinator) Jobs() int { return len(c.jobs) }

// Keys counts the keys in the directory.
func (c *Coordinator) Keys() (count int) {
	for _, e := range c.directory {
		count += int(e.header.K)
	}
	return count
}

// Step takes an event and gives what is to be done.
func (c *Coordinator) Step(ev Event) []Effect {
	switch e := ev.(type) {
	case JobArrived:
		return c.onJob(e)
	case JobPoisoned:
		return c.onPoison(e)
	case KeysRead:
		c.awaited = maps.Clone(c.computing)
		c.completed("")
	case KeysMessage:
		return c.onKeys(e.LogMessage)
	case summarized:
		return c.onSummary(e)
	case TaskMessage:
		c.onTaskSeen(e)
	case SignMessage:
		return c.onSign(e.LogMessage)
	case attemptChecked:
		if c.attempts[e.a.id] == e.a {
			return e.a.onChecked(e)
		}
	case aggregated:
		if c.attempts[e.a.id] == e.a {
			return e.a.onAggregated(e)
		}
	case Timer:
		return c.onTimer(e)
	case Tick:
		return c.onTick(e.Now)
	}
	return nil
}

// onTaskSeen remembers how far another gateway, or an earlier life of this
// one, got with a signing job.
func (c *Coordinator) onTaskSeen(e TaskMessage) {
	body, err := c.opener.FromGateway(e.Subject, e.Data)
	if err != nil {
		return
	}
	task, err := wire.DecodeTask(body, c.Manifest)
	if err != nil || task.Job.Kind != wire.KindSign {
		return
	}
	key := jobKey(task.Job.Client, wire.PeekJobID(task.Job.Payload))
	if seen, ok := c.tasks[key]; !ok || seen.attempt < task.Attempt {
		c.tasks[key] = seenTask{attempt: task.Attempt, at: e.Time}
	}
}

// onTick ends what has expired: every job gets an answer.
func (c *Coordinator) onTick(now time.Time) (effects []Effect) {
	c.now = now
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) { // in one order, so that a simulation replays
		r := c.jobs[key]
		if r != nil && now.After(r.job.Expires) {
			effects = append(effects, c.endFailed(r, c.why(r))...)
		}
	}
	for key, seen := range c.tasks {
		if now.Sub(seen.at) > 2*sessionLife {
			delete(c.tasks, key)
		}
	}
	for id, b := range c.batches {
		if c.parts[id] == nil && !c.computing[id] && now.Sub(b.lastTime) > batchLogLife {
			c.forget(id)
		}
	}
	return effects
}

func (c *Coordinator) onTimer(t Timer) []Effect {
	switch t.Kind {
	case timerBatch:
		if p := c.parts[t.ID]; p != nil && !p.paused {
			return c.publishPart(p)
		}
	case timerLoad:
		if r := c.jobs[t.ID]; r != nil && r.sign != nil {
			return c.tryItems(r)
		}
	case timerRetry:
		if p := c.parts[t.ID]; p != nil && p.paused {
			return c.reopen(p)
		}
		if a := c.attempts[t.ID]; a != nil && a.run.sign.current == a {
			return c.retry(a.run, -1)
		}
	case timerCommits, timerShares:
		if a := c.attempts[t.ID]; a != nil {
			return a.onTimeout(t.Kind)
		}
	}
	return nil
}

// JudgeTask says what stands under a task's subject, given what this gateway
// wants to say there.
func (c *Coordinator) JudgeTask(standing wire.LogMessage, body []byte) wire.Verdict {
	got, err := c.opener.FromGateway(standing.Subject, standing.Data)
	switch {
	case err != nil:
		return wire.Junk
	case bytes.Equal(got, body):
		return wire.Mine
	}
	return wire.Other
}
