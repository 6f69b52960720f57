package pool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestUrgentWorkOvertakes(t *testing.T) {
	p := New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	workers := runtime.GOMAXPROCS(0) + 1
	block := make(chan struct{})
	var busy, done sync.WaitGroup
	var order []string
	var mu sync.Mutex
	note := func(what string) func() {
		done.Add(1)
		return func() {
			mu.Lock()
			order = append(order, what)
			mu.Unlock()
			done.Done()
		}
	}
	go p.Run(ctx)
	for range workers - 1 {
		busy.Add(1)
		p.Go(false, func() { busy.Done(); <-block })
	}
	first := make(chan struct{})
	busy.Add(1)
	p.Go(false, func() { busy.Done(); <-first })
	busy.Wait() // every worker is held
	p.Go(false, note("bulk"))
	p.Go(true, note("urgent"))
	close(first) // one worker goes on alone, so the order is its order
	done.Wait()
	if order[0] != "urgent" || order[1] != "bulk" {
		t.Fatalf("order %v, want urgent before bulk", order)
	}
	close(block)
}

func TestRunEndsWithItsContext(t *testing.T) {
	p := New()
	ctx, cancel := context.WithCancel(t.Context())
	var ran atomic.Int32
	started := make(chan struct{})
	p.Go(false, func() { close(started); <-ctx.Done(); ran.Add(1) })
	go func() { <-started; cancel() }()
	p.Run(ctx)
	if ran.Load() != 1 {
		t.Fatal("Run returned before the function under way had")
	}
	p.Go(false, func() { ran.Add(1) })
	if p.Waiting() != 1 || ran.Load() != 1 {
		t.Fatal("a stopped pool ran something")
	}
}
