package policy

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func (p *parser) limits(at string, f *fileRule, r *rule) {
	if len(f.Limits) > maxLimits {
		p.fail(at+".limit", "is there %d times, and a rule has at most %d limits", len(f.Limits), maxLimits)
		return
	}
	for i := range f.Limits {
		key := fmt.Sprintf("%s.limit[%d]", at, i)
		if l := p.limit(key, &f.Limits[i], r); l != nil {
			r.limits = append(r.limits, l)
		}
	}
}

func (p *parser) limit(at string, f *fileLimit, r *rule) *limit {
	a, err := parseAmount(f.Amount)
	if err != nil {
		p.fail(at+".amount", "%.100q %v", f.Amount, err)
		return nil
	}
	var names []string
	w := -1
	for i, one := range windows {
		names = append(names, one.name)
		if one.name == f.Per {
			w = i
		}
	}
	if w < 0 {
		p.fail(at+".per", "is %.40q: use %s", f.Per, wire.Or(names))
		return nil
	}
	scope := f.Scope
	switch scope {
	case "":
		scope = scopeClient
	case scopeClient, scopeKey:
	default:
		p.fail(at+".scope", "is %.40q: use client or key", scope)
		return nil
	}
	switch {
	case windows[w].length == 0 && a.Asset == jobs:
		p.fail(at+".per", "is transaction: a job is one, so limit jobs by time")
		return nil
	case windows[w].name == "minute" && isMoney(a.Asset):
		p.fail(at+".per", "is minute, which counts jobs and signatures only: limit money by the hour or longer")
		return nil
	case windows[w].length == 0 && f.Scope != "":
		p.fail(at+".scope", "can never apply: a limit of one transaction counts nothing")
		return nil
	case isMoney(a.Asset) && !r.kinds[kindOf(a.Asset)]:
		p.fail(at+".amount", "%q "+never, f.Amount, kindOf(a.Asset))
		return nil
	}
	l := newLimit(limit{rule: r.name, asset: a.Asset, max: a.Units, window: windows[w], scope: scope})
	for _, other := range r.limits {
		if p.conflict(at, l, other) {
			return nil
		}
	}
	return l
}

// conflict refuses two limits of which one can never apply, as the other comes first.
func (p *parser) conflict(at string, a, b *limit) bool {
	if a.asset != b.asset {
		return false
	}
	switch {
	case a.id == b.id:
		p.fail(at, "the rule has a limit of %s for each %s and %s already", a.asset, a.scope, a.window.name)
	case a.hides(b):
		p.fail(at, "the limit of %s above can never apply: this one, %s, comes first", b, a)
	case b.hides(a):
		p.fail(at, "this limit, %s, can never apply: that of %s comes first", a, b)
	default:
		return false
	}
	return true
}

// hides reports whether b is never reached: a counts for longer and for more, and is
// smaller.
func (a *limit) hides(b *limit) bool {
	wider := a.scope == b.scope || a.scope == scopeClient || b.window.length == 0
	return wider && a.window.length >= b.window.length && a.max < b.max
}
