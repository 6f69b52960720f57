// Package pool runs a process's work: Pool the heavy mathematics, urgent and bulk work
// on goroutines of their own, about as many as there are cores; Tasks what waits for
// others most of the time, each on a goroutine of its own.
package pool

import (
	"context"
	"runtime"
	"sync"

	"github.com/frostfleet/frostfleet/internal/background"
)

// Pool runs functions. Bulk ones give way to everything else, and never hold up urgent
// ones.
type Pool struct {
	mu           sync.Mutex
	urgent, bulk queue
	busy         int // functions at work
	waiters      int // bulk workers that wait for a function
	closed       bool
	wg           sync.WaitGroup
}

// New returns a pool that does nothing until Run.
func New() *Pool {
	p := &Pool{}
	p.urgent.came.L, p.bulk.came.L = &p.mu, &p.mu
	return p
}

// Run works until ctx ends, and returns when the functions under way have
// returned. What waits then is dropped.
func (p *Pool) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, p.close)
	defer stop()
	// launch asks for a thread more than there are cores. Bulk functions take all
	// but one, so that what comes over the network and urgent functions need not
	// wait for one of them to end. Their threads give way to all others of the machine:
	// a single signature goes through many processes, and would wait in each of them.
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		p.wg.Go(func() { background.Thread(); p.work(&p.bulk) })
	}
	for range runtime.GOMAXPROCS(0) {
		p.wg.Go(func() { p.work(&p.urgent) })
	}
	p.wg.Wait()
}

func (p *Pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.urgent.came.Broadcast()
	p.bulk.came.Broadcast()
}

// Go queues f, which is a client's work.
func (p *Pool) Go(urgent bool, client string, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.bulk
	if urgent {
		q = &p.urgent
	}
	q.push(client, f)
	q.came.Signal()
}

// Do runs a short urgent function where it is called if nothing else is at work,
// since to wake another thread takes as long as that; anything else it queues.
func (p *Pool) Do(urgent bool, client string, f func()) {
	p.mu.Lock()
	idle := urgent && !p.closed && p.busy == 0 && p.urgent.len()+p.bulk.len() == 0
	if idle {
		p.busy++
	}
	p.mu.Unlock()
	if !idle {
		p.Go(urgent, client, f)
		return
	}
	defer p.done()
	f()
}

// Waiting counts the functions that wait.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.urgent.len() + p.bulk.len()
}

func (p *Pool) done() {
	p.mu.Lock()
	p.busy--
	p.mu.Unlock()
}

func (p *Pool) work(q *queue) {
	for {
		f := p.next(q)
		if f == nil {
			return
		}
		watch()
		f()
		p.done()
	}
}

func (p *Pool) wait(q *queue) {
	if q == &p.bulk {
		p.waiters++
		defer func() { p.waiters-- }()
	}
	q.came.Wait()
}

func (p *Pool) next(q *queue) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q.len() == 0 && !p.closed {
		p.wait(q)
	}
	if p.closed {
		return nil
	}
	p.busy++
	return q.pop()
}
