package pool

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestTasksBeginWhileWaitedFor is what a drain does: tasks that run begin
// others while somebody waits.
func TestTasksBeginWhileWaitedFor(t *testing.T) {
	var tasks Tasks
	var ran atomic.Int32
	var chain func(n int) func()
	chain = func(n int) func() {
		return func() {
			ran.Add(1)
			if n > 0 {
				tasks.Go(chain(n - 1))
			}
		}
	}
	for range 20 {
		tasks.Go(chain(99))
	}
	for range 10 {
		<-tasks.Idle() // a task ends only after it has begun its successor
		if n := ran.Load(); n != 2000 {
			t.Fatalf("idle after %d of 2000 tasks", n)
		}
	}
}

func TestTasksClose(t *testing.T) {
	var tasks Tasks
	release, closed := make(chan struct{}), make(chan struct{})
	inner := make(chan bool, 1)
	tasks.Go(func() {
		<-release
		inner <- tasks.Go(func() { t.Error("a task began after Close") })
	})
	go func() { tasks.Close(); close(closed) }()
	for isClosed := false; !isClosed; time.Sleep(time.Millisecond) {
		tasks.mu.Lock()
		isClosed = tasks.closed
		tasks.mu.Unlock()
	}
	select {
	case <-closed:
		t.Fatal("Close returned while a task ran")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	<-closed
	if <-inner {
		t.Fatal("Go reports that it began a task after Close")
	}
	tasks.Close() // again
}
