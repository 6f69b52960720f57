// Package pool runs a process's work: Pool the heavy mathematics, on as many
// goroutines as there are cores, urgent work first; Tasks what waits for others
// most of the time, each on a goroutine of its own.
package pool

import (
	"context"
	"runtime"
	"sync"
)

// Pool runs functions. Urgent ones overtake bulk ones that wait; nothing that
// runs is interrupted.
type Pool struct {
	mu           sync.Mutex
	cond         *sync.Cond
	urgent, bulk []func()
	closed       bool
	wg           sync.WaitGroup
}

// New returns a pool that does nothing until Run.
func New() *Pool {
	p := &Pool{}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// Run works until ctx ends, and returns when the functions under way have
// returned. What waits then is dropped.
func (p *Pool) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, p.close)
	defer stop()
	// One more than the cores, and that one for urgent functions alone: they need
	// not wait for a bulk function to end, the scheduler shares the cores.
	for range runtime.GOMAXPROCS(0) {
		p.wg.Go(func() { p.work(true) })
	}
	p.wg.Go(func() { p.work(false) })
	p.wg.Wait()
}

func (p *Pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
}

// Go queues f.
func (p *Pool) Go(urgent bool, f func()) {
	p.mu.Lock()
	if urgent {
		p.urgent = append(p.urgent, f)
	} else {
		p.bulk = append(p.bulk, f)
	}
	p.mu.Unlock()
	p.cond.Broadcast() // whoever may take it
}

// Waiting counts the functions that wait.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.urgent) + len(p.bulk)
}

func (p *Pool) work(bulk bool) {
	for {
		f := p.next(bulk)
		if f == nil {
			return
		}
		f()
	}
}

func (p *Pool) next(bulk bool) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return nil
		case len(p.urgent) > 0:
			return pop(&p.urgent)
		case bulk && len(p.bulk) > 0:
			return pop(&p.bulk)
		}
		p.cond.Wait()
	}
}

func pop(queue *[]func()) func() {
	f := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	return f
}
