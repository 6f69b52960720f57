// Package background runs mathematics that nobody waits for by the millisecond on
// threads that give way to all others of the machine.
package background

import "runtime"

// places bound the threads of Do: a program may wait for thousands of results at once,
// and Go ends one that has 10,000 threads.
var places = make(chan struct{}, runtime.GOMAXPROCS(0))

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
