package sim

import "fmt"

// Rule is an invariant. Its text stands in the failure.
type Rule string

// The invariants. N1 to N4 are those of docs/protocol.md, section 6.
const (
	RuleN1Fresh      Rule = "N1, nonces are drawn afresh"
	RuleN2Memory     Rule = "N2, nonces live in memory only"
	RuleN3OneShare   Rule = "N3, one share a nonce pair"
	RuleN4SitOut     Rule = "N4, no nonce, no part"
	RuleSecret       Rule = "secrets stay at home"
	RuleOwnDeal      Rule = "certify only with the own deal"
	RuleCertifyOnce  Rule = "certify once"
	RuleAgreement    Rule = "all nodes have the same keys"
	RuleCertificates Rule = "no key without n certificates"
	RuleEntry        Rule = "every entry verifies"
	RuleRegistered   Rule = "an announced key is in the register"
	RuleInterpolate  Rule = "any t shares give the key"
	RuleSigns        Rule = "every announced key signs"
	RuleSignature    Rule = "every signature verifies"
	RuleNoDouble     Rule = "no key is announced twice"
	RuleOwner        Rule = "a client signs with its own keys only"
	RuleJobEnds      Rule = "every job ends"
	RuleSuccess      Rule = "benign faults only delay"
	RuleDelivery     Rule = "deliveries are ended by the gateway that holds them"
	RuleNoPanic      Rule = "no panic"
	RuleCounts       Rule = "what is counted adds up"
	RuleFrozen       Rule = "nothing leaves a node for what it was told is frozen"
	RuleContinues    Rule = "a key stays what it is in every generation"
	RuleApproved     Rule = "keys move only to what was approved"
	RuleMoved        Rule = "a node signs no more with what has moved"
	RuleMixed        Rule = "too few shares make no key, of whatever generations"
	RuleMoves        Rule = "keys move in the end"
	RulePolicy       Rule = "a node's policy is obeyed by that node"
)

// Failure says which rule a seed broke, and how it came to it.
type Failure struct {
	Seed   uint64
	Rule   Rule
	Fleet  string // profile and threshold
	Reason string
	Tail   []string // the last events
	forced Profile
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("seed %d (%s): %s: %s", f.Seed, f.Fleet, f.Rule, f.Reason)
	for _, line := range f.Tail {
		text += "\n    " + line
	}
	text += fmt.Sprintf("\nreplay: go test ./test/sim -run TestSeeds -seed=%d -seeds=1 -v", f.Seed)
	if f.forced != "" {
		text += " -profile=" + string(f.forced)
	}
	return text
}
