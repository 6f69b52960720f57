package pool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Each makes every call once, by the caller alone if nobody has time.
func TestEachAlone(t *testing.T) {
	p := New() // nobody works
	var calls [7]int
	p.Each(len(calls), func(i int) { calls[i]++ })
	if calls != [7]int{1, 1, 1, 1, 1, 1, 1} || p.Waiting() != 0 {
		t.Errorf("calls %v, %d wait", calls, p.Waiting())
	}
	p.Each(0, func(int) { t.Error("a call of none") })
}

// Whoever is idle helps: all calls are under way at the same time.
func TestEachIsHelped(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	p := New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go p.Run(ctx)
	for p.idle(3) < 3 {
		runtime.Gosched()
	}
	var together sync.WaitGroup
	together.Add(4)
	p.Each(4, func(int) { together.Done(); together.Wait() })
}

// Those who are at work do not help, and the caller does not wait for them.
func TestEachOfABusyPool(t *testing.T) {
	p, release := busyPool(t)
	calls := 0
	p.Each(100, func(int) { calls++ }) // without a lock: by the caller alone
	release()
	if calls != 100 {
		t.Errorf("%d calls", calls)
	}
}

// A panic in any call comes out where Each was called, after all calls under way.
func TestEachPanics(t *testing.T) {
	p := New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go p.Run(ctx)
	var underWay atomic.Int32
	defer func() {
		if got := recover(); got != "seven" || underWay.Load() != 0 {
			t.Errorf("recovered %v with %d calls under way", got, underWay.Load())
		}
	}()
	p.Each(20, func(i int) {
		underWay.Add(1)
		defer underWay.Add(-1)
		if i == 7 {
			panic("seven")
		}
	})
	t.Error("no panic")
}
