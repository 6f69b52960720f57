package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
)

const day = 24 * time.Hour

// dayRule has a limit of 1,600 sat a day, whose block is 100.
func dayRule(t testing.TB, more ...string) *Policy {
	return parse(t, plainRule("psbt", append([]string{"change_gap = 100", limitOf("1600 sat", "day")}, more...)...))
}

// spend asks for a job, and charges it if it is allowed; states are on disk at once.
func spend(t testing.TB, p *Policy, l *Ledger, ask *Ask) Decision {
	t.Helper()
	d := p.Decide(ask, l)
	if d.Verdict == Allowed {
		c := l.Charge(ask, &d)
		if c.Wait > 0 && (c.Save == nil || c.Save.Seq != c.Wait) {
			t.Errorf("waits for state %d, and nothing is to be saved", c.Wait)
		}
		store(l, c.Save)
	}
	return d
}

func store(l *Ledger, s *Save) {
	for s != nil {
		s = l.Saved(s.Seq)
	}
}

func job(name string, sats uint64, after time.Duration) *Ask {
	return at(psbt(name, sats, out{to: shop, units: sats}), after)
}

func TestLimitSlides(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	wantCode(t, spend(t, p, l, job("a", 1000, 0)), Allowed, "")
	wantCode(t, spend(t, p, l, job("b", 600, 12*time.Hour)), Allowed, "")
	d := spend(t, p, l, job("c", 1, 23*time.Hour))
	wantCode(t, d, Denied, CodeLimitReached)
	for _, want := range []string{"alice", "0.000016 BTC", "a day for each client"} {
		if !strings.Contains(d.Reason, want) {
			t.Errorf("%q does not say %s", d.Reason, want)
		}
	}
	wantCode(t, spend(t, p, l, job("c", 1, day-time.Second)), Denied, CodeLimitReached)
	wantCode(t, spend(t, p, l, job("d", 1001, day+2*time.Hour)), Denied, CodeLimitReached)
	wantCode(t, spend(t, p, l, job("d", 1000, day+2*time.Hour)), Allowed, "")
}

// TestWindowIsWhole: whenever within a step a charge is made, it counts for the whole
// window, and for a step more at most.
func TestWindowIsWhole(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("10 jobs", "minute"), limitOf("100 sat", "hour"), limitOf("101 sat", "day"),
		limitOf("102 sat", "week")))
	for _, l := range p.rules[0].limits {
		step := time.Duration(l.window.step()) * time.Second
		for _, after := range []time.Duration{0, time.Second, step / 2, step - time.Second} {
			n := &counter{window: l.window}
			n.add(start.Add(after).Unix(), 5)
			if got := n.sum(start.Add(after + l.window.length - time.Second).Unix()); got != 5 {
				t.Errorf("%s: %d counts just before the window's end", l, got)
			}
			if got := n.sum(start.Add(after + (parts+1)*step).Unix()); got != 0 {
				t.Errorf("%s: %d counts after it", l, got)
			}
		}
	}
}

// TestOnceByDigest: attempts of a job cost nothing, also when the limit is reached, and
// whatever the job claims to be.
func TestOnceByDigest(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	ask := job("a", 1600, 0)
	for range 5 {
		wantCode(t, spend(t, p, l, ask), Allowed, "")
	}
	wantCode(t, spend(t, p, l, job("b", 1, 0)), Denied, CodeLimitReached)
	other := job("a", 1, 0)
	other.Digest[0]++
	wantCode(t, spend(t, p, l, other), Denied, CodeLimitReached)
}

// TestStandby: a job that others signed is charged here as well, also if this node denied
// it.
func TestStandby(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	wantCode(t, spend(t, p, l, job("a", 1500, 0)), Allowed, "")
	ask := job("b", 1500, 0)
	d := p.Decide(ask, l)
	wantCode(t, d, Denied, CodeLimitReached)
	store(l, l.Charge(ask, &d).Save)
	if used, most := l.Used(d.Charges[0]); used != 3000 || most != 1600 {
		t.Errorf("used %d of %d", used, most)
	}
	d = p.Decide(job("c", 1, 20*time.Hour), l)
	wantCode(t, d, Denied, CodeLimitReached)
}

// TestScopes: each client, or each key, has its own counter, and rules count apart.
func TestScopes(t *testing.T) {
	t.Parallel()
	p := dayRule(t, limitOf("1000 sat", "hour"), `scope = "key"`)
	l := fresh(p)
	wantCode(t, spend(t, p, l, job("a", 900, 0)), Allowed, "")
	wantCode(t, spend(t, p, l, job("b", 200, 0)), Denied, CodeLimitReached)
	other := job("c", 700, 0)
	other.Roots[0].ID = key1
	wantCode(t, spend(t, p, l, other), Allowed, "")
	other = job("d", 700, 0)
	other.Client = "bob"
	wantCode(t, spend(t, p, l, other), Denied, CodeLimitReached) // the key's
	other.Roots[0].ID = key1
	wantCode(t, spend(t, p, l, other), Denied, CodeLimitReached)
	other.Intent.Outflow[0].Units = 300
	wantCode(t, spend(t, p, l, other), Allowed, "")
}

func TestRates(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("3 jobs", "minute"), limitOf("5 signatures", "hour")))
	l := fresh(p)
	for i := range 3 {
		wantCode(t, spend(t, p, l, job(fmt.Sprint(i), 10, 0)), Allowed, "")
	}
	d := spend(t, p, l, job("4", 10, 59*time.Second))
	wantCode(t, d, Denied, CodeLimitReached)
	if !strings.Contains(d.Reason, "3 jobs") {
		t.Error(d.Reason)
	}
	wantCode(t, spend(t, p, l, job("4", 10, 2*time.Minute)), Allowed, "")
	two := job("5", 10, 2*time.Minute)
	two.Intent.Signatures = append(two.Intent.Signatures, two.Intent.Signatures...)
	wantCode(t, spend(t, p, l, two), Denied, CodeLimitReached) // of the hour
}

// TestReplaces: a fee bump is charged for what it takes more, whichever of its forerunners
// it names; and what is no fee bump is denied.
func TestReplaces(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	bump := func(name, replaces string, fee uint64, outs ...out) *Ask {
		paid := fee
		for _, o := range outs {
			paid += o.units
		}
		outs = append(outs, out{to: "mine", units: 10_000 - paid, path: derive.Path{1, 0}})
		ask := psbt(name, 10_000, outs...)
		ask.Intent.Spends, ask.Replaces = []string{"tx:1", "tx:0"}, replaces
		return ask
	}
	pays := []out{{to: shop, units: 700}, {to: thief, units: 100}}
	swapped := []out{pays[1], pays[0]}
	begin := func() *Ledger {
		l := fresh(p)
		wantCode(t, spend(t, p, l, bump("a", "", 100, pays...)), Allowed, "") // 900
		return l
	}
	left := func(l *Ledger, want uint64) {
		t.Helper()
		wantCode(t, p.Decide(job("x", 1600-want+1, 0), l), Denied, CodeLimitReached)
		if want < 1600 {
			wantCode(t, p.Decide(job("x", 1600-want, 0), l), Allowed, "")
		}
	}
	l := begin()
	wantCode(t, spend(t, p, l, bump("b", "a", 300, swapped...)), Allowed, "")
	left(l, 1100)
	wantCode(t, spend(t, p, l, bump("c", "a", 400, pays...)), Allowed, "")
	left(l, 1200)
	wantCode(t, spend(t, p, l, bump("d", "b", 200, pays...)), Allowed, "")
	left(l, 1200)
	wantCode(t, spend(t, p, l, bump("e", "d", 800, pays...)), Allowed, "")
	left(l, 1600)
	wantCode(t, spend(t, p, l, bump("f", "d", 801, pays...)), Denied, CodeAboveLimit)
	wantCode(t, spend(t, p, l, bump("g", "", 100, pays...)), Denied, CodeLimitReached)

	for name, edit := range map[string]func(*Ask){
		"pays somebody else":   func(a *Ask) { a.Intent.Payments[0].To = thief },
		"pays more":            func(a *Ask) { a.Intent.Payments[0].Units++ },
		"pays one more":        func(a *Ask) { a.Intent.Payments = append(a.Intent.Payments, a.Intent.Payments[0]) },
		"pays one less":        func(a *Ask) { a.Intent.Payments = a.Intent.Payments[:1] },
		"another asset":        func(a *Ask) { a.Intent.Payments[0].Asset = "sol" },
		"other inputs":         func(a *Ask) { a.Intent.Spends = []string{"tx:0", "tx:2"} },
		"one input less":       func(a *Ask) { a.Intent.Spends = a.Intent.Spends[:1] },
		"one input more":       func(a *Ask) { a.Intent.Spends = append(a.Intent.Spends, "tx:2") },
		"change that is far":   func(a *Ask) { a.Intent.Change[0].Path = derive.Path{1, 9999} },
		"change that is a leg": func(a *Ask) { a.Intent.Change[0].Path = derive.Path{0, 0} },
	} {
		l := begin()
		ask := bump("b", "a", 200, pays...)
		edit(ask)
		d := p.Decide(ask, l)
		if d.Verdict != Denied || d.Code != CodeBadReplacement && d.Code != CodeAboveLimit {
			t.Errorf("%s: %s %s", name, d.Verdict, d.Code)
		}
	}
	// Of another client, or forgotten: it is charged in full.
	l = begin()
	stranger := bump("b", "a", 100, pays...)
	stranger.Client = "bob"
	d := spend(t, p, l, stranger)
	wantCode(t, d, Allowed, "")
	if used, _ := l.Used(d.Charges[0]); used != 900 {
		t.Errorf("%d are charged", used)
	}
	wantCode(t, spend(t, p, l, bump("c", "unknown", 100, pays...)), Denied, CodeLimitReached)
	// Two that share an input and don't say so are both charged.
	l = begin()
	wantCode(t, spend(t, p, l, bump("b", "", 0, pays[:1]...)), Allowed, "")
	left(l, 1600)
}

// TestReplacesNothingElse: neither jobs nor signatures are for nothing, and only PSBTs
// have replacements.
func TestReplacesNothingElse(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("2 jobs", "day")))
	l := fresh(p)
	first := job("a", 100, 0)
	wantCode(t, spend(t, p, l, first), Allowed, "")
	for i, want := range []Verdict{Allowed, Denied} {
		again := job(fmt.Sprint("b", i), 100, 0)
		again.Intent.Spends, again.Replaces = first.Intent.Spends, "a"
		if d := spend(t, p, l, again); d.Verdict != want {
			t.Errorf("%d: %+v", i, d)
		}
	}
	s := parse(t, plainRule("solana_transaction", limitOf("2 jobs", "day")))
	l = fresh(s)
	one, two := transfer("sol", 5, wsol), transfer("sol", 5, wsol)
	one.Digest[1], two.Job, two.Replaces = 1, "t", "s"
	l = fresh(s)
	s.Decide(one, l)
	one.Intent.Outflow, two.Intent.Outflow = one.Intent.Outflow[1:], two.Intent.Outflow[1:]
	wantCode(t, spend(t, parse(t, plainRule("solana_transaction")), l, one), Allowed, "")
	wantCode(t, spend(t, parse(t, plainRule("solana_transaction")), l, two), Denied, CodeBadReplacement)
}

// TestChangeMoves: the bound of change follows what is spent from chain 1, by steps that
// are bounded too.
func TestChangeMoves(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", "change_gap = 100", `destinations = ["`+shop+`"]`, `max_fee = ["1 BTC"]`))
	l := fresh(p)
	from := func(name string, index, change uint32) *Ask {
		ask := psbt(name, 100, out{to: "mine", units: 90, path: derive.Path{1, change}})
		ask.Intent.Signatures[0].Path = derive.Path{1, index}
		return ask
	}
	wantCode(t, spend(t, p, l, from("a", 0, 101)), Denied, CodeDestination)
	wantCode(t, spend(t, p, l, from("b", 60, 100)), Allowed, "")
	wantCode(t, spend(t, p, l, from("c", 0, 160)), Allowed, "")
	wantCode(t, spend(t, p, l, from("d", 0, 161)), Denied, CodeDestination)
	// An input at a far index, which may be made up, moves nothing.
	wantCode(t, spend(t, p, l, from("e", 1<<30, 160)), Allowed, "")
	wantCode(t, spend(t, p, l, from("f", 0, 161)), Denied, CodeDestination)
	// A restart keeps it: the index was saved when it rose by half the bound.
	s := l.Close(start)
	again, first, err := OpenLedger(p, s.Encode(), start)
	if err != nil {
		t.Fatal(err)
	}
	again.Saved(first.Seq)
	wantCode(t, spend(t, p, again, from("g", 0, 160)), Allowed, "")
	wantCode(t, spend(t, p, again, from("h", 0, 161)), Denied, CodeDestination)
}

// TestIndexIsSaved: where nothing else is to be saved, a raised index is.
func TestIndexIsSaved(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", "change_gap = 100"))
	l := fresh(p)
	saves := 0
	for i := range uint32(200) {
		ask := psbt(fmt.Sprint(i), 100, out{to: "mine", units: 90, path: derive.Path{1, i}})
		ask.Intent.Signatures[0].Path = derive.Path{1, i}
		d := p.Decide(ask, l)
		wantCode(t, d, Allowed, "")
		if c := l.Charge(ask, &d); c.Save != nil {
			saves++
			again, _, err := OpenLedger(p, c.Save.Encode(), start)
			if err != nil || again.highest(key0) != i {
				t.Errorf("index %d, %v", again.highest(key0), err)
			}
			store(l, c.Save)
		}
	}
	if saves != 3 {
		t.Errorf("%d states of 200 indexes and a bound of 100", saves)
	}
}

// TestBounds: a full ledger denies those that it has no room for, and nobody else; it
// makes room when counters are over; and it counts a job of others for everybody then.
func TestBounds(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	of := func(client string, sats uint64, after time.Duration) *Ask {
		ask := job(client, sats, after)
		ask.Client = client
		return ask
	}
	for i := range maxCounters {
		ask := of(fmt.Sprint("c", i), 10, 0)
		d := p.Decide(ask, l)
		if d.Verdict != Allowed {
			t.Fatal(d.Reason)
		}
		store(l, l.Charge(ask, &d).Save)
	}
	wantCode(t, spend(t, p, l, of("new", 10, time.Hour)), Denied, CodeLedgerFull)
	again := of("c7", 10, time.Hour)
	again.Digest[0]++
	wantCode(t, spend(t, p, l, again), Allowed, "")
	// Others signed for one that there is no room for.
	ask := of("new", 1500, time.Hour)
	d := p.Decide(ask, l)
	store(l, l.Charge(ask, &d).Save)
	again.Digest[0]++
	again.Intent.Outflow[0].Units = 100
	wantCode(t, spend(t, p, l, again), Denied, CodeLimitReached)
	state := l.Close(start.Add(time.Hour)).Encode()
	if len(state) > MaxState/4 {
		t.Errorf("a state of %d bytes", len(state))
	}
	l = reopen(t, p, state, 2*time.Hour)
	wantCode(t, spend(t, p, l, of("new", 101, 2*time.Hour)), Denied, CodeLimitReached)
	wantCode(t, spend(t, p, l, of("newer", 10, day+2*time.Hour)), Allowed, "")
}

// TestForgotten: the memory of jobs is bounded, and what it forgot is charged again.
func TestForgotten(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1 BTC", "day")))
	l := fresh(p)
	first := job("first", 10, 0)
	spend(t, p, l, first)
	for i := range maxJobs {
		spend(t, p, l, job(fmt.Sprint(i), 1, 0))
	}
	if len(l.jobs.digests) != maxJobs || len(l.jobs.jobs) != maxJobs || len(l.jobs.order) != maxJobs {
		t.Errorf("%d jobs are remembered", len(l.jobs.digests))
	}
	d := spend(t, p, l, first)
	if used, _ := l.Used(d.Charges[0]); used != maxJobs+20 {
		t.Errorf("used %d", used)
	}
}
