package policy

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

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

// unreadable refuses what can't be kept together: nobody can read raw digests.
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
