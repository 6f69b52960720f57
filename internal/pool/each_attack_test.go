package pool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Calls may divide themselves once more, on all workers at the same time, and also while the pool ends: nobody waits for
// who waits for him.
func TestEachWithinEach(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for range 50 {
		p := New()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { p.Run(ctx); close(ended) }()
		var calls atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Add(1)
			work := func() {
				defer all.Done()
				p.Each(5, func(int) { p.Each(5, func(int) { p.Each(3, func(int) { calls.Add(1) }) }) })
			}
			if i%2 == 0 {
				go work()
			} else if i < 4 {
				p.Do(true, "", work)
			} else {
				go p.Do(true, "", work)
			}
		}
		all.Wait()
		if n := calls.Load(); n != 8*5*5*3 {
			t.Fatalf("%d calls", n)
		}
		go p.Each(1000, func(int) { calls.Add(1) })
		cancel()
		<-ended
		before := calls.Load()
		p.Each(7, func(int) { calls.Add(1) })
		if calls.Load() < before+7 {
			t.Fatal("calls are missing after the end")
		}
	}
}
