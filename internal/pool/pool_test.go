package pool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// busyPool is a pool that runs until the test ends, and has no worker left for bulk work until
// release is called.
func busyPool(t *testing.T) (p *Pool, release func()) {
	p = New()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go p.Run(ctx)
	block := make(chan struct{})
	var busy sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		busy.Add(1)
		p.Go(false, "", func() { busy.Done(); <-block })
	}
	busy.Wait()
	return p, func() { close(block) }
}

// Urgent work overtakes bulk work that waits, and has a worker of its own when
// all others are held by bulk work.
func TestUrgentWorkOvertakes(t *testing.T) {
	p, release := busyPool(t)
	bulk := make(chan struct{})
	p.Go(false, "", func() { close(bulk) })
	urgent := make(chan struct{})
	p.Go(true, "", func() { close(urgent) })
	<-urgent
	select {
	case <-bulk:
		t.Fatal("bulk work ran on the worker that is kept for urgent work")
	default:
	}

	held := make(chan struct{})
	started := make(chan struct{})
	p.Go(true, "", func() { close(started); <-held })
	<-started // now every worker is held
	var order []string
	var mu sync.Mutex
	var done sync.WaitGroup
	for _, what := range []string{"first", "second"} {
		done.Add(1)
		p.Go(true, "", func() {
			mu.Lock()
			order = append(order, what)
			mu.Unlock()
			done.Done()
		})
	}
	close(held)
	done.Wait()
	if order[0] != "first" || order[1] != "second" {
		t.Errorf("order %v", order)
	}
	release()
	<-bulk
}

// Do runs an urgent function on the caller's goroutine while the pool is idle, and
// queues it otherwise, one that it is called from included.
func TestDo(t *testing.T) {
	p := New() // nobody works: what is queued waits
	ran := 0
	p.Do(true, "", func() {
		ran++
		p.Do(true, "", func() { ran += 10 })
	})
	p.Do(false, "", func() { ran += 100 })
	if ran != 1 || p.Waiting() != 2 {
		t.Errorf("ran %d, %d wait", ran, p.Waiting())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	for p.Waiting() > 0 {
		runtime.Gosched()
	}
	cancel()
	<-ended
	if ran != 111 {
		t.Errorf("ran %d", ran)
	}
	p.Do(true, "", func() { ran = 0 })
	if ran != 111 {
		t.Error("ran after the end")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	p := New()
	ctx, cancel := context.WithCancel(t.Context())
	var ran atomic.Int32
	started := make(chan struct{})
	p.Go(false, "", func() { close(started); <-ctx.Done(); ran.Add(1) })
	go func() { <-started; cancel() }()
	p.Run(ctx)
	if ran.Load() != 1 {
		t.Fatal("Run returned before the function under way had")
	}
	p.Go(false, "", func() { ran.Add(1) })
	if p.Waiting() != 1 || ran.Load() != 1 {
		t.Fatal("a stopped pool ran something")
	}
}
