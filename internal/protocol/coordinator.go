package protocol

import (
	"bytes"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Coordinator is one gateway's machine. It schedules and aggregates; it holds no
// share, and nothing it says is believed without a proof. It is not safe for
// concurrent use.
//
// Its fleet may have several manifests, one after the other, each with nodes of its own.
// What is of one of them is in its view; a batch of keys, and an attempt at signing with
// them, is of one view at a time.
//
// Four machines do the work: the directory reads finished batches from the register and
// has its reconcilers bring back what that lost,
// keygen runs key generations, with registrars that read the rounds and make entries of what
// all nodes certified, signing runs sign jobs, and mover carries keys from the nodes of one
// manifest to those of the next. Each leaves what it
// wants done in the outbox. The Coordinator admits jobs and ends them.
type Coordinator struct {
	authority
	views     *views
	out       *outbox
	directory *directory
	keygen    *keygen
	signing   *signJobs
	mover     *mover
	jobs      map[string]*activeJob
}

// NewCoordinator returns a machine that has seen nothing of the log.
func NewCoordinator(cfg CoordinatorConfig) *Coordinator {
	if cfg.Lineage == nil {
		cfg.Lineage = wire.NewLineage(cfg.Manifest)
	}
	who, out, v := newAuthority(cfg.Manifest, cfg.Access), &outbox{}, newViews(cfg.Lineage, cfg.Access)
	rounds := newRegistrars(v, out)
	mover := newMover(cfg, v, out)
	d := newDirectory(v, out, func(ref wire.BatchRef) (transcript [32]byte, ok bool) {
		if transcript, ok = rounds.transcriptOf(ref); !ok {
			transcript, ok = mover.transcriptOf(ref)
		}
		return transcript, ok
	})
	rounds.directory, mover.directory = d, d
	rounds.follow()
	c := &Coordinator{
		authority: who, views: v, out: out, directory: d, keygen: newKeygen(cfg, d, rounds, out),
		signing: newSignJobs(cfg, d, who.view, v, out), mover: mover, jobs: map[string]*activeJob{},
	}
	mover.traffic = &c.signing.traffic
	return c
}

// Holdings is one hash of all entries that KEYS has of the manifest under which keys are
// generated.
func (c *Coordinator) Holdings() [32]byte { return c.views.forKeys().held.Root() }

// Register tells how far the register was compared with what nodes hold.
func (c *Coordinator) Register() (all Register) {
	for _, v := range c.views.chain {
		one := c.directory.reconcilers[v].state()
		all.Missing += one.Missing
		all.Waiting = append(all.Waiting, one.Waiting...)
	}
	slices.Sort(all.Waiting)
	all.Waiting = slices.Compact(all.Waiting)
	return all
}

// Resharing tells how far keys have moved.
func (c *Coordinator) Resharing() Resharing { return c.mover.state() }

// Complete reports whether everything that KEYS had at the start is in the
// directory.
func (c *Coordinator) Complete() bool { return c.directory.complete }

// Summaries counts the finished batches that were read and are on their way into
// the directory.
func (c *Coordinator) Summaries() int { return len(c.directory.computing) }

// Jobs counts the jobs in work.
func (c *Coordinator) Jobs() int { return len(c.jobs) }

// Keys counts the keys in the directory.
func (c *Coordinator) Keys() int { return c.directory.keys() }

// Waiting counts the sign jobs that wait for their turn.
func (c *Coordinator) Waiting() int {
	return c.signing.traffic.small.queue.waiting() + c.signing.traffic.bulk.queue.waiting()
}

// Demand is what this gateway is asked for beyond what the fleet does at once.
type Demand struct {
	Queued  int           // sign jobs that wait for their turn
	Longest time.Duration // how long the one of them waits that has waited longest, to a second
	Retries float64       // attempts that may now be opened on top of others which may only be slow
}

// Demand tells how much waits.
func (c *Coordinator) Demand() Demand {
	t := &c.signing.traffic
	d := Demand{Queued: c.Waiting(), Retries: float64(t.retries.tenths) / 10}
	for _, q := range []*fairQueue{&t.small.queue, &t.bulk.queue} {
		if since := q.oldest(); !since.IsZero() {
			d.Longest = max(d.Longest, t.now.Sub(since))
		}
	}
	return d
}

// Presence is what this gateway knows of each node of the manifest under which keys are
// generated, and the names of the gateways that it hears.
func (c *Coordinator) Presence() (nodes []NodePresence, gateways []string) {
	return c.views.forKeys().presence.known(), c.views.presence.others()
}

// PresenceOf is what it knows of the nodes of the manifest of that hash; nil if it does not
// go by it.
func (c *Coordinator) PresenceOf(manifest [32]byte) []NodePresence {
	if v := c.views.of(manifest); v != nil {
		return v.presence.known()
	}
	return nil
}

// GatewayHeard reports whether a gateway's process was heard since a time.
func (c *Coordinator) GatewayHeard(name string, boot [16]byte, since time.Time) bool {
	g := c.views.presence.gateways[name]
	return g != nil && g.last != nil && g.last.Boot == boot && !g.heard.Before(since)
}

// Opens reports whether the gateway would open a message of a slot in its step. Those of other gateways' sessions, and of
// batches that are registered, it does not.
func (c *Coordinator) Opens(slot wire.Slot, _ int) bool {
	if slot.Kind.Signing() {
		return c.signing.attempts[slot.ID] != nil
	}
	return c.directory.finished[slot.ID] == nil
}

// JudgeTask says what stands under a task's subject, given what this gateway
// wants to say there. It changes nothing and may be called beside Step.
func (c *Coordinator) JudgeTask(standing wire.LogMessage, body []byte) wire.Verdict {
	got, err := c.access.Load().FromGateway(c.views.pinned, standing.Subject, standing.Data)
	switch {
	case err != nil:
		return wire.Junk
	case bytes.Equal(got, body):
		return wire.Mine
	}
	return wire.Other
}
