package bus

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// inPlace reports whether its caller was called by the connection, and not by Follower.run.
func inPlace() bool {
	calls := make([]uintptr, 32)
	frames := runtime.CallersFrames(calls[:runtime.Callers(2, calls)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, ").receive") {
			return true
		}
		if !more {
			return false
		}
	}
}

// Messages of signing that come one by one are handled where they come in: no goroutine has
// to be woken for each. Those of the register are not, as their handlers may wait.
func TestFollowInPlace(t *testing.T) {
	b, _ := newTestBus(t)
	for _, stream := range []Stream{Sign, Keys} {
		var c collector
		opt := c.options()
		inner := opt.Handler
		var there atomic.Int32
		opt.Handler = func(m Message) {
			if inPlace() {
				there.Add(1)
			}
			inner(m)
		}
		if _, err := b.Follow(testContext(t), stream, 0, opt); err != nil {
			t.Fatal(err)
		}
		const count = 30
		for i := range count {
			subject := commitSubject(fmt.Sprintf("%032x", i), 0)
			if stream == Keys {
				subject = fmt.Sprintf("entry.%032x.%d.head", i, 1)
			}
			if _, err := b.Publish(testContext(t), subject, nil, nil); err != nil {
				t.Fatal(err)
			}
			c.waitFor(t, i+1)
		}
		if got := there.Load(); got > 0 != (stream == Sign) {
			t.Errorf("%s: %d of %d messages were handled where they came in", stream, got, count)
		}
	}
}

// Stop waits for a handler that works where its message came in, and nothing is handled after it.
func TestStopWaitsInPlace(t *testing.T) {
	b, _ := newTestBus(t)
	entered, gate := make(chan struct{}), make(chan struct{})
	var began, ended atomic.Int32
	f, err := b.Follow(testContext(t), Sign, 0, FollowOptions{Handler: func(Message) {
		if began.Add(1) == 1 {
			close(entered)
		}
		<-gate
		ended.Add(1)
	}})
	if err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 5)
	<-entered
	go func() {
		time.Sleep(20 * time.Millisecond) // Stop has begun, or what follows holds all the same
		close(gate)
	}()
	f.Stop()
	if began.Load() == 0 || began.Load() != ended.Load() {
		t.Errorf("stopped with %d of %d handlers done", ended.Load(), began.Load())
	}
	before := began.Load()
	publishN(t, b, 5, 5)
	time.Sleep(20 * time.Millisecond)
	if began.Load() != before {
		t.Error("a message was handled after Stop")
	}
}
