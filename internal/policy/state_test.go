package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

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

// TestClocks: a clock that goes back denies for one window, over a restart and, where times
// have no monotonic reading, as here, within a process too.
func TestClocks(t *testing.T) {
	t.Parallel()
	p := dayRule(t)
	l := fresh(p)
	spend(t, p, l, job("a", 1600, 10*time.Hour))
	wantCode(t, p.Decide(job("b", 1, 10*time.Hour-30*time.Second), l), Denied, CodeLimitReached) // as a clock may
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour), l), Denied, CodeCountersUnknown)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour+day+2*time.Hour), l), Allowed, "")

	// Events that come out of order are no time that passes.
	l = fresh(p)
	spend(t, p, l, job("a", 1600, 0))
	for range 10_000 {
		p.Decide(job("b", 1, 59*time.Second), l)
		p.Decide(job("b", 1, 0), l)
	}
	wantCode(t, p.Decide(job("b", 1, 59*time.Second), l), Denied, CodeLimitReached)

	l = fresh(p)
	spend(t, p, l, job("a", 100, 10*time.Hour))
	state := l.Close(start.Add(10 * time.Hour)).Encode()
	back := reopen(t, p, state, 9*time.Hour)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour), back), Denied, CodeCountersUnknown)
	wantCode(t, p.Decide(job("b", 1, 9*time.Hour+day+2*time.Hour), back), Allowed, "")
	little := reopen(t, p, state, 10*time.Hour-30*time.Second)
	wantCode(t, p.Decide(job("b", 1, 10*time.Hour), little), Allowed, "")
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
		if last := l.Close(start.Add(20 * day)); len(last.Encode()) > MaxState {
			t.Fatal("too large")
		}
	})
}
