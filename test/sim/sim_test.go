package sim

import (
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedsFlag   = flag.Uint64("seeds", defaultSeeds, "how many seeds TestSeeds runs")
	seedFlag    = flag.Uint64("seed", 1, "the first seed")
	profileFlag = flag.String("profile", "", "run one profile only")
	changeFlag  = flag.Bool("changing", false, "every fleet gets another manifest")
	untilFlag   = flag.String("until", "", "stop when this rule was broken")
)

// tally sums up the reports of many runs.
type tally struct {
	sync.Mutex
	Report
	profiles map[Profile]int
	slowest  time.Duration
	slowSeed uint64
}

func (t *tally) add(seed uint64, r Report, took time.Duration) {
	t.Lock()
	defer t.Unlock()
	for f, n := range r.Faults {
		t.Faults[f] += n
	}
	t.profiles[r.Profile]++
	t.Done, t.Failed = t.Done+r.Done, t.Failed+r.Failed
	t.Keys, t.Sigs, t.Shares, t.Events = t.Keys+r.Keys, t.Sigs+r.Sigs, t.Shares+r.Shares, t.Events+r.Events
	t.Children += r.Children
	t.Denials += r.Denials
	t.Saves += r.Saves
	t.Deals, t.Moved = t.Deals+r.Deals, t.Moved+r.Moved
	t.Plain, t.Compact = t.Plain+r.Plain, t.Compact+r.Compact
	if took > t.slowest {
		t.slowest, t.slowSeed = took, seed
	}
}

// TestSeeds runs many worlds. Flags: -seeds, -seed, -profile; with one seed
// and -v every event is printed.
func TestSeeds(t *testing.T) {
	count, first := *seedsFlag, *seedFlag
	cfg := Config{Profile: Profile(*profileFlag), Change: *changeFlag}
	if count == 1 && testing.Verbose() {
		cfg.Trace = os.Stdout
	}
	sum := &tally{profiles: map[Profile]int{}, Report: Report{Faults: map[Fault]int{}}}
	seeds, found := make(chan uint64), atomic.Bool{}
	var runners sync.WaitGroup
	start := time.Now()
	for range 2 {
		runners.Go(func() {
			for seed := range seeds {
				begun := time.Now()
				r, err := Simulate(cfg, seed)
				if err != nil {
					t.Error(err)
					found.Store(found.Load() || *untilFlag != "" && strings.Contains(err.Error(), *untilFlag))
				}
				sum.add(seed, r, time.Since(begun))
			}
		})
	}
	for seed := first; seed < first+count && !found.Load(); seed++ {
		seeds <- seed
	}
	close(seeds)
	runners.Wait()
	took := time.Since(start)
	t.Logf("%d seeds in %.1f s: %.1f ms a seed (slowest %d ms, seed %d) on two goroutines",
		count, took.Seconds(), 1000*took.Seconds()/float64(count), sum.slowest.Milliseconds(), sum.slowSeed)
	sum.judge(t, count, cfg)
}

// judge reports what occurred. A run of many seeds in which a fault never
// fires, or in which nothing succeeds, shows nothing.
func (s *tally) judge(t *testing.T, count uint64, cfg Config) {
	t.Logf("jobs: %d done, %d failed; %d keys, %d signatures, %d of them under children, %d shares, %d events; profiles %v",
		s.Done, s.Failed, s.Keys, s.Sigs, s.Children, s.Shares, s.Events, s.profiles)
	for _, f := range Faults() {
		t.Logf("%7d  %s", s.Faults[f], f)
		if s.Faults[f] == 0 && count >= 300 && cfg.Profile == "" {
			t.Errorf("fault %q never occurred in %d seeds", f, count)
		}
	}
	t.Logf("policies: %d denials, %d states of ledgers", s.Denials, s.Saves)
	t.Logf("resharing: %d deals of honest nodes, %d generations usable at a node", s.Deals, s.Moved)
	t.Logf("entries: %d plain, %d compact", s.Plain, s.Compact)
	if count >= 100 && (s.Plain == 0 || s.Compact == 0) {
		t.Errorf("%d plain entries and %d compact ones: one form was not looked at", s.Plain, s.Compact)
	}
	if count >= 100 && cfg.Profile == "" && (s.Deals == 0 || s.Moved == 0) {
		t.Errorf("no keys moved: the checks of resharing looked at nothing")
	}
	if count >= 100 && (s.Keys == 0 || s.Sigs == 0 || s.Shares == 0 || s.Children == 0 || s.Denials == 0 || s.Saves == 0) {
		t.Errorf("%d keys, %d signatures, %d under children, %d shares, %d denials, %d ledgers seen: the checks looked at nothing",
			s.Keys, s.Sigs, s.Children, s.Shares, s.Denials, s.Saves)
	}
}

// TestReplay runs seeds twice: the same events happen, to the last one.
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		a, _ := Simulate(Config{}, seed)
		b, _ := Simulate(Config{}, seed)
		if a.Hash != b.Hash || a.Events != b.Events {
			t.Errorf("seed %d: %d events with hash %x, and then %d with %x", seed, a.Events, a.Hash, b.Events, b.Hash)
		}
	}
}

// TestProfiles keeps the list of faults and the profiles in step.
func TestProfiles(t *testing.T) {
	var mixed []Fault
	for _, p := range profiles {
		for _, mix := range p.mixes {
			mixed = append(mixed, mix.sorted()...)
		}
	}
	mixed = append(append(mixed, moveFaults.sorted()...), sliceFaults.sorted()...)
	for _, f := range Faults() {
		if !slices.Contains(mixed, f) {
			t.Errorf("fault %q is in no profile", f)
		}
	}
}
