package protocol

import (
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a node judges the job of a session, and counts what others sign.

// decide asks the policy about a session's job, and charges what it allows. It returns why
// the job is denied, nil if it is not.
func (s *signing) decide(j *judgment) (effects []Effect, denial *wire.JobError) {
	n := s.node
	if n.judge.policy == nil {
		return nil, nil
	}
	ask := s.request.ask(j, n.now)
	d := n.judge.policy.Decide(ask, n.judge.ledger)
	s.asked = askedOf(ask, &d)
	if d.Verdict != policy.Allowed {
		if s.debt != nil { // what others sign all the same is counted
			s.debt.request, s.debt.ask, s.debt.decision = nil, ask, &d
		}
		return nil, denied(&d)
	}
	charged := n.judge.ledger.Charge(ask, &d)
	s.debt, s.saved = nil, charged.Wait
	return saving(charged.Save), nil
}

// owes returns the debt of a session that begins, nil if there is nothing to count.
func (n *signer) owes(r *signRequest) *debt {
	if !n.judge.policy.Counts() || n.judge.ledger.Charged(r.digest) {
		return nil
	}
	return &debt{request: r, until: r.until(), size: r.size + debtSize}
}

// sees notes that a node put something into the slot of its commitment. With t of them the
// job counts. This node's own, of an earlier life, shows that it was charged then.
func (s *signing) sees(slot wire.Slot, msg wire.LogMessage) []Effect {
	d, n := s.debt, s.node
	if d == nil || slot.Kind != wire.SlotCommit || slices.Contains(d.nodes, slot.Node) {
		return nil
	}
	if slot.Node == n.cfg.Index {
		if _, err := n.opener.FromNode(slot.Node, msg); err == nil {
			s.debt = nil
			n.judge.settled(d)
		}
		return nil
	}
	if d.nodes = append(d.nodes, slot.Node); len(d.nodes) < n.cfg.Manifest.T {
		return nil
	}
	s.debt = nil
	return n.pay(d)
}

// pay charges a job that others sign.
func (n *signer) pay(d *debt) []Effect {
	r, ask, decision := d.request, d.ask, d.decision
	n.judge.settled(d)
	if ask != nil {
		ask.Now = n.now
		return saving(n.judge.ledger.Charge(ask, decision).Save)
	}
	id := fmt.Sprintf("tally %x", r.digest)
	if n.judge.ledger.Charged(r.digest) || n.judge.tallies[id] != nil {
		return nil
	}
	n.judge.tallies[id] = &tally{request: r}
	return n.tallyAgain(id)
}

// tallyAgain has the keys of a job that others sign looked for: only what is public of them.
func (n *signer) tallyAgain(id string) []Effect {
	t := n.judge.tallies[id]
	if t == nil {
		return nil
	}
	t.loads++
	return []Effect{Load{ID: id, Keys: t.request.keys, Public: true}}
}

// payOldest charges the jobs of the oldest debts while those that are kept are too large.
// That counts what may never be signed, and so nobody gets rid of a debt by making others.
func (n *signer) payOldest() (effects []Effect) {
	j := &n.judge
	for len(j.owing) > 0 && (!j.owing[0].kept || j.owed > j.most) {
		d := j.owing[0]
		if j.owing = j.owing[1:]; d.kept {
			effects = append(effects, n.pay(d)...)
		}
	}
	return effects
}

// onTally reads a job that others sign. What is small is read on the spot, as in a session;
// no other work goes before this, or a busy node would count late.
func (n *signer) onTally(t *tally, e Loaded) []Effect {
	r := t.request
	heads, coming := n.addPublic(r, e.Keys)
	if coming && t.loads < loadRetries && len(n.judge.tallies) <= maxTallies {
		return append(heads, After{Delay: loadDelay, Timer: Timer{e.ID, timerLoad}})
	}
	delete(n.judge.tallies, e.ID)
	m, access, p, branches, now := n.cfg.Manifest, n.cfg.Access, n.judge.policy, n.branches, n.now
	read := func() Event {
		checked, refusal := r.check(e.Keys, nil, branches)
		if refusal != nil {
			return tallied{node: n, request: r, refusal: refusal}
		}
		return tallied{node: n, request: r, judgment: r.judged(m, access, p, checked.means, now)}
	}
	if len(r.which) <= inlineChecks && readInline(r.job) {
		return append(heads, read().(tallied).resume()...)
	}
	return append(heads, Compute{
		Urgent: r.work() <= wire.InteractiveItems, Name: "count what others sign", Trace: r.trace, Client: r.client, Run: read,
	})
}

// tallied is a job that was read because others sign it.
type tallied struct {
	node     *signer
	request  *signRequest
	judgment *judgment
	refusal  *wire.JobError
}

func (tallied) event() {}

func (e tallied) resume() []Effect {
	n := e.node
	if e.refusal != nil { // a key that this node lacks, say: it can't count what it can't read
		return nil
	}
	ask := e.request.ask(e.judgment, n.now)
	d := n.judge.policy.Decide(ask, n.judge.ledger)
	return saving(n.judge.ledger.Charge(ask, &d).Save)
}

// expiring has a session end when its job does, which shows once approvals are verified. It
// reports whether that was before.
func (s *signing) expiring(j *judgment) ([]Effect, bool) {
	if j != nil { // else no policy is in force, and nobody's approvals count
		r := *s.request // computations may read the one that is
		r.expires = j.expires
		s.request = &r
	}
	return s.over()
}
