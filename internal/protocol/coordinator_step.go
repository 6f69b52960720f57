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
		c.keygen.rounds.lost()
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
		if node := c.keygen.rounds.onAssembled(e); node >= 0 {
			c.keygen.onFalseRoot(e.batch.ID, node)
		}
	case HeldAnswer:
		c.onHeld(e)
	case EntryRestored:
		for _, v := range c.views.chain {
			c.directory.reconcilers[v].onRestored(e)
		}
	case EntryWritten:
		c.onFinished(c.keygen.rounds.onWritten(e))
		c.onFinished(c.mover.onWritten(e))
	case LineageChanged:
		c.onLineage(e.Lineage)
	case ManifestSeen:
		c.mover.onManifest(e.Manifest)
	case PaceChanged:
		c.mover.onPace(e.Pace)
	case moved:
		c.mover.onMoved(e)
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

// onLineage takes the fleet's manifests as the program knows them now.
func (c *Coordinator) onLineage(l *wire.Lineage) {
	c.views.follow(l)
	c.directory.follow()
	c.keygen.rounds.follow()
	c.mover.onLineage()
}

// onHeld takes what a node says that it holds.
func (c *Coordinator) onHeld(e HeldAnswer) {
	if v := c.views.of(e.Manifest.Hash()); v != nil {
		c.directory.reconcilers[v].onAnswer(e)
	}
}

// onRounds follows every batch in progress, this gateway's and others', and the attempts at
// resharing that this one works on.
func (c *Coordinator) onRounds(msg wire.LogMessage, again bool) {
	if b, slot, changed := c.keygen.rounds.onRounds(msg, again); changed {
		c.keygen.onLog(b, slot, msg.Time)
	}
	c.mover.onRounds(msg)
}

// onFinished takes a batch, if there is one, that has just come into the directory.
func (c *Coordinator) onFinished(b *finishedBatch) {
	switch {
	case b == nil:
	case b.Generation == 0:
		c.keygen.onFinished(b)
		c.keygen.rounds.forget(b.ID)
	default:
		c.mover.onFinished(b)
	}
}

// onTaskSeen remembers how far another gateway, or an earlier life of this
// one, got with a job, and with moving a batch.
func (c *Coordinator) onTaskSeen(e TaskMessage) {
	body, err := c.opener.FromGateway(e.Subject, e.Data)
	if err != nil {
		return
	}
	if wire.IsReshareTask(e.Subject) {
		c.mover.onTaskSeen(e, body)
		return
	}
	task, err := wire.DecodeTask(body, c.views.widest())
	if err != nil {
		return
	}
	// The gateway's seal is over the subject, which names the job: the payload, which
	// may list a thousand items, need not be read.
	tokens := strings.Split(e.Subject, ".")
	if len(tokens) != 6 {
		return
	}
	key, v := jobKey(task.Job.Client, tokens[3]), c.views.ofTask(task)
	c.signing.note(key, task, v, e)
	switch j := c.jobs[key]; task.Job.Kind {
	case wire.KindSign:
		c.signing.onTaskSeen(j, task, e)
	case wire.KindKeygen:
		c.keygen.onTaskSeen(j, task, v, e.Time)
	}
}

func (c *Coordinator) onTimer(t Timer) {
	switch j := c.jobs[t.ID]; {
	case j == nil:
		c.keygen.rounds.onTimer(t)
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
	c.tell(e.Now)
	heard := c.views.presence.onMessage(e.LogMessage, e.Now)
	switch {
	case heard.twin != nil:
		c.out.do(Report{What: ReportTwin, Reason: "two processes of this node; one of them ends: " + heard.twin.Process(),
			Culprit: heard.node})
	case heard.beat != nil:
		c.mover.onBeat(c.views.of(heard.of.manifest.Hash()), heard.node, heard.beat)
	}
}

// tell is how the program's clock goes on.
func (c *Coordinator) tell(now time.Time) {
	c.opener.SetTime(now)
	c.views.tell(now)
}

// onTick ends what has expired: every job gets an answer. One that has all it asked
// for gets that.
func (c *Coordinator) onTick(now time.Time) {
	c.tell(now)
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) { // in one order, so that a simulation replays
		if j := c.jobs[key]; j.expired(now) && !j.answering {
			c.out.fail(j, c.expiryReason(j))
		}
	}
	c.signing.tick(now)
	c.keygen.tick(now)
	c.keygen.rounds.expire(now.Add(-boardLife))
	c.directory.onTick(now)
	c.mover.onTick()
}
