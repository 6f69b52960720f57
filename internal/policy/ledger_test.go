package policy

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestBlocks: a charge is good at once while its limit's block lasts, and asks for the
// next state at half of it.
func TestBlocks(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l, s := NewLedger(p, start)
	charge := func(name string, sats uint64) Charged {
		t.Helper()
		ask := job(name, sats, 0)
		d := p.Decide(ask, l)
		wantCode(t, d, Allowed, "")
		return l.Charge(ask, &d)
	}
	// The first state is not on disk: everything waits for one that has the charge.
	c := charge("a", 1)
	if c.Wait != s.Seq+1 || c.Save != nil {
		t.Fatalf("%+v", c)
	}
	next := l.Saved(s.Seq)
	if next == nil || next.Seq != c.Wait {
		t.Fatalf("%+v", next)
	}
	// That one is being written, without b.
	if c = charge("b", 50); c.Wait != 0 || c.Save != nil { // half a block
		t.Fatalf("%+v", c)
	}
	if l.Saved(next.Seq) != nil || l.Saved(next.Seq) != nil {
		t.Fatal("another state is wanted")
	}
	if c = charge("c", 1); c.Wait != 0 || c.Save == nil { // more: ahead of need
		t.Fatalf("%+v", c)
	}
	if again := charge("e", 49); again.Wait != 0 || again.Save != nil { // a whole block, while it is written
		t.Fatalf("%+v", again)
	}
	if over := charge("f", 1); over.Wait != c.Save.Seq+1 || over.Save != nil {
		t.Fatalf("%+v", over)
	}
	if attempt := charge("f", 1); attempt.Wait != c.Save.Seq+1 { // another attempt waits as well
		t.Fatalf("%+v", attempt)
	}
	last := l.Saved(c.Save.Seq)
	if last == nil || l.Saved(last.Seq) != nil {
		t.Fatal("no state for what waits")
	}
	if attempt := charge("f", 1); attempt.Wait != 0 {
		t.Fatalf("%+v", attempt)
	}
	// A job that is larger than a block asks for its own.
	if c = charge("g", 500); c.Save == nil || c.Wait != c.Save.Seq {
		t.Fatalf("%+v", c)
	}
	if l.Saved(c.Save.Seq-1) != nil || l.Seq() != last.Seq {
		t.Error("a state that was not the last one counts")
	}
}

// reopen reads a state again.
func reopen(t testing.TB, p *Policy, state []byte, after time.Duration) *Ledger {
	t.Helper()
	l, s, err := OpenLedger(p, state, start.Add(after))
	if err != nil {
		t.Fatal(err)
	}
	store(l, &s)
	return l
}

// TestRestarts: after a crash a block counts as used, for all clients, for one window;
// after a clean end nothing does.
func TestRestarts(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	spend(t, p, l, job("a", 1000, 0))
	clean := l.Close(start.Add(time.Hour))
	for range 3 { // however often
		l = reopen(t, p, clean.Encode(), 2*time.Hour)
		clean = l.Close(start.Add(2 * time.Hour))
	}
	wantCode(t, p.Decide(job("b", 601, 2*time.Hour), l), Denied, CodeLimitReached)
	wantCode(t, p.Decide(job("b", 600, 2*time.Hour), l), Allowed, "")
	other := job("c", 1600, 2*time.Hour)
	other.Client = "bob"
	wantCode(t, p.Decide(other, l), Allowed, "")

	l = reopen(t, p, clean.Encode(), 2*time.Hour)
	_, crashed, err := OpenLedger(p, l.want().Encode(), start.Add(3*time.Hour)) // the state of a running process
	if err != nil {
		t.Fatal(err)
	}
	l = reopen(t, p, crashed.Encode(), 3*time.Hour) // crashed twice, in fact
	other = job("c", 1401, 3*time.Hour)
	other.Client = "bob"
	wantCode(t, p.Decide(other, l), Denied, CodeLimitReached)
	other.Intent.Outflow[0].Units = 1400
	wantCode(t, p.Decide(other, l), Allowed, "")
	wantCode(t, p.Decide(job("b", 401, 3*time.Hour), l), Denied, CodeLimitReached)
	wantCode(t, p.Decide(job("b", 400, 3*time.Hour), l), Allowed, "")
	wantCode(t, p.Decide(job("b", 1600, 3*time.Hour+day+2*time.Hour), l), Allowed, "")
}

// TestBlocksOfAnotherPolicy: what may be used unsaved is what the policy of that time let,
// not the one that is read after the crash.
func TestBlocksOfAnotherPolicy(t *testing.T) {
	t.Parallel()
	before, after := dayRule(t), parse(t, plainRule("psbt", limitOf("160 sat", "day")))
	l := fresh(before)
	c := func() Charged {
		ask := job("a", 100, 0)
		d := before.Decide(ask, l)
		return l.Charge(ask, &d)
	}()
	if c.Wait != 0 {
		t.Fatal("a block is 100")
	}
	l = reopen(t, after, l.want0().Encode(), 0)
	wantCode(t, after.Decide(job("b", 61, 0), l), Denied, CodeLimitReached)
	wantCode(t, after.Decide(job("b", 60, 0), l), Allowed, "")
	// And in a running process the new block counts once it is on disk.
	l = fresh(after)
	store(l, l.Use(before))
	ask := job("c", 100, 0)
	d := before.Decide(ask, l)
	if got := l.Charge(ask, &d); got.Wait != 0 {
		t.Errorf("%+v", got)
	}
}

// want0 is the state that would have been on disk before any charge.
func (l *Ledger) want0() Save {
	fresh := *l
	fresh.counters = map[counterKey]*counter{}
	return *fresh.save(false)
}

func TestLossAndDoubt(t *testing.T) {
	t.Parallel()
	p := dayRule(t, limitOf("1000 sat", "hour"), limitOf("5 jobs", "minute"))
	l, s := LostLedger(p, start, "the state is lost")
	store(l, &s)
	d := p.Decide(job("a", 1, 0), l)
	wantCode(t, d, Denied, CodeCountersUnknown)
	if !strings.Contains(d.Reason, "the state is lost") || !strings.Contains(d.Reason, "2026-01-02T") {
		t.Error(d.Reason)
	}
	l = reopen(t, p, l.Close(start.Add(time.Hour)).Encode(), time.Hour) // a restart forgives nothing
	wantCode(t, p.Decide(job("a", 1, day-time.Second), l), Denied, CodeCountersUnknown)
	wantCode(t, p.Decide(job("a", 1, day+time.Hour), l), Allowed, "")
	store(l, l.Doubt("an old state was put back", start.Add(day+time.Hour)))
	wantCode(t, p.Decide(job("a", 1, day+time.Hour), l), Denied, CodeCountersUnknown)
	// Rules that don't count go on.
	free := parse(t, plainRule("psbt", limitOf("10 sat", "transaction"), limitOf("5 jobs", "minute")))
	wantCode(t, free.Decide(job("a", 1, day+time.Hour), l), Allowed, "")
}

// TestClocks: within a process, a clock that is set moves no window; without a monotonic
// reading, and over a restart, one that goes back denies for one window.
func TestClocks(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	spend(t, p, l, job("a", 1600, 10*time.Hour))
	wantCode(t, p.Decide(job("b", 1, 10*time.Hour-30*time.Second), l), Denied, CodeLimitReached) // as a clock may
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour), l), Denied, CodeCountersUnknown)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour+day+2*time.Hour), l), Allowed, "")

	l = fresh(p)
	spend(t, p, l, job("a", 100, 10*time.Hour))
	state := l.Close(start.Add(10 * time.Hour)).Encode()
	back := reopen(t, p, state, 9*time.Hour)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour), back), Denied, CodeCountersUnknown)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour+day+2*time.Hour), back), Allowed, "")
	little := reopen(t, p, state, 10*time.Hour-30*time.Second)
	wantCode(t, p.Decide(job("b", 1, 10*time.Hour), little), Allowed, "")

	// With a monotonic reading: the wall clock is put forward by a year, and back.
	now := time.Now() //nolint:forbidigo // the reading is what the test is about
	l, s := NewLedger(p, now)
	store(l, &s)
	ask := job("a", 1600, 0)
	ask.Now = now
	spend(t, p, l, ask)
	forward := job("b", 1, 0)
	forward.Now = now.Add(time.Minute) // of which only the monotonic part counts
	wantCode(t, p.Decide(forward, l), Denied, CodeLimitReached)
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
	if len(state) > maxState/4 {
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

// TestManyCrashes: more crashes than are kept count together.
func TestManyCrashes(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1600 sat", "week")))
	l := fresh(p)
	for i := range maxEvents + 5 {
		s := l.want()
		if s == nil {
			t.Fatal("no state")
		}
		l = reopen(t, p, s.Encode(), time.Duration(i)*time.Minute)
		if len(l.events) > maxEvents {
			t.Fatalf("%d events", len(l.events))
		}
		ask := job("x", 1, time.Duration(i)*time.Minute)
		used, _ := l.Used(p.Decide(ask, l).Charges[0])
		if used != uint64(i+1)*100 {
			t.Errorf("after %d crashes %d are used", i+1, used)
		}
	}
}

// TestStatesAreRefused: what was changed, cut off or is of another version.
func TestStatesAreRefused(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	spend(t, p, l, job("a", 1000, 0))
	good := l.Close(start).Encode()
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		if _, _, err := OpenLedger(p, bad, start); !errors.Is(err, ErrState) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, _, err := OpenLedger(p, good[:i], start); !errors.Is(err, ErrState) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
	if _, _, err := OpenLedger(p, append(slices.Clone(good), 0), start); !errors.Is(err, ErrState) {
		t.Errorf("a byte more: %v", err)
	}
}

// TestCrashesNeverDouble plays jobs, attempts, fee bumps, slow disks, crashes, clean ends
// and time at random, and looks at what left: never more than the limit within a window.
func TestCrashesNeverDouble(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	crashes, full := 0, 0
	for seed := range seeds {
		w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 14)), p: dayRule(t)}
		w.run(400)
		crashes += w.crashes
		full += w.denied
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if crashes < 500 || full < 500 {
		t.Errorf("%d crashes, %d denials: the test shows nothing", crashes, full)
	}
}

// world is a node with a slow disk.
type world struct {
	t       testing.TB
	rand    *rand.Rand
	p       *Policy
	l       *Ledger
	now     time.Duration
	disk    []byte
	writing *Save // handed to the disk, and perhaps on it
	waiting []sent
	left    []sent // shares that left
	jobs    []*Ask
	crashes int
	denied  int
}

type sent struct {
	at    time.Duration
	units uint64
	wait  uint64
	group string // of which one is ever confirmed
}

func (w *world) run(steps int) {
	l, s := NewLedger(w.p, start)
	w.l, w.writing = l, &s
	for range steps {
		switch w.rand.IntN(12) {
		case 0, 1, 2, 3, 4:
			w.ask(job(fmt.Sprint(len(w.jobs)), 1+w.rand.Uint64N(1<<w.rand.UintN(9)), w.now))
		case 5:
			if len(w.jobs) > 0 {
				again := *w.jobs[w.rand.IntN(len(w.jobs))]
				w.ask(at(&again, w.now))
			}
		case 6:
			w.bump()
		case 7, 8, 9:
			w.saved()
		case 10:
			w.now += time.Duration(w.rand.Int64N(int64(3 * time.Hour)))
		case 11:
			w.restart()
		}
	}
	w.check()
}

// bump replaces a job, with a higher or lower fee.
func (w *world) bump() {
	if len(w.jobs) == 0 {
		return
	}
	of := w.jobs[w.rand.IntN(len(w.jobs))]
	fee := w.rand.Uint64N(200)
	paid := of.Intent.Payments[0].Units
	ask := at(psbt(fmt.Sprint(len(w.jobs)), paid+fee, out{to: shop, units: paid}), w.now)
	ask.Intent.Spends, ask.Replaces = of.Intent.Spends, of.Job
	w.ask(ask)
}

func (w *world) ask(ask *Ask) {
	d := w.p.Decide(ask, w.l)
	if d.Verdict != Allowed {
		w.denied++
		return
	}
	w.jobs = append(w.jobs, ask)
	c := w.l.Charge(ask, &d)
	if c.Save != nil {
		if w.writing != nil {
			w.t.Error("two states at once")
		}
		w.writing = c.Save
	}
	one := sent{w.now, ask.Intent.Outflow[0].Units, c.Wait, ask.Intent.Spends[0]}
	if c.Wait == 0 {
		w.left = append(w.left, one)
	} else {
		w.waiting = append(w.waiting, one)
	}
}

func (w *world) saved() {
	if w.writing == nil {
		return
	}
	w.disk = w.writing.Encode()
	seq := w.writing.Seq
	w.writing = w.l.Saved(seq)
	w.waiting = slices.DeleteFunc(w.waiting, func(one sent) bool {
		if one.wait > seq {
			return false
		}
		w.left = append(w.left, one)
		return true
	})
	if w.writing == nil && len(w.waiting) > 0 {
		w.t.Error("shares wait for a state that nobody writes")
	}
}

func (w *world) restart() {
	switch w.rand.IntN(3) {
	case 0: // in order
		s := w.l.Close(start.Add(w.now))
		w.disk = s.Encode()
	case 1: // what was being written is on disk
		if w.writing != nil {
			w.disk = w.writing.Encode()
		}
	}
	w.crashes++
	w.waiting = nil
	now := start.Add(w.now)
	if w.disk == nil {
		l, s := LostLedger(w.p, now, "never saved")
		w.l, w.writing = l, &s
		return
	}
	l, s, err := OpenLedger(w.p, w.disk, now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.l, w.writing = l, &s
}

// check adds up what left within each window: of jobs that exclude each other, what the
// dearest takes more than those before the window.
func (w *world) check() {
	slices.SortStableFunc(w.left, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	for i, first := range w.left {
		before := map[string]uint64{}
		for _, one := range w.left[:i] {
			before[one.group] = max(before[one.group], one.units)
		}
		var sum uint64
		for _, one := range w.left[i:] {
			if one.at < first.at+day && one.units > before[one.group] {
				sum += one.units - before[one.group]
				before[one.group] = one.units
			}
		}
		if sum > 1600 {
			w.t.Fatalf("%d left within a day from %s", sum, first.at)
		}
	}
}

// TestSteering: whoever chooses which t of n nodes sign each job, and has f of them, gets
// (n-f)/(t-f) limits signed and no more. Where the others see what was signed, one limit.
func TestSteering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, t, f int }{{3, 2, 0}, {3, 2, 1}, {5, 3, 0}, {5, 3, 1}, {5, 3, 2}, {7, 5, 2}, {4, 4, 1}} {
		for _, see := range []bool{false, true} {
			p := parse(t, plainRule("psbt", limitOf("160 sat", "day")))
			var honest []*Ledger
			for range c.n - c.f {
				honest = append(honest, fresh(p))
			}
			sum := uint64(0)
			for i := 0; ; i++ {
				ask := job(fmt.Sprint(i), 1, 0)
				// The least used first: no other choice gets further.
				order := slices.Clone(honest)
				d := p.Decide(ask, nil)
				slices.SortStableFunc(order, func(a, b *Ledger) int {
					x, _ := a.Used(d.Charges[0])
					y, _ := b.Used(d.Charges[0])
					return int(x) - int(y)
				})
				signs := 0
				for _, l := range order[:c.t-c.f] {
					if d := p.Decide(ask, l); d.Verdict == Allowed {
						store(l, l.Charge(ask, &d).Save)
						signs++
					}
				}
				if signs < c.t-c.f {
					break
				}
				sum++
				for _, l := range order[c.t-c.f:] {
					if see {
						store(l, l.Charge(ask, &d).Save)
					}
				}
			}
			want := uint64((c.n - c.f) * 160 / (c.t - c.f))
			if see {
				want = 160
			}
			if sum != want {
				t.Errorf("n %d, t %d, f %d, seen %v: %d are signed, the bound is %d", c.n, c.t, c.f, see, sum, want)
			}
		}
	}
}

// TestLaxNode: of t nodes the strictest decides, so one lax node lets nothing through by
// itself; t lax ones let everything through.
func TestLaxNode(t *testing.T) {
	t.Parallel()
	strict, lax := dayRule(t), (*Policy)(nil)
	ask := job("a", 100_000_000, 0)
	signs := func(nodes ...*Policy) (allowed int) {
		for _, p := range nodes {
			if p.Decide(ask, nil).Verdict == Allowed {
				allowed++
			}
		}
		return allowed
	}
	if n := signs(strict, strict, lax); n >= 2 {
		t.Errorf("%d sign beside two strict ones", n)
	}
	if n := signs(strict, lax, lax); n < 2 {
		t.Errorf("%d sign", n)
	}
	if lax.Hash() == strict.Hash() {
		t.Error("the difference does not show")
	}
}

func FuzzLedger(f *testing.F) {
	p := dayRule(f)
	l := fresh(p)
	spend(f, p, l, job("a", 1000, 0))
	l.Doubt("why", start.Add(time.Hour))
	s := l.Close(start.Add(2 * time.Hour))
	f.Add(s.Encode()[32:])
	f.Add(fresh(p).want().Encode()[32:])
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, body []byte) {
		l, s, err := OpenLedger(p, sealed(body), start)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		// What is read can be used, and is read again the same.
		for _, after := range []time.Duration{0, time.Hour, 10 * day} {
			d := p.Decide(job("z", 5, after), l)
			l.Charge(job("z", 5, after), &d)
		}
		if _, _, err := OpenLedger(p, s.Encode(), start); err != nil {
			t.Fatal(err)
		}
		if last := l.Close(start.Add(20 * day)); len(last.Encode()) > maxState {
			t.Fatal("too large")
		}
	})
}

func BenchmarkDecideAndCharge(b *testing.B) {
	p := parse(b, plainRule("psbt", `destinations = ["`+shop+`"]`, `max_fee = ["1 BTC"]`, "max_fee_rate = 1000",
		limitOf("21000000 BTC", "day"), limitOf("20000000 BTC", "hour"), limitOf("1000000000 signatures", "minute")))
	l := fresh(p)
	ask := psbt("a", 2000, out{to: shop, units: 1000}, out{to: "mine", units: 900, path: derive.Path{1, 7}})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ask.Digest = [32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
		d := p.Decide(ask, l)
		if d.Verdict != Allowed {
			b.Fatal(d.Reason)
		}
		store(l, l.Charge(ask, &d).Save)
	}
}

// BenchmarkSave is a state of many counters.
func BenchmarkSave(b *testing.B) {
	p := dayRule(b)
	l := fresh(p)
	for i := range 10_000 {
		ask := job(fmt.Sprint(i), 10, 0)
		ask.Client = fmt.Sprint("client", i)
		d := p.Decide(ask, l)
		l.Charge(ask, &d)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.save(false)
	}
}

func BenchmarkEncode(b *testing.B) {
	p := dayRule(b)
	l := fresh(p)
	for i := range 10_000 {
		ask := job(fmt.Sprint(i), 10, 0)
		ask.Client = fmt.Sprint("client", i)
		d := p.Decide(ask, l)
		l.Charge(ask, &d)
	}
	for b.Loop() {
		b.SetBytes(int64(len(l.save(false).Encode())))
	}
}
