// Package background runs mathematics that nobody waits for by the millisecond on
// threads that give way to all others of the machine.
package background

// Do runs f on such a thread, and returns when f has returned.
func Do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		Thread()
		f()
	}()
	<-done
}
