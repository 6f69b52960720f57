package protocol

import (
	"bytes"
<<<<<<< HEAD
=======
	"maps"
	"slices"
	"strings"
	"time"
>>>>>>> h-proto

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Coordinator is one gateway's machine. It schedules and aggregates; it holds no
// share, and nothing it says is believed without a proof. It is not safe for
// concurrent use.
//
// Three machines do the work: the directory reads finished batches, keygen runs
// key generations on top of it, and signing runs sign jobs. Each leaves what it
// wants done in the outbox. The Coordinator admits jobs and ends them.
type Coordinator struct {
	cfg       CoordinatorConfig
	opener    *wire.Opener
	out       *outbox
	directory *directory
	keygen    *keygen
	signing   *signJobs
	jobs      map[string]*activeJob
}

// NewCoordinator returns a machine that has seen nothing of the log.
func NewCoordinator(cfg CoordinatorConfig) *Coordinator {
	out, opener := &outbox{}, wire.NewOpener(cfg.Manifest, cfg.Access)
	d := newDirectory(cfg.Manifest, opener, out)
	return &Coordinator{
		cfg: cfg, opener: opener, out: out, directory: d,
		keygen: newKeygen(cfg, d, out), signing: newSignJobs(cfg, d, opener, out), jobs: map[string]*activeJob{},
	}
}

<<<<<<< HEAD
=======
// outbox collects what one step wants done.
type outbox struct {
	effects []Effect
	ended   []*activeJob
}

func (o *outbox) do(effects ...Effect) { o.effects = append(o.effects, effects...) }

// end marks a job as ended. Its result is stored, and its capacity given to
// others, when the step is over.
func (o *outbox) end(j *activeJob, result *wire.Result) {
	if j.result == nil {
		j.result = result
		o.ended = append(o.ended, j)
	}
}

// fail ends a job without what it asked for.
func (o *outbox) fail(j *activeJob, err *wire.JobError) { o.end(j, j.failure(err)) }

// Step takes an event and returns what is to be done.
func (c *Coordinator) Step(ev Event) []Effect {
	c.dispatch(ev)
	for len(c.out.ended) > 0 {
		j := c.out.ended[0]
		c.out.ended = c.out.ended[1:]
		c.finish(j)
	}
	effects := c.out.effects
	*c.out = outbox{}
	return effects
}

func (c *Coordinator) dispatch(ev Event) {
	switch e := ev.(type) {
	case JobArrived:
		c.onJob(e)
	case JobPoisoned:
		c.onPoison(e)
	case KeysMessage:
		c.onKeys(e.LogMessage)
	case KeysRead:
		c.directory.onRead()
	case summarized:
		if b := c.directory.onSummary(e); b != nil {
			c.keygen.onFinished(b)
		}
	case TaskMessage:
		c.onTaskSeen(e)
	case SignMessage:
		c.signing.onMessage(e.LogMessage)
	case attemptChecked:
		c.signing.onChecked(e)
	case aggregated:
		c.signing.onAggregated(e)
	case resultMade:
		c.onResult(e)
	case Timer:
		c.onTimer(e)
	case Tick:
		c.onTick(e.Now)
	}
}

// onKeys follows every batch, this gateway's and others', into the directory.
func (c *Coordinator) onKeys(msg wire.LogMessage) {
	if b, slot, changed := c.directory.onMessage(msg); changed {
		c.keygen.onLog(b, slot, msg.Time)
	}
}

// onTaskSeen remembers how far another gateway, or an earlier life of this
// one, got with a sign job.
func (c *Coordinator) onTaskSeen(e TaskMessage) {
	body, err := c.opener.FromGateway(e.Subject, e.Data)
	if err != nil {
		return
	}
	task, err := wire.DecodeTask(body, c.cfg.Manifest)
	if err != nil || task.Job.Kind != wire.KindSign {
		return
	}
	// The gateway's seal is over the subject, which names the job: the payload, which
	// may list a thousand items, need not be read.
	if tokens := strings.Split(e.Subject, "."); len(tokens) == 6 {
		c.signing.onTaskSeen(jobKey(task.Job.Client, tokens[3]), task.Attempt, e.Time)
	}
}

func (c *Coordinator) onTimer(t Timer) {
	if t.Kind != timerLoad {
		c.keygen.onTimer(t)
		c.signing.onTimer(t)
	} else if j := c.jobs[t.ID]; j != nil && j.sign != nil && j.sign.items == nil {
		c.signing.find(j)
	}
}

// onTick ends what has expired: every job gets an answer.
func (c *Coordinator) onTick(now time.Time) {
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) { // in one order, so that a simulation replays
		if j := c.jobs[key]; now.After(j.job.Expires) {
			c.out.fail(j, c.expiryReason(j))
		}
	}
	c.signing.expire(now)
	c.directory.board.Expire(now.Add(-boardLife))
}

>>>>>>> h-proto
// Complete reports whether everything that KEYS had at the start is in the
// directory.
func (c *Coordinator) Complete() bool { return c.directory.complete }

// Summaries counts the finished batches that were read and are on their way into
// the directory.
func (c *Coordinator) Summaries() int { return len(c.directory.computing) }

// Jobs counts the jobs in work.
func (c *Coordinator) Jobs() int { return len(c.jobs) }

// Keys counts the keys in the directory.
func (c *Coordinator) Keys() int { return c.directory.keys }

// JudgeTask says what stands under a task's subject, given what this gateway
// wants to say there. It changes nothing and may be called beside Step.
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
