package bench_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

const (
	overheadRounds = 12
	overheadItems  = 6000 // of each round
	scrapeEvery    = 5 * time.Second
)

// BenchmarkOverhead is what metrics and logs cost in bulk work: the processor
// time of two fleets in this process, in turns. One counts, logs JSON to a file at
// level info, watches its bus and is scraped three times as often as in
// production; the other does none of that.
func BenchmarkOverhead(b *testing.B) {
	observed, silent := startObserved(b), startSilent(b)
	for _, work := range []struct {
		name string
		do   func(*testing.B, *side)
	}{
		{"sign", func(b *testing.B, s *side) { s.sign(b, "bitcoin", overheadItems) }},
		{"keygen", func(b *testing.B, s *side) { s.keygen(b, "bitcoin", overheadItems) }},
	} {
		b.Run(work.name, func(b *testing.B) {
			work.do(b, observed)
			work.do(b, silent) // warm
			var ratios []float64
			for i := range overheadRounds {
				first, second := observed, silent
				if i%2 == 1 {
					first, second = silent, observed
				}
				one, two := processorTime(b, func() { work.do(b, first) }), processorTime(b, func() { work.do(b, second) })
				if i%2 == 1 {
					one, two = two, one
				}
				ratios = append(ratios, float64(one)/float64(two))
			}
			results.Say("%s, observed to silent: %.3f", work.name, ratios)
			results.Record("overhead_of_metrics_and_logs_"+work.name, 100*(benchreport.Median(ratios)-1), "%", "< 2")
		})
	}
}

func startObserved(b *testing.B) *side {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	var ports []int
	for range 4 {
		ports = append(ports, freeport.New(b))
	}
	s := inProcess(b, fleettest.Options{Ports: ports, Log: slog.New(slog.NewJSONHandler(file, nil))})
	scrape(b, ports)
	b.Cleanup(func() { // or the two fleets were alike
		info, err := file.Stat()
		if err != nil || info.Size() == 0 || !counted.MatchString(metrics(b, ports[0])) {
			b.Errorf("nothing was logged or counted: %v", err)
		}
	})
	return s
}

var counted = regexp.MustCompile(`frostfleet_jobs_total\{code="done",kind="(sign|keygen)"\} [1-9]`)

// metrics reads a program's.
func metrics(b *testing.B, port int) string {
	b.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		b.Error(err)
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Error(err)
	}
	return string(text)
}

func startSilent(b *testing.B) *side {
	return inProcess(b, fleettest.Options{Log: slog.New(slog.DiscardHandler), Unobserved: true})
}

func inProcess(b *testing.B, o fleettest.Options) *side {
	b.Helper()
	f := fleettest.Start(b, o)
	config, err := client.Load(f.ClientFile())
	if err != nil {
		b.Fatal(err)
	}
	c, err := client.New(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return &side{client: c, keys: map[string][]client.Key{}}
}

// scrape reads all metrics again and again until the benchmark ends.
func scrape(b *testing.B, ports []int) {
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-time.After(scrapeEvery):
			case <-stop:
				return
			}
			for _, port := range ports {
				metrics(b, port)
			}
		}
	})
	b.Cleanup(func() { close(stop); running.Wait() })
}

// processorTime is what this process took of its cores while f ran. Garbage that
// was made before is not f's.
func processorTime(b *testing.B, f func()) time.Duration {
	b.Helper()
	runtime.GC()
	before := processUsage(b)
	f()
	return processUsage(b) - before
}

func processUsage(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
