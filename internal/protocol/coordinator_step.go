package protocol

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

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
	case Finished:
		c.signing.landed(e)
	case RoundsMessage:
		c.onRounds(e.LogMessage, false)
	case RoundsAgain:
		c.onRounds(e.LogMessage, true)
	case RoundsLost:
		c.registrar.rounds.Lost()
	case KeysMessage:
		c.directory.onKeys(e.readMessage)
	case KeysAgain:
		c.directory.onKeys(e.readMessage)
	case KeysRead:
		c.directory.onRead()
	case KeysEndRead:
		c.directory.end.onRead(e)
	case summarized:
		c.onFinished(c.directory.onSummary(e))
	case assembled:
		if node := c.registrar.onAssembled(e); node >= 0 {
			c.keygen.onFalseRoot(e.batch.id, node)
		}
	case HeldAnswer:
		c.directory.reconcile.onAnswer(e)
	case EntryRestored:
		c.directory.reconcile.onRestored(e)
	case EntryWritten:
		c.onFinished(c.registrar.onWritten(e))
	case TaskMessage:
		c.onTaskSeen(e)
	case SignMessage:
		c.signing.onMessage(e.LogMessage, e.Now)
	case PresenceMessage:
		c.onPresence(e)
	case attemptChecked:
		c.signing.onChecked(e)
	case requestRead:
		c.signing.onRead(e)
	case descended:
		c.signing.onDescended(e)
	case aggregated:
		c.signing.onAggregated(e)
	case resultMade:
		c.onResult(e)
	case ControlMessage:
		c.onControl(e)
	case AccessChanged:
		c.onAccess(e.Access)
	case Timer:
		c.onTimer(e)
	case Tick:
		c.onTick(e.Now)
	}
}

// onRounds follows every batch in progress, this gateway's and others'.
func (c *Coordinator) onRounds(msg wire.LogMessage, again bool) {
	if b, slot, changed := c.registrar.onRounds(msg, again); changed {
		c.keygen.onLog(b, slot, msg.Time)
	}
}

// onFinished takes a batch, if there is one, that has just come into the directory.
func (c *Coordinator) onFinished(b *finishedBatch) {
	if b != nil {
		c.keygen.onFinished(b)
		c.registrar.rounds.Forget(b.id)
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
		key := jobKey(task.Job.Client, tokens[3])
		c.signing.onTaskSeen(c.jobs[key], key, task, e)
	}
}

func (c *Coordinator) onTimer(t Timer) {
	switch j := c.jobs[t.ID]; {
	case j == nil:
		c.registrar.onTimer(t)
		c.keygen.onTimer(t)
		c.signing.onTimer(t)
	case t.Kind == timerLoad:
		c.signing.lookAgain(j)
	case t.Kind == timerRetry:
		c.signing.again(j)
	}
}

// onPresence takes a heartbeat.
func (c *Coordinator) onPresence(e PresenceMessage) {
	c.opener.SetTime(e.Now)
	if node, twin := c.signing.traffic.presence.onMessage(e.LogMessage, e.Now); twin != nil {
		c.out.do(Report{What: ReportTwin, Reason: "two processes of this node; one of them ends: " + twin.Process(),
			Culprit: node})
	}
}

// onTick ends what has expired: every job gets an answer. One that has all it asked
// for gets that.
func (c *Coordinator) onTick(now time.Time) {
	c.opener.SetTime(now)
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) { // in one order, so that a simulation replays
		if j := c.jobs[key]; j.expired(now) && !j.answering {
			c.out.fail(j, c.expiryReason(j))
		}
	}
	c.signing.tick(now)
	c.registrar.rounds.Expire(now.Add(-boardLife))
	c.directory.onTick(now)
	c.directory.reconcile.onTick(now, c.signing.traffic.presence.holdings)
}
