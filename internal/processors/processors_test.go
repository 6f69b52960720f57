package processors

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// recorder is a pacer whose processors are noted.
func recorder() (p *pacer, set *[]int) {
	set = new([]int)
	return &pacer{full: 3, set: func(n int) { *set = append(*set, n) }}, set
}

// look has a program use a share of a core since the last look.
func (p *pacer) uses(share float64, looks int) {
	for range looks {
		p.look(p.used+time.Duration(share*float64(lookEvery)), p.at+lookEvery)
	}
}

// A program that does little has one processor, after a while. What needs more has all of
// them at once, and so does a program that turns out to do much.
func TestPacer(t *testing.T) {
	p, set := recorder()
	p.uses(.3, calmLooks)
	if len(*set) != 0 {
		t.Fatalf("set to %d too soon", *set)
	}
	p.uses(.3, 3)
	p.need()
	p.need()
	p.uses(.1, calmLooks+1)
	if want := []int{1, 3}; !slices.Equal(*set, want) {
		t.Fatalf("set to %d, want %d: it needed them since the last look", *set, want)
	}
	p.uses(.1, 1)
	p.uses(.9, 2)
	if want := []int{1, 3, 1, 3}; !slices.Equal(*set, want) {
		t.Errorf("set to %d, want %d", *set, want)
	}
	p.uses(.9, 100)
	p.need()
	if len(*set) != 4 {
		t.Errorf("set to %d though nothing changed", *set)
	}
}

// Whoever needs processors has them when need returns, also where one is set at that moment.
func TestNeedNowAndThere(t *testing.T) {
	var now struct {
		sync.Mutex
		n int
	}
	p := &pacer{full: 3, set: func(n int) {
		runtime.Gosched()
		now.Lock()
		now.n = n
		now.Unlock()
	}}
	now.n = 3
	for range 2000 {
		p.needed.Store(false)
		var both sync.WaitGroup
		both.Go(func() { p.to(true) })
		both.Go(func() {
			p.need()
			now.Lock()
			defer now.Unlock()
			if now.n != 3 {
				t.Error("needed, and there is one")
			}
		})
		both.Wait()
		p.to(false)
	}
}

// Without Follow a program keeps what it has.
func TestNotFollowed(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	Need()
	Watch()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d processors, had %d", n, before)
	}
}

// What a program has used is known where it is followed.
func TestUsed(t *testing.T) {
	if used == nil {
		t.Skip("not known to this system")
	}
	before := used()
	for begin := time.Now(); used() == before; {
		if time.Since(begin) > time.Minute {
			t.Fatal("a loop takes no processor time")
		}
	}
}
