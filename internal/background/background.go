// Package background runs mathematics that nobody waits for by the millisecond on
// threads that give way to all others of the machine.
package background

import "runtime"

// places bound the threads of Do: a program may wait for thousands of results at once,
// and Go ends one that has 10,000 threads.
var places = make(chan struct{}, runtime.GOMAXPROCS(0))

// large is a message that is bulk work to read or to write: from so many bytes on that takes some
// ten times as long as the start of a thread.
const large = 64 << 10

// Of runs f, which reads or writes a message of so many bytes: that of a large one as Do does, of
// a small one where it is called. f holds nothing that others wait for by the millisecond.
func Of(size int, f func()) {
	if size < large {
		f()
		return
	}
	Do(f)
}

// Do runs f on such a thread, and returns when f has returned. If f panics, so does Do.
func Do(f func()) {
	places <- struct{}{}
	defer func() { <-places }()
	panicked := make(chan any)
	go func() {
		defer func() { panicked <- recover() }()
		Thread()
		f()
	}()
	if p := <-panicked; p != nil {
		panic(p)
	}
}
