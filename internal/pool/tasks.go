package pool

import "sync"

// Tasks are goroutines that their owner waits for. Unlike a sync.WaitGroup it
// may be waited for while more begin, as they do when a program drains, and it
// can be closed: after that nothing begins.
type Tasks struct {
	mu     sync.Mutex
	count  int
	closed bool
	idle   chan struct{} // closed at the next end of the last task; nil if nobody waits
}

// Go runs f on a goroutine of its own; false if the tasks were closed.
func (t *Tasks) Go(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.count++
	go func() {
		defer t.end()
		f()
	}()
	return true
}

func (t *Tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count--; t.count == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// Idle gives a channel that is closed as soon as no task runs. More may begin
// after that.
func (t *Tasks) Idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle != nil {
		return t.idle
	}
	idle := make(chan struct{})
	if t.count == 0 {
		close(idle)
	} else {
		t.idle = idle
	}
	return idle
}

// Close lets no more tasks begin and waits for those that run.
func (t *Tasks) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	<-t.Idle()
}
