package command

import (
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/background"
)

// TestChildrenOutliveThreads: a child ends with this process, and not with the thread that
// started it, as it would if the kernel were left to it. Threads end: package client has some.
func TestChildrenOutliveThreads(t *testing.T) {
	started := make(chan *exec.Cmd, 20)
	var starting sync.WaitGroup
	for range cap(started) { // each on whichever thread is free
		starting.Go(func() {
			child := exec.Command("sleep", "600")
			if err := StartChild(child); err != nil {
				t.Error(err)
				return
			}
			started <- child
		})
	}
	starting.Wait()
	close(started)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { background.Do(func() { time.Sleep(time.Millisecond) }) })
	}
	all.Wait()
	for child := range started {
		ended := make(chan struct{})
		go func() { _ = child.Wait(); close(ended) }()
		select {
		case <-ended:
			t.Error("a child ended with a thread of its parent")
		case <-time.After(50 * time.Millisecond):
			_ = child.Process.Kill()
			<-ended
		}
	}
}
