package policy

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// defaultGap is how far above the highest index of change that was seen change may be.
const defaultGap = 1000

// maxGap bounds what a wallet has to look through.
const maxGap = 10_000_000

// rule reads one rule. It returns one whatever is wrong with it.
func (p *parser) rule(at string, f *fileRule, approvers map[string]ed25519.PublicKey) *rule {
	r := &rule{name: f.Name, gap: defaultGap}
	if p.name(at+".name", f.Name) && p.names[f.Name] {
		p.fail(at+".name", "%q is taken by a rule above", f.Name)
	}
	p.names[f.Name] = true
	r.clients = p.all(at+".clients", f.Clients, func(key, one string) { p.name(key, one) })
	r.keys = p.all(at+".keys", f.Keys, p.keyID)
	p.kinds(at, f, r)
	p.bitcoin(at, f, r)
	p.solana(at, f, r)
	p.limits(at, f, r)
	p.assets(at, f, r)
	p.fees(at, f, r)
	r.destinations = p.destinations(at, f, r)
	p.approvals(at, f.Approvals, r, approvers)
	p.unreadable(at, f, r)
	p.burnable(at, r)
	return r
}

// list checks the form of a list that has to have entries, and that none is there twice.
func (p *parser) list(key string, list []string) bool {
	switch {
	case len(list) == 0:
		p.fail(key, "is empty or missing")
		return false
	case len(list) > maxList:
		p.fail(key, "has %d entries, and a list has at most %d", len(list), maxList)
		return false
	}
	seen := set{}
	for _, one := range list {
		if seen[one] {
			p.fail(key, "has %.100q twice", one)
			return false
		}
		seen[one] = true
	}
	return true
}

// all reads a list of names, or "*", for which it returns nil.
func (p *parser) all(key string, list []string, check func(key, one string)) set {
	if slices.Equal(list, []string{"*"}) {
		return nil
	}
	if !p.list(key, list) {
		return set{}
	}
	for _, one := range list {
		if one == "*" {
			p.fail(key, `has "*" beside others: it stands for all, alone`)
			continue
		}
		check(key, one)
	}
	return setOf(list)
}

func (p *parser) keyID(key, one string) {
	if _, err := wire.ParseKeyID(one); err != nil {
		p.fail(key, "%v", err)
	}
}

func (p *parser) kinds(at string, f *fileRule, r *rule) {
	r.kinds = map[intent.Kind]bool{}
	names := make([]string, len(intent.Kinds))
	for i, kind := range intent.Kinds {
		names[i] = string(kind)
	}
	if len(f.Kinds) == 0 {
		p.fail(at+".kinds", "is empty or missing: name what may be signed: %s", wire.Or(names))
		return
	}
	p.list(at+".kinds", f.Kinds)
	for _, one := range f.Kinds {
		if !slices.Contains(names, one) {
			p.fail(at+".kinds", "%.64q is none: use %s", one, wire.Or(names))
		}
		r.kinds[intent.Kind(one)] = true
	}
}

// never is how a setting is refused that nothing will ever be judged by.
const never = "can never apply: the rule's kinds lack %s"

// sighashes are the names that PSBTs have for what a signature covers. Those that begin
// with none and single leave outputs open.
var sighashes = []string{"default", "all", "none", "single", "all|anyonecanpay", "none|anyonecanpay", "single|anyonecanpay"}

func leavesOutputsOpen(sighash string) bool {
	return strings.HasPrefix(sighash, "none") || strings.HasPrefix(sighash, "single")
}

func (r *rule) opensOutputs() bool {
	return slices.ContainsFunc(r.sighash.sorted(), leavesOutputsOpen)
}

// bitcoin reads what is of PSBTs alone.
func (p *parser) bitcoin(at string, f *fileRule, r *rule) {
	psbt := r.kinds[intent.PSBT]
	r.sighash = set{"default": true}
	if f.Sighash != nil && p.list(at+".sighash", f.Sighash) {
		r.sighash = setOf(f.Sighash)
		for _, one := range f.Sighash {
			if !slices.Contains(sighashes, one) {
				p.fail(at+".sighash", "%.40q is none: use %s", one, wire.Or(sighashes))
			}
		}
	}
	if f.Gap != nil {
		if *f.Gap < 0 || *f.Gap > maxGap {
			p.fail(at+".change_gap", "is %d: use 0 to %d", *f.Gap, maxGap)
		} else {
			r.gap = uint32(*f.Gap)
		}
	}
	if f.MaxFeeRate != nil {
		if *f.MaxFeeRate < 1 {
			p.fail(at+".max_fee_rate", "is %d: use satoshis for each virtual byte, from 1", *f.MaxFeeRate)
		}
		r.maxFeeRate = uint64(max(1, *f.MaxFeeRate))
	}
	for key, there := range map[string]bool{
		".sighash": f.Sighash != nil, ".change_gap": f.Gap != nil, ".max_fee_rate": f.MaxFeeRate != nil,
	} {
		if there && !psbt {
			p.fail(at+key, never, intent.PSBT)
		}
	}
}

// solana reads what is of Solana's transactions alone.
func (p *parser) solana(at string, f *fileRule, r *rule) {
	for key, list := range map[string][]string{".programs": f.Programs, ".nonce_accounts": f.Nonces} {
		if list == nil || !p.list(at+key, list) {
			continue
		}
		if !r.kinds[intent.SolanaTransaction] {
			p.fail(at+key, never, intent.SolanaTransaction)
		}
		for _, one := range list {
			if !isSolana(one) {
				p.fail(at+key, "%.64q is no address of Solana", one)
			}
		}
	}
	r.programs, r.nonces = setOf(f.Programs), setOf(f.Nonces)
}

// kindOf is the kind of job that moves an asset.
func kindOf(asset string) intent.Kind {
	if asset == intent.Bitcoin {
		return intent.PSBT
	}
	return intent.SolanaTransaction
}

// assets reads what the rule lets move: what it has limits for; without a limit, the
// coins of its kinds.
func (p *parser) assets(at string, f *fileRule, r *rule) {
	r.assets = set{}
	for _, l := range r.limits {
		if isMoney(l.asset) {
			r.assets[l.asset] = true
		}
	}
	if f.Assets == nil {
		for _, coin := range []string{intent.Bitcoin, intent.Solana} {
			if !r.limited() && r.kinds[kindOf(coin)] {
				r.assets[coin] = true
			}
		}
		return
	}
	if !p.list(at+".assets", f.Assets) {
		return
	}
	listed := setOf(f.Assets)
	for _, one := range f.Assets {
		if one != intent.Bitcoin && one != intent.Solana && checkMint(one) != nil {
			p.fail(at+".assets", `%.80q is none: use "btc", "sol", or "spl:" and a token's mint`, one)
		} else if !r.kinds[kindOf(one)] {
			p.fail(at+".assets", "has %s, which "+never, one, kindOf(one))
		}
	}
	for _, asset := range r.assets.sorted() {
		if !listed[asset] {
			p.fail(at+".assets", "lacks %s, for which the rule has a limit: add it, or remove the limit", asset)
		}
	}
	r.assets = listed
}

// limited reports whether the rule bounds money.
func (r *rule) limited() bool {
	return slices.ContainsFunc(r.limits, func(l *limit) bool { return isMoney(l.asset) })
}

func (p *parser) fees(at string, f *fileRule, r *rule) {
	if f.MaxFee == nil || !p.list(at+".max_fee", f.MaxFee) {
		return
	}
	r.maxFee = map[string]uint64{}
	for _, text := range f.MaxFee {
		a, err := parseAmount(text)
		_, dup := r.maxFee[a.Asset]
		switch {
		case err != nil:
			p.fail(at+".max_fee", "%.100q %v", text, err)
		case a.Asset != intent.Bitcoin && a.Asset != intent.Solana:
			p.fail(at+".max_fee", "%.100q: fees are in BTC or SOL", text)
		case dup:
			p.fail(at+".max_fee", "has two amounts of %s", a.Asset)
		case !r.kinds[kindOf(a.Asset)]:
			p.fail(at+".max_fee", "%q "+never, text, kindOf(a.Asset))
		default:
			r.maxFee[a.Asset] = a.Units
			p.underLimits(at+".max_fee", text, a, r)
		}
	}
}

// underLimits refuses an amount that every job has to stay under because of a limit.
func (p *parser) underLimits(key, text string, a intent.Amount, r *rule) {
	for _, l := range r.limits {
		if l.asset == a.Asset && a.Units > l.max {
			p.fail(key, "%q can never apply: the rule's limit of %s comes first", text, l)
			return
		}
	}
}

// unreadable refuses what can't be kept together: nobody can read raw digests, and where
// signatures leave outputs open, nobody knows whom they will pay.
func (p *parser) unreadable(at string, f *fileRule, r *rule) {
	money := ""
	switch {
	case r.limited():
		money = "a limit of money"
	case f.Destinations != nil:
		money = "destinations"
	case f.MaxFee != nil || f.MaxFeeRate != nil:
		money = "a limit of fees"
	case f.Approvals != nil && len(f.Approvals.Above) > 0:
		money = "approvals above an amount"
	}
	if r.kinds[intent.Raw] && money != "" {
		p.fail(at+".kinds", "has raw beside %s: nobody can read what raw digests pay. Remove raw, or make a rule of "+
			"its own for keys that hold nothing", money)
	}
	if r.opensOutputs() && (f.Destinations != nil || f.MaxFee != nil || f.MaxFeeRate != nil) {
		p.fail(at+".sighash", "has none or single, which leave outputs open: destinations and limits of fees can't hold "+
			"then. Remove one or the other")
	}
}

// burnable refuses a rule that bounds where money goes, or which, and leaves the fee open:
// whoever may pay nobody else would still give everything to miners.
func (p *parser) burnable(at string, r *rule) {
	for _, coin := range []string{intent.Bitcoin, intent.Solana} {
		bounded := r.maxFee[coin] > 0 || coin == intent.Bitcoin && r.maxFeeRate > 0 ||
			slices.ContainsFunc(r.limits, func(l *limit) bool { return l.asset == coin })
		switch {
		case !r.kinds[kindOf(coin)] || bounded:
		case r.destinations != nil:
			p.fail(at+".destinations", "keep no money from going into fees: add max_fee in %s, or a limit of it", coin)
		case !r.assets[coin]:
			p.fail(at+".assets", "lacks %s, in which fees are paid all the same: add max_fee in %s", coin, coin)
		}
	}
}

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
