package http_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// Rounds of TestKillNine, and what each asks for at once.
const (
	rounds    = 6
	perRound  = 24
	bothEvery = 4 // of them go to both gateways at once
)

// TestKillNine: a gateway is killed while requests with idempotency keys are on their way
// through it, at moments from before their claims to after their answers. Repeated at the
// other one, each is answered with its signature: one job each, none lost, none twice.
func TestKillNine(t *testing.T) {
	s := newStand(t)
	key := s.key("bitcoin")
	var mu sync.Mutex
	jobs := map[string]int{} // by id: number of the request
	for round := range rounds {
		victim := round % 2
		answered := make(chan struct{}, perRound)
		var all sync.WaitGroup
		for n := round * perRound; n < (round+1)*perRound; n++ {
			all.Go(func() {
				a := s.insist(victim, fmt.Sprint("request-", n), signBody(key, n), n%bothEvery == 0)
				answered <- struct{}{}
				a.verify(t, client.SuiteSecp256k1TR, messageOf(n))
				mu.Lock()
				defer mu.Unlock()
				if before, there := jobs[a.Job]; there {
					t.Errorf("requests %d and %d are one job", before, n)
				}
				jobs[a.Job] = n
			})
		}
		for range round * perRound / rounds { // none, to most of them: the others are anywhere on their way
			<-answered
		}
		s.Kill([]string{fleettest.GatewayName, fleettest.SecondGateway}[victim])
		all.Wait()
		if victim == 0 {
			s.StartGateway()
		} else {
			s.StartSecondGateway()
		}
		s.ready(victim)
	}
	t.Logf("%d attempts were broken off", s.broken.Load())
	if len(jobs) != rounds*perRound {
		t.Errorf("%d jobs for %d requests", len(jobs), rounds*perRound)
	}
	s.countResults(jobs)
	for id, n := range jobs { // asked for again, each is what it was
		for gateway := range s.urls {
			var a answer
			s.do(gateway, "POST", "/v1/signatures?wait=60s", fmt.Sprint("request-", n), signBody(key, n), http.StatusOK).
				decode(t, &a)
			a.verify(t, client.SuiteSecp256k1TR, messageOf(n))
			if a.Job != id {
				t.Errorf("request %d was job %s, and is %s", n, id, a.Job)
			}
		}
		if n%10 == 0 {
			break // a few will do
		}
	}
	s.countResults(jobs)
}

// insist sends a request to a gateway that may die, and then to either until one answers.
func (s *stand) insist(victim int, key, body string, both bool) (a answer) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if both {
		go func() { _, _ = s.try(ctx, 1-victim, "POST", "/v1/signatures", key, body) }()
	}
	last := ""
	for gateway := victim; ctx.Err() == nil; gateway = 1 - gateway {
		r, err := s.try(ctx, gateway, "POST", "/v1/signatures?wait=30s", key, body)
		switch {
		case err != nil: // it was killed
			last = err.Error()
			s.broken.Add(1)
			time.Sleep(5 * time.Millisecond)
		case r.status == http.StatusOK:
			r.decode(s.t, &a)
			return a
		case r.status == http.StatusAccepted || r.status == http.StatusServiceUnavailable ||
			r.status == http.StatusNotFound && strings.Contains(string(r.body), "unknown_key"): // it reads the register
			last = string(r.body)
			time.Sleep(20 * time.Millisecond)
		default:
			s.t.Errorf("%d %s", r.status, r.body)
			return a
		}
	}
	s.t.Errorf("request %s was never answered: %s", key, last)
	return a
}

// countResults wants one result for each job, and no other of a sign job.
func (s *stand) countResults(jobs map[string]int) {
	s.t.Helper()
	b, err := bus.Connect(s.t.Context(), bus.Options{Fleet: fleettest.Name, Nodes: 3, URL: s.URL, Name: "count", Replicas: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	defer b.Close(context.Background())
	subjects, err := b.Subjects(s.t.Context(), bus.Results, "res."+fleettest.Client+".*")
	if err != nil {
		s.t.Fatal(err)
	}
	found := 0
	for _, subject := range subjects {
		if _, ours := jobs[subject[strings.LastIndexByte(subject, '.')+1:]]; ours {
			found++
		}
	}
	if keygens := 1; found != len(jobs) || len(subjects) != len(jobs)+keygens {
		s.t.Errorf("%d results, %d of them of %d jobs", len(subjects), found, len(jobs))
	}
}
