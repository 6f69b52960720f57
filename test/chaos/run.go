package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/chaos/history"
)

// Run draws a seed's schedule, breaks a fleet by it, and checks what was seen.
func (s *Stand) Run(seed uint64, b Bounds) {
	s.t.Helper()
	steps := Draw(seed, b)
	s.Event("seed %d:\n%s", seed, Print(steps))
	defer func() {
		if s.t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Logf("schedule of seed %d:\n%s\nwhat happened:\n%s\nto run it again: make chaos SEED=%d\n",
				seed, Print(steps), s.log.String(), seed)
		}
	}()
	l := s.startLoad()
	s.Event("the load is on")
	for i, step := range steps {
		s.Event("%d. %s", i+1, step)
		s.step(l, step)
	}
	s.finish(l)
}

// step breaks something, makes it whole, and waits until the fleet signs.
func (s *Stand) step(l *load, step Step) {
	s.t.Helper()
	f := faultNamed(step.Fault)
	ctx, cancel := context.WithTimeout(s.t.Context(), step.Hold)
	defer cancel()
	heal := f.begin(&breaking{Stand: s, Step: step, load: l, rand: rand.New(rand.NewPCG(step.Seed, 1)), ctx: ctx})
	<-ctx.Done()
	if heal != nil {
		heal()
	}
	s.whole()
	l.probe()
}

func faultNamed(name string) *fault {
	for i := range faults {
		if faults[i].name == name {
			return &faults[i]
		}
	}
	return nil
}

// finish ends the load and checks everything.
func (s *Stand) finish(l *load) {
	s.t.Helper()
	s.awaitReady()
	l.stopLoad()
	s.Event("the load has ended")
	s.trySubsets(l)
	h := s.History()
	s.Event("%s", count(h))
	for _, v := range h.Violations() {
		s.t.Errorf("%s", v)
	}
	if done := len(h.Messages); done == 0 {
		s.t.Errorf("no message of a node was seen: the watch is broken")
	}
}

// sampled is how many keys of a chain sign with every subset.
const sampled = 6

// trySubsets has announced keys sign while one node after the other stands still: 2 of
// 3 sign, so those are all subsets.
func (s *Stand) trySubsets(l *load) {
	s.t.Helper()
	for i := range nodes {
		p := s.proc(nodeName(i))
		s.must(p.pause())
		for _, chain := range chains {
			keys := l.sample(chain)
			ctx, cancel := context.WithTimeout(s.t.Context(), patience)
			err := l.signWith(ctx, keys, ctx)
			cancel()
			for _, k := range keys {
				tried := history.Subset{Key: k.ID, Without: i}
				if err != nil {
					tried.Err = err.Error()
				}
				s.mu.Lock()
				s.seen.Subsets = append(s.seen.Subsets, tried)
				s.mu.Unlock()
			}
		}
		s.must(p.resume())
	}
	s.Event("announced keys were tried with every two nodes")
}

// sample takes keys from the first to the last.
func (l *load) sample(chain string) (keys []client.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.keys[chain]
	n := min(sampled, len(all))
	for i := range n {
		keys = append(keys, all[i*(len(all)-1)/max(1, n-1)])
	}
	return keys
}

// count is a history in a line.
func count(h *history.History) string {
	var asked, signed, made, failed, open, refused int
	var slowest time.Duration
	for _, j := range h.Jobs {
		if j.Acked.IsZero() {
			refused++
			continue
		}
		asked++
		slowest = max(slowest, j.Ended.Sub(j.Acked))
		switch {
		case j.Outcome == history.Done && j.Kind == history.Sign:
			signed++
		case j.Outcome == history.Done:
			made++
		case j.Outcome == history.Open:
			open++
		default:
			failed++
		}
	}
	return fmt.Sprintf("%d jobs acknowledged: %d signed, %d generated keys, %d failed, %d open; the slowest took %.1f s; "+
		"%d not acknowledged; %d results, %d messages of nodes, %d subsets",
		asked, signed, made, failed, open, slowest.Seconds(), refused, len(h.Results), len(h.Messages), len(h.Subsets))
}
