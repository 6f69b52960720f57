package policy

import (
	"crypto/ed25519"
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

// sighashes are the types that a rule may allow, as PSBTs name them. Those that begin with
// none and single leave outputs open: whom they pay nobody can say, and readers don't.
var sighashes = []string{"default", "all", "all|anyonecanpay"}

func leavesOutputsOpen(sighash string) bool {
	return strings.HasPrefix(sighash, "none") || strings.HasPrefix(sighash, "single")
}

// bitcoin reads what is of PSBTs alone.
func (p *parser) bitcoin(at string, f *fileRule, r *rule) {
	psbt := r.kinds[intent.PSBT]
	r.sighash = set{"default": true}
	if f.Sighash != nil && p.list(at+".sighash", f.Sighash) {
		r.sighash = setOf(f.Sighash)
		for _, one := range f.Sighash {
			switch {
			case leavesOutputsOpen(one):
				p.fail(at+".sighash", "has %.40q, which leaves outputs open: nobody can say whom that pays, so no policy "+
					"allows it. Use %s", one, wire.Or(sighashes))
			case !slices.Contains(sighashes, one):
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
