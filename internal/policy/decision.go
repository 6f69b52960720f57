package policy

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Ask is a job that a policy judges.
type Ask struct {
	Client   string
	Job      string   // its id, which names it to the job that replaces it
	Digest   [32]byte // of the job: what is counted once
	Intent   *intent.Intent
	Roots    []intent.Root // as in the job; of raw items: the keys that they name
	Replaces string        // id of the job whose fee this one bumps
	Approved []string      // approvers whose signatures over the job were verified
	// Now is the time of day, as time.Now returned it: with its monotonic reading, a clock
	// that is set while the node runs moves no window.
	Now time.Time
}

// Verdict is what a policy says.
type Verdict string

// The verdicts.
const (
	Allowed       Verdict = "allowed"
	Denied        Verdict = "denied"
	NeedsApproval Verdict = "needs_approval" // it would be allowed, had more people agreed
)

// The codes of decisions, beside intent.NotUnderstood.
const (
	CodeNoRule          = "no_rule"           // no rule is for the client and the key
	CodeTwoRules        = "two_rules"         // the keys of the job fall under different rules
	CodeKind            = "kind_not_allowed"  // the rule does not have the kind
	CodeSighash         = "sighash"           // a signature would cover less than the rule wants
	CodeNonceAccount    = "nonce_account"     // an unlisted nonce account is advanced
	CodeAsset           = "asset"             // something moves that the rule does not let move
	CodeDestination     = "destination"       // somebody is paid that the rule does not list
	CodeFee             = "fee"               // the fee is too high
	CodeAboveLimit      = "above_limit"       // the job alone is over a limit
	CodeLimitReached    = "limit_reached"     // the job is over what is left of a limit for now
	CodeBadReplacement  = "bad_replacement"   // replaces names a job with other inputs or payments
	CodeCountersUnknown = "counters_unknown"  // what was allowed before is not known for sure
	CodeLedgerFull      = "ledger_full"       // no room to count for one more client or key
	CodeApprovals       = "approvals_missing" // of NeedsApproval
)

// Decision is what a policy says of a job, and why.
type Decision struct {
	Verdict Verdict
	Rule    string // name of the rule that decided; empty where no policy or no rule did
	Code    string // empty if allowed
	Reason  string // a sentence for people; empty if allowed
	// Missing is how many approvals more are needed, of any of From.
	Missing int
	From    []string
	// Payments are the intent's, and what looked like change and counts as a payment.
	Payments []intent.Payment
	Change   []intent.Change // that the policy takes for change
	Charges  []Charge        // what the job costs of limits, allowed or not
	gap      uint32
}

// Charge is what a job uses of one limit.
type Charge struct {
	Subject string // the client or key that the limit counts for
	Units   uint64
	limit   *limit
}

// same reports whether two charges are of one counter.
func (c Charge) same(other Charge) bool {
	return c.limit.id == other.limit.id && c.Subject == other.Subject
}

// Limit describes the limit that is charged.
func (c Charge) Limit() string { return c.limit.String() }
