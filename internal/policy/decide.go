package policy

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Decide judges a job. The ledger knows what was allowed before; without one (nil)
// nothing was. It counts nothing: an allowed job is to be charged, with Ledger.Charge, in
// the same step. The order of the checks is in docs/policy.md; the first that fails says
// why. A nil Policy allows everything.
func (p *Policy) Decide(ask *Ask, l *Ledger) Decision {
	in := ask.Intent
	if p == nil {
		return Decision{Verdict: Allowed, Payments: in.Payments, Change: in.Change}
	}
	r, d := p.rule(ask)
	if r == nil {
		return d
	}
	j := &judge{rule: r, ask: ask, in: in, ledger: l, d: Decision{Rule: r.name, gap: r.gap}}
	if l != nil {
		l.tick(ask.Now)
	}
	j.sortOutputs()
	j.charge()
	for _, check := range checks {
		if code, reason := check(j); code != "" {
			j.d.Verdict, j.d.Code, j.d.Reason = Denied, code, reason
			return j.d
		}
	}
	j.approve()
	return j.d
}

// checks are what a job has to pass, in this order.
var checks = []func(*judge) (code, reason string){
	(*judge).kind, (*judge).understood, (*judge).sighash, (*judge).nonce, (*judge).assets, (*judge).destinations,
	(*judge).fee, (*judge).alone, (*judge).replacement, (*judge).counters,
}

// rule finds the one rule that a job falls under.
func (p *Policy) rule(ask *Ask) (*rule, Decision) {
	var found *rule
	for i, root := range ask.Roots {
		r := p.first(ask.Client, root.ID)
		switch {
		case r == nil:
			return nil, Decision{Verdict: Denied, Code: CodeNoRule,
				Reason: fmt.Sprintf("no rule is for client %s and key %s", ask.Client, root.ID)}
		case i > 0 && r != found:
			return nil, Decision{Verdict: Denied, Code: CodeTwoRules,
				Reason: fmt.Sprintf("key %s falls under rule %s, and key %s under rule %s: use one job for each",
					ask.Roots[0].ID, found.name, root.ID, r.name)}
		}
		found = r
	}
	if found == nil {
		return nil, Decision{Verdict: Denied, Code: CodeNoRule, Reason: "the job names no key"}
	}
	return found, Decision{}
}

func (p *Policy) first(client, key string) *rule {
	for _, r := range p.rules {
		if (r.clients == nil || r.clients[client]) && (r.keys == nil || r.keys[key]) {
			return r
		}
	}
	return nil
}

// judge is a job before one rule.
type judge struct {
	*rule
	ask    *Ask
	in     *intent.Intent
	ledger *Ledger
	d      Decision
	out    []intent.Amount // what leaves, by asset
	// outside are the payments that the destinations don't list, where approvals may allow
	// them.
	outside []string
}
