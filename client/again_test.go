package client

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A job without an answer is published again. Many of them, as where a fleet is merely
// slow, are repeated one a second, and not all.
func TestRepeatsAreFew(t *testing.T) {
	const jobs = 40
	s, c := start(t)
	c.again = 50 * time.Millisecond
	s.onJob(func(wire.SignedJob) {}) // no answer
	begin := time.Now()
	var asking sync.WaitGroup
	var waiting []*Handle[KeygenResult]
	for i := range jobs {
		h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1, Expires: time.Now().Add(time.Minute),
			JobID: fmt.Sprintf("0198c0de-0000-7000-8000-%012d", i)})
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, h)
	}
	for _, h := range waiting {
		asking.Go(func() {
			if _, err := h.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for s.published() < jobs+3 { // three repeats, two seconds apart at least
		time.Sleep(10 * time.Millisecond)
	}
	if most := int(time.Since(begin)/repeatEvery) + 1; s.published()-jobs > most {
		t.Errorf("%d jobs were published again in %v", s.published()-jobs, time.Since(begin))
	}
	s.onJob(nil) // answers what comes again
	s.mu.Lock()
	got := append([]wire.SignedJob(nil), s.jobs[:jobs]...)
	s.mu.Unlock()
	for _, job := range got {
		s.store(s.result(job))
	}
	asking.Wait()
}
