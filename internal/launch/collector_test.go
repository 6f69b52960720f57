package launch

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// A small heap may grow by a fixed size, but by no more than four times its own, and a large one doubles.
func TestGrowth(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 12 << 20: 400, 24 << 20: 200, 48 << 20: 100, 300 << 20: 100} {
		if got := growth(live); got != want {
			t.Errorf("%d MiB: %d %%, want %d", live>>20, got, want)
		}
	}
}

// The collector is told after each collection what follows from it: a heap that has become large doubles again.
func TestPaceFollowsTheHeap(t *testing.T) {
	const never = 99 // less than growth gives
	before := debug.SetGCPercent(never)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	now := func() int { // without setting any: the collector may be told at the same time
		percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(percent)
		return int(percent[0].Value.Uint64())
	}
	new(pace).follow()
	if now() == never {
		t.Fatal("nothing was set")
	}
	large := make([]byte, 4*leastGrowth)
	for deadline := time.Now().Add(time.Minute); now() != 100; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d %% of a large heap", now())
		}
		runtime.GC()
	}
	runtime.KeepAlive(large)
}
