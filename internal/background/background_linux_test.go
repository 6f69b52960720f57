package background

import (
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
