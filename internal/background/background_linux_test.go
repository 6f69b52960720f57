package background

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// priority of the calling thread, as the system call gives it: 20 less the nice value.
func priority(t *testing.T) int {
	t.Helper()
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is done in the background has less of a core, and nothing else has.
func TestDo(t *testing.T) {
	before, during := priority(t), 0
	Do(func() { during = priority(t) })
	if want := max(before-step, 20-lowest); during != want {
		t.Errorf("priority %d in the background, want %d", during, want)
	}
	for range 100 { // whichever thread runs this
		done := make(chan int)
		go func() { done <- priority(t) }()
		if after := <-done; after != before {
			t.Fatalf("priority %d afterwards, was %d", after, before)
		}
	}
}

// What is large gives way, and nothing else does: a thread takes longer to start than a small message to read.
func TestOf(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, before := unix.Gettid(), priority(t)
	for _, size := range []int{0, large - 1, large, 100 * large} {
		thread, during := 0, 0
		Of(size, func() { thread, during = unix.Gettid(), priority(t) })
		if gaveWay := during == max(before-step, 20-lowest); gaveWay != (size >= large) || gaveWay == (thread == here) {
			t.Errorf("%d bytes: priority %d, before %d; on this thread: %v", size, during, before, thread == here)
		}
	}
}

// Threads that the program starts meanwhile are as all others.
func TestNothingIsInherited(t *testing.T) {
	before := priority(t)
	Do(func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				runtime.LockOSThread() // so that it takes a thread of its own
				if p := priority(t); p != before {
					t.Errorf("priority %d of a thread that was started from the background, want %d", p, before)
				}
			})
		}
		all.Wait()
	})
}

// However many wait, few threads do it.
func TestThreadsAreBounded(t *testing.T) {
	var running, most atomic.Int32
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			Do(func() {
				n := running.Add(1)
				defer running.Add(-1)
				for range 20 {
					most.Store(max(n, most.Load()))
					runtime.Gosched()
				}
			})
		})
	}
	all.Wait()
	if n := int(most.Load()); n > runtime.GOMAXPROCS(0) {
		t.Errorf("%d at once", n)
	}
}

// A panic is the caller's, who may contain it.
func TestPanic(t *testing.T) {
	defer func() {
		if p := recover(); p != "this" {
			t.Errorf("recovered %v", p)
		}
	}()
	Do(func() { panic("this") })
}
