package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mr-tron/base58"

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

// sortOutputs tells change from payments. Where a signature leaves outputs open, nothing
// is change: another output can take its place.
func (j *judge) sortOutputs() {
	j.d.Payments = slices.Clip(j.in.Payments)
	open := slices.ContainsFunc(j.in.Signatures, func(s intent.Signature) bool { return leavesOutputsOpen(s.Sighash) })
	for _, c := range j.in.Change {
		if !open && len(c.Path) == 2 && c.Path[0] == 1 && j.near(c) {
			j.d.Change = append(j.d.Change, c)
			continue
		}
		j.d.Payments = append(j.d.Payments,
			intent.Payment{At: c.At, To: c.To, Amount: intent.Amount{Asset: intent.Bitcoin, Units: c.Units}})
	}
}

// near reports whether a wallet that looks for its money will find it: the index is not
// far above those that were spent from.
func (j *judge) near(c intent.Change) bool {
	if c.Root < 0 || c.Root >= len(j.ask.Roots) || len(c.Path) == 0 {
		return false
	}
	seen := j.ledger.highest(j.ask.Roots[c.Root].ID)
	return uint64(c.Path[len(c.Path)-1]) <= uint64(seen)+uint64(j.gap)
}

// charge finds what leaves, fees included, and which limits that is for.
func (j *judge) charge() {
	j.outflow()
	for _, l := range j.limits {
		units := j.leaves(l.asset)
		if units == 0 || l.window.length == 0 {
			continue
		}
		if l.scope == scopeClient {
			j.d.Charges = append(j.d.Charges, Charge{Subject: j.ask.Client, Units: units, limit: l})
			continue
		}
		for _, id := range j.signers() {
			j.d.Charges = append(j.d.Charges, Charge{Subject: id, Units: units, limit: l})
		}
	}
}

// outflow adds up what leaves, by asset, and takes the change off.
func (j *judge) outflow() {
	for _, a := range j.in.Outflow {
		i := slices.IndexFunc(j.out, func(o intent.Amount) bool { return o.Asset == a.Asset })
		if i < 0 {
			i, j.out = len(j.out), append(j.out, intent.Amount{Asset: a.Asset})
		}
		j.out[i].Units = add(j.out[i].Units, a.Units)
	}
	for i := range j.out {
		if j.out[i].Asset == intent.Bitcoin {
			for _, c := range j.d.Change {
				j.out[i].Units -= min(j.out[i].Units, c.Units)
			}
		}
	}
	j.out = slices.DeleteFunc(j.out, func(a intent.Amount) bool { return a.Units == 0 })
}

// leaves is how much of an asset leaves.
func (j *judge) leaves(asset string) uint64 {
	switch asset {
	case jobs:
		return 1
	case signatures:
		return uint64(len(j.in.Signatures))
	}
	for _, a := range j.out {
		if a.Asset == asset {
			return a.Units
		}
	}
	return 0
}

// add adds without going round.
func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// signers are the keys that would sign: each is charged the whole, as which of them the
// money is of can't be told.
func (j *judge) signers() []string {
	var ids []string
	seen := make([]bool, len(j.ask.Roots))
	for _, s := range j.in.Signatures {
		if s.Root >= 0 && s.Root < len(seen) && !seen[s.Root] {
			seen[s.Root] = true
			if id := j.ask.Roots[s.Root].ID; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (j *judge) kind() (code, reason string) {
	if !j.kinds[j.in.Kind] {
		return CodeKind, fmt.Sprintf("the rule does not allow %s", j.in.Kind)
	}
	return "", ""
}

// understood refuses what nobody can account for, but for programs that the rule lists.
func (j *judge) understood() (code, reason string) {
	for _, u := range j.in.Unclear {
		if u.Program == "" || !j.programs[u.Program] {
			return intent.NotUnderstood, u.Reason
		}
	}
	return "", ""
}

func (j *judge) sighash() (code, reason string) {
	if j.in.Kind != intent.PSBT {
		return "", ""
	}
	for _, s := range j.in.Signatures {
		if !j.rule.sighash[s.Sighash] {
			return CodeSighash, fmt.Sprintf("input %d has the sighash type %s: the rule allows %s", s.At, s.Sighash,
				strings.Join(j.rule.sighash.sorted(), ", "))
		}
	}
	return "", ""
}

func (j *judge) nonce() (code, reason string) {
	if j.in.Nonce != "" && !j.nonces[j.in.Nonce] {
		return CodeNonceAccount, fmt.Sprintf("the nonce account %s is not in the rule's nonce_accounts", j.in.Nonce)
	}
	return "", ""
}

// assets refuses what the rule lets not move. SOL that is the fee of moving something else
// is no such thing.
func (j *judge) assets() (code, reason string) {
	for _, a := range j.out {
		fee := a.Asset == intent.Solana && j.in.Kind == intent.SolanaTransaction && a.Units <= j.in.Fee
		if !fee && !j.rule.assets[a.Asset] {
			return CodeAsset, fmt.Sprintf("%s would leave, and the rule lets only %s", Amount(a.Asset, a.Units),
				orNothing(j.rule.assets.sorted()))
		}
	}
	return "", ""
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// destinations compares all payments with the list. Where people may allow others, it
// notes them.
func (j *judge) destinations() (code, reason string) {
	to := j.rule.destinations
	if to == nil {
		return "", ""
	}
	for _, pay := range j.d.Payments {
		if to.allow(pay) || to.self && j.own(pay) {
			continue
		}
		who := fmt.Sprintf("%s to %s", Amount(pay.Asset, pay.Units), pay.To)
		if j.rule.approvals == nil || !j.rule.approvals.outside {
			return CodeDestination, fmt.Sprintf("%s %d pays %s, which the rule's destinations don't list%s", part(j.in.Kind), pay.At,
				who, to.unknown())
		}
		j.outside = append(j.outside, who)
	}
	return "", ""
}

// part is what a kind of transaction numbers.
func part(k intent.Kind) string {
	if k == intent.SolanaTransaction {
		return "instruction"
	}
	return "output"
}

// own reports whether a payment is to the client's own keys: of a PSBT, a child 0/i or 1/i
// of a root that pays too, which its wallet will find; of Solana, an account that signs.
func (j *judge) own(pay intent.Payment) bool {
	if j.in.Kind == intent.SolanaTransaction {
		return slices.ContainsFunc(j.in.Signatures, func(s intent.Signature) bool {
			return owns(base58.Encode(s.PublicKey), pay)
		})
	}
	return slices.ContainsFunc(j.in.Change, func(c intent.Change) bool {
		return c.At == pay.At && len(c.Path) == 2 && c.Path[0] <= 1 && j.near(c)
	})
}

// owns reports whether a payment is to an owner of Solana: to it, or to its token account.
func owns(owner string, pay intent.Payment) bool {
	mint, ok := strings.CutPrefix(pay.Asset, token)
	if !ok || !strings.HasPrefix(pay.To, toAccount) {
		return pay.To == owner
	}
	accounts, err := tokenAccounts(owner, mint)
	return err == nil && slices.Contains(accounts, pay.To)
}

func (j *judge) fee() (code, reason string) {
	coin := intent.Bitcoin
	switch j.in.Kind {
	case intent.PSBT:
	case intent.SolanaTransaction:
		coin = intent.Solana
	default:
		return "", ""
	}
	if most := j.maxFee[coin]; most > 0 && j.in.Fee > most {
		return CodeFee, fmt.Sprintf("the fee is %s: the rule allows %s", Amount(coin, j.in.Fee), Amount(coin, most))
	}
	if j.maxFeeRate == 0 || coin != intent.Bitcoin {
		return "", ""
	}
	if j.in.VSize == 0 {
		return CodeFee, "the fee rate is not known, as the size is not: the rule has max_fee_rate"
	}
	if j.in.Fee > 0 && (j.in.Fee-1)/j.maxFeeRate >= j.in.VSize {
		return CodeFee, fmt.Sprintf("the fee is %.1f satoshis for each virtual byte: the rule allows %d",
			float64(j.in.Fee)/float64(j.in.VSize), j.maxFeeRate)
	}
	return "", ""
}

// alone holds the job against limits that it is over by itself.
func (j *judge) alone() (code, reason string) {
	for _, l := range j.limits {
		if units := j.leaves(l.asset); units > l.max {
			return CodeAboveLimit, fmt.Sprintf("%s would leave: the limit is %s", Amount(l.asset, units), l)
		}
	}
	return "", ""
}

// replacement refuses a fee bump that is none.
func (j *judge) replacement() (code, reason string) {
	if j.ask.Replaces == "" || j.ledger.replaces(j.ask, j.d.Payments) != replacesOther {
		return "", ""
	}
	return CodeBadReplacement, fmt.Sprintf("job %.64q has other inputs or other payments: a replacement keeps both, and "+
		"changes fee and change only", j.ask.Replaces)
}

// counters holds the job against what was allowed before.
func (j *judge) counters() (code, reason string) {
	if j.ledger == nil {
		return "", ""
	}
	return j.ledger.check(j.ask, j.d.Payments, j.d.Charges)
}

// approve says whether people have to agree, and whether they did.
func (j *judge) approve() {
	j.d.Verdict = Allowed
	why := j.whyApprove()
	if why == "" {
		return
	}
	given := set{}
	for _, name := range j.ask.Approved {
		if slices.Contains(j.approvals.from, name) {
			given[name] = true
		}
	}
	j.d.Missing = max(0, j.approvals.require-len(given))
	if j.d.Missing == 0 {
		return
	}
	for _, name := range j.approvals.from {
		if !given[name] {
			j.d.From = append(j.d.From, name)
		}
	}
	j.d.Verdict, j.d.Code = NeedsApproval, CodeApprovals
	j.d.Reason = fmt.Sprintf("%s: %d of %d approvals are there, %d more of %s", why, len(given), j.approvals.require,
		j.d.Missing, strings.Join(j.d.From, ", "))
}

func (j *judge) whyApprove() string {
	a := j.approvals
	switch {
	case a == nil:
		return ""
	case a.always:
		return "the rule always asks for approvals"
	case len(j.outside) > 0:
		return "pays " + j.outside[0] + ", which the rule's destinations don't list"
	}
	for _, amount := range j.out {
		if most, ok := a.above[amount.Asset]; ok && j.leaves(amount.Asset) > most {
			return fmt.Sprintf("%s would leave, more than %s", Amount(amount.Asset, j.leaves(amount.Asset)), Amount(amount.Asset, most))
		}
	}
	return ""
}

// allow reports whether a payment's destination is listed.
func (d *destinations) allow(pay intent.Payment) bool { return d.addresses[pay.To] }

// unknown says that keys of the fleet are listed whose addresses are not known yet.
func (d *destinations) unknown() string {
	if len(d.fleet) == 0 {
		return ""
	}
	return fmt.Sprintf(" (of %d keys that it lists, this node does not know the addresses yet)", len(d.fleet))
}
