package policy

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
)

// A fee bump is one also where nothing counts over time.
func TestReplacesWithoutLimits(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt"))
	l := fresh(p)
	first, second := psbt("a", 1000, out{shop, 500, nil}, out{thief, 400, derive.Path{1, 0}}), psbt("b", 1000,
		out{shop, 500, nil}, out{thief, 300, derive.Path{1, 0}})
	second.Replaces, second.Intent.Spends = "a", first.Intent.Spends
	wantCode(t, spend(t, p, l, first), Allowed, "")
	wantCode(t, p.Decide(second, l), Allowed, "")
	other := psbt("c", 1000, out{thief, 500, nil})
	other.Replaces, other.Intent.Spends = "a", first.Intent.Spends
	wantCode(t, p.Decide(other, l), Denied, CodeBadReplacement)
}

// Signatures that let others add inputs can be put together: two jobs with the same outputs
// pay them once, and what the second one was to pay is a fee. So a bound on the fee of each
// is none for what goes to miners.
func TestAnyoneCanPayNeedsALimit(t *testing.T) {
	t.Parallel()
	lines := []string{`sighash = ["all|anyonecanpay"]`, `destinations = ["` + shop + `"]`, `max_fee = ["1000 sat"]`}
	if _, err := Parse([]byte(plainRule("psbt", lines...)), "regtest"); err == nil ||
		!strings.Contains(err.Error(), "anyonecanpay") {
		t.Errorf("a rule that lets everything go into fees: %v", err)
	}
	parse(t, plainRule("psbt", append(lines, limitOf("1 BTC", "day"))...))
}
