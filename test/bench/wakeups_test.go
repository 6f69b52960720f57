package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// BenchmarkWakeups is what single signatures cost beside their mathematics: how often threads
// of each program wait for something and are woken, less what they do while nothing is signed,
// and processor time. Both hold on a machine that others use, too.
func BenchmarkWakeups(b *testing.B) {
	s := startSide(b, fleettest.Options{}, 3)
	keys := s.keysOf(b, "bitcoin")
	sign := func(from, count int) (took []time.Duration) {
		for i := range count {
			request := client.SignRequest{Items: items(keys[from+i:from+i+1], 1)}
			start := time.Now()
			if _, err := s.client.Sign(b.Context(), request); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		return took
	}
	sign(0, 50) // warm
	const idle = 4 * time.Second
	before, used := s.wakeups(b), s.usage(b)
	time.Sleep(idle)
	rest := s.wakeups(b).minus(before)
	restUse := s.usage(b).minus(used)
	before, used = s.wakeups(b), s.usage(b)
	start := time.Now()
	took := sign(50, singles)
	share := time.Since(start).Seconds() / idle.Seconds()
	w, u := s.wakeups(b).minus(before), s.usage(b).minus(used)
	per := func(now, rest int) float64 { return (float64(now) - share*float64(rest)) / singles }
	results.Say("processor time a signature in us: %s", u.per(singles))
	results.Say("at rest, for as long: %s", restUse.per(int(singles/share)))
	results.Say("p50 %v, p99 %v", benchreport.Percentile(took, .5), benchreport.Percentile(took, .99))
	results.Record("single_sign_wakeups_nodes", per(w.nodes, rest.nodes), "a signature", "")
	results.Record("single_sign_wakeups_gateway", per(w.gateway, rest.gateway), "a signature", "")
	results.Record("single_sign_wakeups_bus", per(w.bus, rest.bus), "a signature", "")
}

// wakeups counts how often threads have given up a core because they waited, by program.
type wakeups struct{ nodes, gateway, bus int }

func (w wakeups) minus(o wakeups) wakeups {
	return wakeups{w.nodes - o.nodes, w.gateway - o.gateway, w.bus - o.bus}
}

func (s *side) wakeups(b *testing.B) wakeups {
	b.Helper()
	w := wakeups{gateway: switches(b, s.PID(fleettest.GatewayName)), bus: switches(b, s.PID("bus"))}
	for i := range s.nodes {
		w.nodes += switches(b, s.PID(fleettest.NodeName(i)))
	}
	return w
}

// switches sums the voluntary context switches of a process's threads.
func switches(b *testing.B, pid int) (sum int) {
	b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		b.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var n int
		_, after, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		if _, err := fmt.Sscan(after, &n); err != nil {
			b.Fatalf("%s: %v", path, err)
		}
		sum += n
	}
	return sum
}
