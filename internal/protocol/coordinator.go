package protocol

import (
	"bytes"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Coordinator is one gateway's machine. It schedules and aggregates; it holds no
// share, and nothing it says is believed without a proof. It is not safe for
// concurrent use.
//
// Four machines do the work: the directory reads finished batches from the register and
// has its reconciler bring back what that lost,
// the registrar reads the rounds and makes entries of what all nodes certified, keygen
// runs key generations on top of both, and signing runs sign jobs. Each leaves what it
// wants done in the outbox. The Coordinator admits jobs and ends them.
type Coordinator struct {
	authority
	cfg       CoordinatorConfig
	out       *outbox
	directory *directory
	registrar *registrar
	keygen    *keygen
	signing   *signJobs
	jobs      map[string]*activeJob
}

// NewCoordinator returns a machine that has seen nothing of the log.
func NewCoordinator(cfg CoordinatorConfig) *Coordinator {
	who, out := newAuthority(cfg.Manifest, cfg.Access), &outbox{}
	r := newRegistrar(cfg.Manifest, who.opener, out)
	d := newDirectory(cfg.Manifest, out, r.transcriptOf)
	r.directory = d
	return &Coordinator{
		authority: who, cfg: cfg, out: out, directory: d, registrar: r,
		keygen: newKeygen(cfg, d, r, out), signing: newSignJobs(cfg, d, who.view, who.opener, out), jobs: map[string]*activeJob{},
	}
}

// Holdings is one hash of all batches that KEYS has.
func (c *Coordinator) Holdings() [32]byte { return c.directory.held.Root() }

// Register tells how far the register was compared with what nodes hold.
func (c *Coordinator) Register() Register { return c.directory.reconcile.state() }

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
			d.Longest = max(d.Longest, t.nodes.now.Sub(since))
		}
	}
	return d
}

// Presence is what this gateway knows of each node, and the names of the gateways that
// it hears.
func (c *Coordinator) Presence() (nodes []NodePresence, gateways []string) {
	return c.signing.traffic.presence.known()
}

// GatewayHeard reports whether a gateway's process was heard since a time.
func (c *Coordinator) GatewayHeard(name string, boot [16]byte, since time.Time) bool {
	g := c.signing.traffic.presence.gateways[name]
	return g != nil && g.last != nil && g.last.Boot == boot && !g.heard.Before(since)
}

// JudgeTask says what stands under a task's subject, given what this gateway
// wants to say there. It changes nothing and may be called beside Step.
func (c *Coordinator) JudgeTask(standing wire.LogMessage, body []byte) wire.Verdict {
	got, err := c.access.Load().FromGateway(c.cfg.Manifest, standing.Subject, standing.Data)
	switch {
	case err != nil:
		return wire.Junk
	case bytes.Equal(got, body):
		return wire.Mine
	}
	return wire.Other
}
