package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sample is a report of 1,000 operations of 1 to 1,000 ms and ten items each,
// one of which failed.
func sample() *Report {
	l := Load{Name: "sign <bitcoin> & \"more\"", Unit: "signatures", Rate: 100, Workers: 7}
	r := newRecorder(&l)
	for i := range 1000 {
		r.begin()
		r.ended(context.Background(), 10, time.Duration(i+1)*time.Millisecond, nil)
	}
	r.begin()
	r.ended(context.Background(), 0, time.Second, errors.New("lost"))
	r.last = r.start.Add(10 * time.Second)
	return r.finish()
}

func TestPercentiles(t *testing.T) {
	l := sample().Latency
	for _, p := range []struct{ got, want float64 }{{l.P50, 500}, {l.P90, 900}, {l.P99, 990}, {l.P999, 999}, {l.Max, 1000}} {
		if !near(p.got, p.want) {
			t.Errorf("got %g ms, want %g", p.got, p.want)
		}
	}
}

// TestWritePercentiles: what plotters read is in milliseconds, from the fastest
// operation to the slowest.
func TestWritePercentiles(t *testing.T) {
	var out strings.Builder
	if err := sample().WritePercentiles(&out); err != nil {
		t.Fatal(err)
	}
	var values, percentiles []float64
	for _, line := range strings.Split(out.String(), "\n") {
		var value, percentile float64
		var count int
		if n, _ := fmt.Sscan(line, &value, &percentile, &count); n == 3 {
			values, percentiles = append(values, value), append(percentiles, percentile)
		}
	}
	last := len(values) - 1
	if last < 20 || !slices.IsSorted(values) || !near(values[0], 1) || !near(values[last], 1000) ||
		percentiles[last] != 1 {
		t.Errorf("latencies %v at %v in\n%s", values, percentiles, out.String())
	}
	if !strings.HasPrefix(strings.TrimSpace(out.String()), "Value") ||
		!strings.Contains(out.String(), "Total count    =         1000]") {
		t.Error(out.String())
	}
}

// TestClamp: latencies outside of the histogram's range count as its ends.
func TestClamp(t *testing.T) {
	r := newRecorder(&Load{})
	r.ended(t.Context(), 0, -time.Second, nil)
	r.ended(t.Context(), 0, 100*time.Hour, nil)
	h := r.report.Histogram
	if n, least, most := h.TotalCount(), h.Min(), h.Max(); n != 2 || least != 1 || !near(float64(most), 3.6e9) {
		t.Errorf("%d recorded, %d to %d µs", n, least, most)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	latency := got["latency"].(map[string]any)
	for _, name := range []string{"p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms"} {
		if v, _ := latency[name].(float64); v < 400 {
			t.Errorf("%s is %v", name, latency[name])
		}
	}
	for name, want := range map[string]any{
		"unit": "signatures", "rate": 100.0, "workers": 7.0, "started": 1001.0, "done": 1000.0, "failed": 1.0, "busy": 0.0,
		"items": 10000.0, "elapsed_seconds": 10.0, "items_per_second": 1000.0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if failures := fmt.Sprint(got["failures"]); failures != "[map[count:1 reason:lost]]" {
		t.Errorf("failures are %s", failures)
	}
}

func TestWriteText(t *testing.T) {
	var text strings.Builder
	if err := sample().WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"open loop, 100 a second, at most 7 at a time",
		"1001 started, 1000 done, 0 busy, 1 failed",
		"10000 in 10.0 s: 1000 a second",
		"failed 1 times: lost",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	if err := sample().WriteText(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestThroughput: no item is lost, however long the load and wherever it ends.
func TestThroughput(t *testing.T) {
	for _, tt := range []struct {
		every, ended time.Duration
		n            int
		stretch      float64 // seconds
	}{
		{100 * time.Millisecond, 10 * time.Second, 100, 1},
		{100 * time.Millisecond, 10200 * time.Millisecond, 102, 1},
		{100 * time.Millisecond, 10800 * time.Millisecond, 108, 1},
		{time.Second, 1000 * time.Second, 1000, 9},
		{time.Minute, time.Hour, 60, 30},
		{time.Hour, 24 * 30 * time.Hour, 24 * 30, 21600},
		{10 * time.Millisecond, 30 * time.Millisecond, 3, 0.03},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecorder(&Load{})
			for range tt.n {
				time.Sleep(tt.every)
				r.ended(t.Context(), 7, 0, nil)
			}
			time.Sleep(tt.ended - time.Duration(tt.n)*tt.every)
			r.ended(t.Context(), 0, 0, nil)
			points, sum := r.finish().Throughput, 0.0
			for i, p := range points {
				sum += p.PerSecond * (p.To - p.From)
				if i > 0 && p.From != points[i-1].To {
					t.Errorf("%s: a gap before %v", tt.ended, p)
				}
			}
			if math.Abs(sum-float64(7*tt.n)) > 0.01*sum {
				t.Errorf("%s: %g items of %d", tt.ended, sum, 7*tt.n)
			}
			if len(points) == 0 || len(points) > maxPoints || points[0].To != tt.stretch ||
				points[len(points)-1].To != tt.ended.Seconds() {
				t.Errorf("%s: %d points, the first %+v", tt.ended, len(points), points[0])
			}
		})
	}
}
