package telemetry

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestManyScrapers: as many as a house may have, all at once, get an answer each, for
// few looks at the metrics, and what an answer has was gathered after it was asked for.
func TestManyScrapers(t *testing.T) {
	const scrapers = 30
	registry := NewRegistry()
	entered, release := make(chan struct{}, 2*scrapers), make(chan struct{})
	var looks atomic.Int32
	registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		entered <- struct{}{}
		<-release
		out <- prometheus.MustNewConstMetric(desc("frostfleet_looks", "So many."), prometheus.GaugeValue, float64(looks.Add(1)))
	}))
	s, err := Listen("127.0.0.1", 0, registry, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	answers := make(chan int, scrapers)
	for range scrapers {
		go func() {
			code, _ := get(t, "http://"+s.Addr()+"/metrics")
			answers <- code
		}()
	}
	<-entered
	time.Sleep(200 * time.Millisecond) // for the others; who is late makes it one look more
	close(release)
	for range scrapers {
		if code := <-answers; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	before := looks.Load()
	get(t, "http://"+s.Addr()+"/metrics")
	if n := looks.Load(); n != before+1 {
		t.Errorf("a later scrape got what was gathered before: look %d after %d", n, before)
	}
}
