package bench_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/benchreport"
)

const (
	callers       = 256 // as many as a client may have jobs open
	collectedTime = 4 * time.Second
	collectFor    = 5 * time.Millisecond
	mostCollected = 100 // the largest CollectItems
)

// benchCollected has many callers ask for one signature each, again and again: by a client
// that makes a job of each request, and by two that collect them, in turns on one fleet.
func (s *side) benchCollected(b *testing.B) {
	b.Helper()
	single, ten, hundred := s.collecting(b, 0, 0), s.collecting(b, collectFor, 0),
		s.collecting(b, collectFor, mostCollected)
	s.sign(b, "bitcoin", client.MaxJobItems) // warm
	var all [3][]asked                       // by client
	for range rounds {
		for i, c := range []*client.Client{single, ten, hundred} {
			all[i] = append(all[i], s.ask(b, c))
		}
	}
	figure := func(name, unit, goal string, i int, value func(here, single asked) float64) {
		var values []float64
		for round, here := range all[i] {
			values = append(values, value(here, all[0][round]))
		}
		results.Record(name, benchreport.Median(values), unit, goal)
	}
	rate := func(a, _ asked) float64 { return a.perSecond }
	times := func(a, one asked) float64 { return a.perSecond / one.perSecond }
	cheaper := func(a, one asked) float64 { return one.cpuMicros / a.cpuMicros }
	figure("single_signs_per_second", "a second", "", 0, rate)
	figure("collected_single_signs_per_second", "a second", "", 2, rate)
	figure("collected_ratio_to_single_jobs", "ratio", ">= 5", 2, times)
	figure("collected_cpu_ratio_to_single_jobs", "ratio", "", 2, cheaper)
	figure("collected_by_10_single_signs_per_second", "a second", "", 1, rate)
	figure("collected_by_10_ratio_to_single_jobs", "ratio", "", 1, times)
	figure("collected_by_10_cpu_ratio_to_single_jobs", "ratio", "", 1, cheaper)
}

// collecting is a client that collects requests for so long, 0: not at all, and at most so
// many in a job, 0: as many as by default.
func (s *side) collecting(b *testing.B, wait time.Duration, most int) *client.Client {
	b.Helper()
	config, err := client.Load(filepath.Join(s.Dir, fleet.ClientFile))
	if err != nil {
		b.Fatal(err)
	}
	config.CollectFor, config.CollectItems = wait, most
	c, err := client.New(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// asked is what callers got who asked for one signature at a time.
type asked struct{ perSecond, cpuMicros float64 }

// ask has all callers ask for a while. What is under way in the end is waited for, and counts.
func (s *side) ask(b *testing.B, c *client.Client) asked {
	b.Helper()
	keys := s.keysOf(b, "bitcoin")
	var done atomic.Int64
	jobs, before, start := s.signJobs(b), s.usage(b), time.Now()
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for time.Since(start) < collectedTime && !b.Failed() {
				request := client.SignRequest{Items: items(keys[caller:caller+1], 1)}
				if _, err := c.Sign(b.Context(), request); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	took, used, count := time.Since(start), s.usage(b).minus(before), int(done.Load())
	if jobs = s.signJobs(b) - jobs; b.Failed() || jobs == 0 {
		b.Fatalf("%d signatures in %d jobs", count, jobs)
	}
	a := asked{float64(count) / took.Seconds(), float64(used.total().Microseconds()) / float64(count)}
	results.Say("%d callers: %.0f a second, %.1f in a job; CPU µs each: %s, all %.0f", callers, a.perSecond,
		float64(count)/float64(jobs), used.per(count), a.cpuMicros)
	return a
}

var signJobsDone = regexp.MustCompile(`(?m)^frostfleet_jobs_total\{code="done",kind="sign"\} (\d+)$`)

// signJobs is how many sign jobs the gateway says it has done.
func (s *side) signJobs(b *testing.B) int {
	b.Helper()
	found := signJobsDone.FindStringSubmatch(s.GatewayMetrics())
	if found == nil {
		b.Fatal("the gateway counts no sign jobs")
	}
	count, err := strconv.Atoi(found[1])
	if err != nil {
		b.Fatal(err)
	}
	return count
}
