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
	return &debt{request: r, until: r.until()}
}

// sees notes that a node put something into the slot of its commitment. With t of them the
// job counts. This node's own, of an earlier life, shows that it was charged then.
func (s *signing) sees(slot wire.Slot, msg wire.LogMessage) []Effect {
	d, n := s.debt, s.node
	if d == nil || slot.Kind != wire.SlotCommit || slices.Contains(d.nodes, slot.Node) {
		return nil
	}
	if slot.Node == n.cfg.Index {
		if _, err := n.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data); err == nil {
			s.debt = nil
		}
		return nil
	}
	if d.nodes = append(d.nodes, slot.Node); len(d.nodes) < n.cfg.Manifest.T {
		return nil
	}
	s.debt = nil
	switch {
	case d.ask != nil:
		d.ask.Now = n.now
		return saving(n.judge.ledger.Charge(d.ask, d.decision).Save)
	case n.judge.ledger.Charged(d.request.digest):
		return nil
	}
	id := fmt.Sprintf("tally %x", d.request.digest)
	if n.judge.tallies[id] != nil {
		return nil
	}
	n.judge.tallies[id] = d.request
	return []Effect{Load{ID: id, Keys: d.request.keys}}
}

// onTally reads a job that others sign. Its keys are wiped: only what is public is needed.
func (n *signer) onTally(r *signRequest, e Loaded) []Effect {
	delete(n.judge.tallies, e.ID)
	m, access, p, branches := n.cfg.Manifest, n.cfg.Access, n.judge.policy, n.branches
	return []Effect{Compute{Name: "count what others sign", Trace: r.trace, Client: r.client, Run: func() Event {
		checked, refusal := r.check(e.Keys, branches)
		wipeLoaded(e.Keys)
		if refusal != nil {
			return tallied{node: n, request: r, refusal: refusal}
		}
		return tallied{node: n, request: r, judgment: r.judged(m, access, p, checked.means)}
	}}}
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
