package policy

import (
	"crypto/ed25519"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

func (p *parser) approvals(at string, f *fileApprovals, r *rule, approvers map[string]ed25519.PublicKey) {
	if f == nil {
		return
	}
	at += ".approvals"
	out := &approvals{require: f.Require, from: slices.Sorted(slices.Values(f.From)), outside: f.Outside, always: f.Always}
	r.approvals = out
	if p.list(at+".from", f.From) {
		for _, name := range f.From {
			p.used[name] = true
			if _, ok := approvers[name]; !ok {
				p.fail(at+".from", "%.64q is no [[approver]] of this file", name)
			}
		}
		if f.Require < 1 || f.Require > len(f.From) {
			p.fail(at+".require", "is %d: use 1 to %d, as many as there are in from", f.Require, len(f.From))
		}
	}
	switch {
	case !f.Always && !f.Outside && f.Above == nil:
		p.fail(at, "are never asked for: add above, outside = true or always = true")
	case f.Always && (f.Outside || f.Above != nil):
		p.fail(at+".always", "is true, so that above and outside can never apply: remove them, or always")
	case f.Outside && r.destinations == nil:
		p.fail(at+".outside", "can never apply: the rule has no destinations")
	}
	if f.Above != nil && p.list(at+".above", f.Above) {
		p.above(at+".above", f.Above, out, r)
	}
}

// above reads the amounts above which approvals are asked for. All assets of the rule
// have one: what has none would move without approvals, however much.
func (p *parser) above(key string, list []string, out *approvals, r *rule) {
	out.above = map[string]uint64{}
	for _, text := range list {
		a, err := parseAmount(text)
		_, dup := out.above[a.Asset]
		switch {
		case err != nil:
			p.fail(key, "%.100q %v", text, err)
			return
		case dup:
			p.fail(key, "has two amounts of %s", a.Asset)
		case !r.assets[a.Asset]:
			p.fail(key, "%q can never apply: the rule lets no %s move", text, a.Asset)
		default:
			p.strictlyUnder(key, text, a, r)
		}
		out.above[a.Asset] = a.Units
	}
	for _, asset := range r.assets.sorted() {
		if _, ok := out.above[asset]; !ok {
			p.fail(key, "lacks %s, which would move without approvals: add an amount, or take it out of assets", asset)
		}
	}
}

func (p *parser) strictlyUnder(key, text string, a intent.Amount, r *rule) {
	p.underLimits(key, text, intent.Amount{Asset: a.Asset, Units: a.Units + 1}, r)
}
