package bus

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A message that is larger than all that may wait comes all the same, at once.
func TestLargeMessageInPlace(t *testing.T) {
	b, _ := newTestBus(t)
	var c collector
	opt := c.options()
	opt.MaxBytes, opt.Idle = 1, time.Hour // nothing but the message itself tells of it
	if _, err := b.Follow(testContext(t), Sign, 0, opt); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		subject := commitSubject(fmt.Sprintf("%032x", i), 0)
		if _, err := b.Publish(testContext(t), subject, bytes.Repeat([]byte{1}, 1000), nil); err != nil {
			t.Fatal(err)
		}
		c.waitFor(t, i+1)
	}
}

// What the connection has no room for while a handler takes its time comes later, once and in
// order, and nothing but the drop itself need tell of it. A handler's panic changes nothing.
func TestDropsInPlace(t *testing.T) {
	b, _ := newTestBus(t)
	var c collector
	opt := c.options()
	inner, entered, gate := opt.Handler, make(chan struct{}), make(chan struct{})
	var once sync.Once
	opt.Handler = func(m Message) {
		inner(m)
		if inPlace() {
			once.Do(func() { close(entered); <-gate; panic("a handler's") })
		}
	}
	opt.Idle = time.Hour
	f, err := b.Follow(testContext(t), Sign, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for waiting := true; waiting; total++ {
		publishN(t, b, total, 1)
		select {
		case <-entered:
			waiting = false
		case <-time.After(time.Millisecond):
		}
	}
	const more = 500
	for range liveQueue + more {
		subject := b.names.prefix + commitSubject(fmt.Sprintf("%032x", total), 0)
		if err := b.nc.Publish(subject, []byte{1}); err != nil {
			t.Fatal(err)
		}
		total++
	}
	eventually(t, "drops", func() error {
		if n, err := f.sub.Dropped(); err != nil || n < more {
			return fmt.Errorf("%d messages were dropped: %w", n, err)
		}
		return nil
	})
	close(gate)
	checkGapless(t, c.waitFor(t, total), 1)
}
