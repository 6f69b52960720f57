package policy

import (
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

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

// alone holds the job against limits that it exceeds on its own.
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
