package policy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

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
