package recent

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

var begin = time.Unix(1_800_000_000, 0) // the beginning of a step

func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

func last[T any](list []T, back int) T { return list[len(list)-1-back] }

// TestRing: a step is shown once it is whole, each job counts where it ended, and what is older
// than the ring is forgotten, whatever is asked and added in between.
func TestRing(t *testing.T) {
	t.Parallel()
	var r Ring
	sign := func(seconds float64, items int, took time.Duration) {
		r.Add(at(seconds), End{Kind: wire.KindSign, Items: items, Took: took})
	}
	sign(0, 3, 10*time.Millisecond)
	sign(4.999, 4, 10*time.Millisecond)
	sign(5, 100, time.Second)
	r.Add(at(6), End{Kind: wire.KindKeygen, Items: 1000, Took: time.Minute})
	r.Add(at(6), End{Kind: "dance", Items: 7})
	if l := r.Look(at(4.999)); last(l.Kinds[1].Jobs, 0) != 0 {
		t.Errorf("a step that still runs is shown: %v", last(l.Kinds[1].Jobs, 0))
	}
	l := r.Look(at(10))
	if !l.Until.Equal(at(10)) {
		t.Errorf("until %v", l.Until)
	}
	for _, s := range l.Kinds {
		if len(s.Jobs) != Steps-1 || len(s.Items) != Steps-1 || len(s.Median) != Steps-1 || len(s.P99) != Steps-1 {
			t.Fatalf("lists of %d, %d, %d, %d", len(s.Jobs), len(s.Items), len(s.Median), len(s.P99))
		}
	}
	k, s := l.Kinds[0], l.Kinds[1]
	if last(s.Jobs, 1) != 2 || last(s.Items, 1) != 7 || last(s.Jobs, 0) != 1 || last(s.Items, 0) != 100 ||
		last(k.Items, 0) != 1000 || last(k.Jobs, 1) != 0 {
		t.Errorf("%v %v %v", s.Jobs[170:], s.Items[170:], k.Items[170:])
	}
	if m := last(s.Median, 1); math.Abs(m-0.010) > 0.00125 {
		t.Errorf("median %v", m)
	}
	if !math.IsNaN(last(k.Median, 1)) {
		t.Errorf("a time of no jobs: %v", last(k.Median, 1))
	}
	end := float64(Steps * 5)
	if l := r.Look(at(end)); l.Kinds[1].Jobs[0] != 1 {
		t.Errorf("the oldest step is %d", l.Kinds[1].Jobs[0])
	}
	if l := r.Look(at(end + 5)); l.Kinds[1].Jobs[0] != 0 {
		t.Errorf("what is older than the ring is shown: %d", l.Kinds[1].Jobs[0])
	}
	sign(end+5, 1, time.Millisecond) // in the slot of the second step
	sign(5, 50, time.Millisecond)    // which has been forgotten
	if l := r.Look(at(end + 10)); last(l.Kinds[1].Items, 0) != 1 {
		t.Errorf("a clock that went back changed a step: %d", last(l.Kinds[1].Items, 0))
	}
}

// TestQuantiles are right within an eighth, from half a millisecond to an hour.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{time.Millisecond, 37 * time.Millisecond, time.Second, 17 * time.Second, time.Hour} {
		var r Ring
		for range 98 {
			r.Add(begin, End{Kind: wire.KindSign, Took: took})
		}
		r.Add(begin, End{Kind: wire.KindSign, Took: 0})
		r.Add(begin, End{Kind: wire.KindSign, Took: 100 * time.Hour})
		l := r.Look(at(5))
		for _, got := range []float64{last(l.Kinds[1].Median, 0), last(l.Kinds[1].P99, 0)} {
			if want := took.Seconds(); math.Abs(got-want) > want/8 {
				t.Errorf("%v of %v", got, want)
			}
		}
	}
}

// TestNames: failures by code and denials by rule, most first, and no more names than there is
// room for.
func TestNames(t *testing.T) {
	t.Parallel()
	var r Ring
	fail := func(seconds float64, code, rule string) {
		r.Add(at(seconds), End{Kind: wire.KindSign, Took: time.Hour, Code: code, Rule: rule})
	}
	fail(0, "signing_failed", "")
	fail(7, "policy_denied", "treasury: destination")
	fail(8, "policy_denied", "treasury: amount")
	fail(9, "policy_denied", "treasury: amount")
	l := r.Look(at(10))
	if got := fmt.Sprint(l.Codes, l.Rules); got != "[{policy_denied 3} {signing_failed 1}] [{treasury: amount 2} {treasury: destination 1}]" {
		t.Error(got)
	}
	if !math.IsNaN(last(l.Kinds[1].Median, 0)) {
		t.Error("a failed job has a time")
	}
	for i := range 1000 {
		fail(20, fmt.Sprint("code ", i), fmt.Sprint("rule ", i))
	}
	l = r.Look(at(25))
	if len(l.Codes) > maxNames+3 || l.Codes[0] != (Counted{other, 1000 - maxNames}) || len(l.Rules) > maxNames+3 {
		t.Errorf("%d codes, first %v", len(l.Codes), l.Codes[0])
	}
}

func TestRule(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"node 1 denied: rule treasury: destination: output 2 pays a stranger (as did 2 nodes in all)": "treasury: destination",
		"node 0 denied: no_rule: no rule is for client shop and this key":                             "no_rule",
		"node 0 denied: rule x":               "x",
		"node 0 denied: rule \u202ex\n: y: z": "?x?: y",
		"fewer than t nodes signed":           "",
		"":                                    "",
		"node 1 denied: " + strings.Repeat("a", 200): strings.Repeat("a", maxRule),
	} {
		if got := Rule(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	var r Ring
	for b.Loop() {
		r.Add(begin, End{Kind: wire.KindSign, Items: 1, Took: 10 * time.Millisecond})
	}
}
