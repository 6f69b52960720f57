// Package processors gives a program as many of Go's processors (GOMAXPROCS) as it has work
// for: one while messages come that are dealt with in less than a millisecond each, and all
// as soon as there is more.
//
// Where a goroutine hands something to another one and a processor has nothing to do, Go wakes
// a thread to look whether there is work for it. A message goes through several goroutines,
// each of which hands it on and ends, so there is none: while single signatures are made, most
// of what wakes a thread is for nothing, and a quarter of the processor time. With one processor
// Go has no thread to wake.
package processors

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// How often a program is looked at, from which share of a core on it gets all processors, and
// for how many looks it has them when it needs them no more.
const (
	lookEvery = 250 * time.Millisecond
	busyShare = 0.5
	calmLooks = 4
)

// pacer is what a program has.
type pacer struct {
	full   int
	set    func(processors int)
	needed atomic.Bool // since the last look

	mu   sync.Mutex // held while processors are set, which waits for a garbage collection
	one  atomic.Bool
	calm int           // looks since they were needed
	used time.Duration // processor time at the last look
	at   time.Duration // of the last look
}

// need returns once the program has all processors.
func (p *pacer) need() {
	if !p.needed.Load() { // no write where many ask
		p.needed.Store(true)
	}
	if p.one.Load() {
		p.to(false)
	}
}

func (p *pacer) to(one bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one == p.one.Load() {
		return
	}
	if !one {
		p.set(p.full)
		p.one.Store(false)
		return
	}
	p.one.Store(true) // who needs them from here on waits for the lock
	if p.needed.Load() {
		p.one.Store(false)
		return
	}
	p.set(1)
}

// look takes the processor time that the program has used so far, and what time it is.
func (p *pacer) look(used, at time.Duration) {
	share := float64(used-p.used) / float64(max(at-p.at, 1))
	p.used, p.at = used, at
	busy := p.needed.Swap(false) || share > busyShare
	switch {
	case busy:
		p.calm = 0
		p.to(false)
	case p.calm < calmLooks:
		p.calm++
	default:
		p.to(true)
	}
}

// paced is this program's; nil if it keeps the processors that it has.
var paced atomic.Pointer[pacer]

// Follow begins, with the processors that the program has now. It is called once, and ends
// with the program.
func Follow() {
	full := runtime.GOMAXPROCS(0)
	if full < 2 || used == nil {
		return
	}
	p := &pacer{full: full, set: func(n int) { runtime.GOMAXPROCS(n) }}
	if !paced.CompareAndSwap(nil, p) {
		return
	}
	go func() {
		begin := time.Now()
		for range time.Tick(lookEvery) {
			p.look(used(), time.Since(begin))
		}
	}()
}

// Need returns once the program has all processors: it has work for more than one, which may
// take long. It may wait for a garbage collection, so no lock is held meanwhile.
func Need() {
	if p := paced.Load(); p != nil {
		p.need()
	}
}
