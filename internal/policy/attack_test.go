package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
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

// Money that a real PSBT sends to the client's own address, as it is given away, is to self.
// It is no change, and counts.
func TestToSelf(t *testing.T) {
	t.Parallel()
	ours := newWallet(key0, "ours")
	p := parse(t, plainRule("psbt", `destinations = ["self"]`, limitOf("0.001 BTC", "day")))
	for index, is := range map[uint32]Verdict{5: Allowed, 5000: Denied} {
		path := derive.Path{0, index}
		d := newDraft()
		d.spend(ours, 0, 100_000, true)
		d.pay(ours.script(path, nil), 90_000, ours, path)
		got := p.Decide(d.ask(t, fmt.Sprint(index), ours), nil)
		if got.Verdict != is || len(got.Change) != 0 || len(got.Charges) != 1 || got.Charges[0].Units != 100_000 {
			t.Errorf("0/%d: %s %s, charges %+v", index, got.Verdict, got.Reason, got.Charges)
		}
	}
}

// What is said of a PSBT is short, however long its scripts and many its outputs.
func TestManyOutputs(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", `destinations = ["self"]`, limitOf("1 BTC", "day"),
		"[rule.approvals]\nrequire = 1\nfrom = [\"anna\"]\noutside = true"+approversOf("anna")))
	ask := psbt("a", 20_000, out{"script:" + strings.Repeat("00", 90_000), 1, nil})
	for i := range 10_000 {
		to := fmt.Sprint("far ", i)
		ask.Intent.Change = append(ask.Intent.Change, intent.Change{At: i + 1, To: to, Path: derive.Path{1, 1 << 30}, Units: 1})
	}
	d := p.Decide(ask, nil)
	wantCode(t, d, NeedsApproval, CodeApprovals)
	if len(d.Reason) > 1000 || len(d.Payments) != 10_001 {
		t.Errorf("a reason of %d bytes, %d payments", len(d.Reason), len(d.Payments))
	}
}

// That others seem to sign a job makes it count, and is no reason to sign it: whoever can
// write into the slots of commitments, as the broker can, would lift every limit. Denied for
// its limit, or since counters are not known, it is denied again.
func TestCountedIsNotAgreed(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1000 sat", "day")))
	l := fresh(p)
	wantCode(t, spend(t, p, l, job("a", 900, 0)), Allowed, "")
	for _, name := range []string{"b", "c"} {
		ask := job(name, 900, 0)
		d := p.Decide(ask, l)
		wantCode(t, d, Denied, CodeLimitReached)
		store(l, l.Charge(ask, &d).Save)
		wantCode(t, p.Decide(ask, l), Denied, CodeLimitReached)
	}
	wantCode(t, p.Decide(job("a", 900, 0), l), Allowed, "") // agreed to before

	lost, save := LostLedger(p, start, "lost")
	store(lost, &save)
	ask := job("d", 900, 0)
	d := p.Decide(ask, lost)
	wantCode(t, d, Denied, CodeCountersUnknown)
	store(lost, lost.Charge(ask, &d).Save)
	wantCode(t, p.Decide(ask, lost), Denied, CodeCountersUnknown)

	// What counted is charged when it is agreed to, as the window of that may be over.
	l = fresh(p)
	ask = job("e", 400, 0)
	d = p.Decide(ask, l)
	d.Verdict = NeedsApproval
	for range 2 {
		store(l, l.Charge(ask, &d).Save)
	}
	for _, want := range []uint64{800, 800} {
		d = spend(t, p, l, ask)
		wantCode(t, d, Allowed, "")
		if used, _ := l.Used(d.Charges[0]); used != want {
			t.Errorf("%d is used, want %d", used, want)
		}
	}
}

// A fee bump of a job that only counts is agreed to no more than that job.
func TestBumpOfWhatOnlyCounts(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1000 sat", "day")))
	same := []string{"tx:0"}
	bump := func(name, of string, cost uint64) *Ask {
		ask := psbt(name, 1000, out{shop, 500, nil}, out{"change", 1000 - cost, derive.Path{1, 0}})
		ask.Replaces, ask.Intent.Spends = of, same
		return ask
	}
	counts := func(l *Ledger, ask *Ask) {
		d := p.Decide(ask, l)
		wantCode(t, d, Denied, CodeLimitReached)
		store(l, l.Charge(ask, &d).Save)
	}
	l := fresh(p)
	wantCode(t, spend(t, p, l, job("before", 600, 0)), Allowed, "")
	counts(l, bump("a", "", 600))
	wantCode(t, p.Decide(bump("b", "a", 600), l), Denied, CodeLimitReached)
	twoDays := 48 * time.Hour
	got := spend(t, p, l, at(bump("c", "a", 600), twoDays))
	wantCode(t, got, Allowed, "")
	if used, _ := l.Used(got.Charges[0]); used != 600 {
		t.Errorf("%d is used after the window, want 600", used)
	}

	// Of what was agreed to, the dearer job that only counts takes nothing away.
	l = fresh(p)
	wantCode(t, spend(t, p, l, job("before", 350, 0)), Allowed, "")
	wantCode(t, spend(t, p, l, bump("a", "", 600)), Allowed, "")
	counts(l, bump("b", "a", 800))
	wantCode(t, p.Decide(bump("c", "a", 800), l), Denied, CodeLimitReached)
	wantCode(t, p.Decide(bump("d", "a", 601), l), Denied, CodeLimitReached)
	wantCode(t, p.Decide(bump("e", "a", 600), l), Allowed, "")
}

// What is remembered of a job has a bound, however many keys sign it. A bump of one that is
// over it costs more, and never less.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1000 sat", "day")+"\nscope = \"key\""))
	ask := func(name, of string) *Ask {
		a := psbt(name, 1000, out{shop, 400, nil}, out{"change", 600, derive.Path{1, 0}})
		a.Replaces, a.Intent.Spends, a.Roots = of, []string{"tx:0"}, nil
		for i := range 100 {
			a.Roots = append(a.Roots, intent.Root{ID: fmt.Sprintf("%032x.%d", 0, i)})
			a.Intent.Signatures = append(a.Intent.Signatures, intent.Signature{Root: i, Sighash: "default"})
		}
		return a
	}
	l := fresh(p)
	wantCode(t, spend(t, p, l, ask("a", "")), Allowed, "")
	g := l.jobs.digests[ask("a", "").Digest].group
	if len(g.charges) != maxGroup {
		t.Errorf("%d charges are kept", len(g.charges))
	}
	got := spend(t, p, l, ask("b", "a"))
	wantCode(t, got, Allowed, "")
	for i, want := range []uint64{0: 400, maxGroup: 800, 99: 800} {
		if used, _ := l.Used(got.Charges[i]); want > 0 && used != want {
			t.Errorf("key %d has used %d, want %d", i, used, want)
		}
	}
}

// What counted in no rule is charged when another policy lets it through.
func TestCountedUnderAnotherPolicy(t *testing.T) {
	t.Parallel()
	after := parse(t, plainRule("psbt", limitOf("1000 sat", "day")))
	before := parse(t, strings.Replace(plainRule("psbt", limitOf("1000 sat", "day")), `clients = ["*"]`, `clients = ["bob"]`, 1))
	l := fresh(before)
	for _, name := range []string{"a", "b", "c"} {
		ask := job(name, 900, 0)
		d := before.Decide(ask, l)
		wantCode(t, d, Denied, CodeNoRule)
		store(l, l.Charge(ask, &d).Save)
	}
	store(l, l.Use(after))
	wantCode(t, spend(t, after, l, job("a", 900, 0)), Allowed, "")
	wantCode(t, after.Decide(job("b", 900, 0), l), Denied, CodeLimitReached)
	wantCode(t, after.Decide(job("a", 900, 0), l), Allowed, "")
}
