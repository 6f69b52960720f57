package client

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/natsconn"
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

// TestRepeatsTakeTurns: a job whose turn it is not to be repeated comes soon, however many
// were published at the same time, and does not wait for twice as long as before.
func TestRepeatsTakeTurns(t *testing.T) {
	s, c := start(t)
	s.onJob(func(wire.SignedJob) {})
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.repeats = time.Now().Add(time.Hour) // others were repeated just now
	if next, pause := h.p.publishAgain(t.Context(), time.Minute); next != repeatEvery || pause != time.Minute {
		t.Errorf("without a turn: next after %v, pause %v", next, pause)
	}
	c.repeats = time.Time{}
	if next, pause := h.p.publishAgain(t.Context(), time.Minute); next != 2*time.Minute || pause != 2*time.Minute {
		t.Errorf("with a turn: next after %v, pause %v", next, pause)
	}
}

// TestAnsweredWhileRepeating: an answer that comes while a job is being published again
// does not wait for what becomes of that.
func TestAnsweredWhileRepeating(t *testing.T) {
	s, c := start(t)
	s.onJob(func(wire.SignedJob) {})
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	for s.acked.Load() == 0 { // what is not acknowledged can't be any more
		time.Sleep(time.Millisecond)
	}
	if err := s.bus.Conn().JS.DeleteStream(t.Context(), stubJobs); err != nil { // nothing acknowledges jobs
		t.Fatal(err)
	}
	_, err = s.bus.Conn().Subscribe("frost.stub.job.>", func(*nats.Msg) {
		s.mu.Lock()
		job := s.jobs[0]
		s.mu.Unlock()
		s.store(s.result(job))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if c.nc, err = natsconn.Wrap(c.nc.Conn, time.Hour); err != nil {
		t.Fatal(err)
	}
	c.again = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := h.Wait(ctx); err != nil {
		t.Error(err)
	}
}

// TestRepeatIsOfTheSameTrace: a job that is published again says the same of its trace,
// whatever the context of who waits for it.
func TestRepeatIsOfTheSameTrace(t *testing.T) {
	s, c, _, headers := traced(t)
	s.onJob(func(wire.SignedJob) {})
	ctx, _ := c.tracer.Start(t.Context(), "asks")
	h, err := c.SubmitKeygen(ctx, KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	first := <-headers
	c.again = time.Millisecond
	ctx, _ = c.tracer.Start(t.Context(), "waits")
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.Wait(ctx)
	}()
	second := <-headers
	cancel()
	<-done
	if !slices.Equal(first[headerTrace], second[headerTrace]) {
		t.Errorf("first %v, then %v", first[headerTrace], second[headerTrace])
	}
}
