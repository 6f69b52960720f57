package loadgen

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a load did. Started = Done + Failed + Busy + Broken.
type Report struct {
	Name    string  `json:"name,omitempty"`
	Unit    string  `json:"unit"`           // what an item is
	Rate    float64 `json:"rate,omitempty"` // asked for, operations a second; 0: closed loop
	Workers int     `json:"workers"`        // in flight at most

	Started     int  `json:"started"`
	Done        int  `json:"done"`
	Failed      int  `json:"failed"`
	Busy        int  `json:"busy"`                  // turned away, to come again later
	Broken      int  `json:"broken,omitempty"`      // under way when the load was interrupted
	Unstarted   int  `json:"unstarted,omitempty"`   // due, but all workers were taken until the end
	Interrupted bool `json:"interrupted,omitempty"` // before its end

	Items          int     `json:"items"`
	ElapsedSeconds float64 `json:"elapsed_seconds"` // until the last operation ended
	ItemsPerSecond float64 `json:"items_per_second"`

	Latency    Latency   `json:"latency"`
	Failures   []Failure `json:"failures,omitempty"` // the most frequent first
	Throughput []Point   `json:"throughput"`

	Histogram  *hdr.Histogram `json:"-"` // latencies of what was done, in microseconds
	FirstError error          `json:"-"` // of a failed operation
}

// Latency of what was done, in milliseconds: in an open loop from when an
// operation was due, otherwise from when it started.
type Latency struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

// Failure is a reason, without ids, and how often it was given.
type Failure struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Point is the throughput between two times, in seconds from the start.
type Point struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	PerSecond float64 `json:"per_second"` // items
}

func latencyOf(h *hdr.Histogram) Latency {
	at := func(p float64) float64 { return ms(h.ValueAtPercentile(p)) }
	return Latency{at(50), at(90), at(99), at(99.9), ms(h.Max())}
}

func ms(microseconds int64) float64 { return float64(microseconds) / 1000 }

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var out strings.Builder
	if r.Name != "" {
		fmt.Fprintf(&out, "%s\n", r.Name)
	}
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "  "+name+"\t"+format+"\n", args...) }
	load := fmt.Sprintf("closed loop, %d at a time", r.Workers)
	if r.Rate > 0 {
		load = fmt.Sprintf("open loop, %g a second, at most %d at a time", r.Rate, r.Workers)
	}
	row("load", "%s", load)
	broken := ""
	if r.Broken > 0 {
		broken = fmt.Sprintf(", %d interrupted", r.Broken)
	}
	row("operations", "%d started, %d done, %d busy, %d failed%s", r.Started, r.Done, r.Busy, r.Failed, broken)
	row(r.Unit, "%d in %.1f s: %s a second", r.Items, r.ElapsedSeconds, number(r.ItemsPerSecond))
	if l := r.Latency; r.Done > 0 {
		row("latency, ms", "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s",
			number(l.P50), number(l.P90), number(l.P99), number(l.P999), number(l.Max))
	}
	_ = t.Flush() // a Builder takes everything
	if r.Unstarted > 0 {
		fmt.Fprintf(&out, "  %d operations were due and never started, as all %d workers were taken: "+
			"the latencies are too low. Ask for a lower rate, or use more workers.\n", r.Unstarted, r.Workers)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&out, "  failed %d times: %s\n", f.Count, f.Reason)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// WritePercentiles writes the latencies, in milliseconds, as the plotters of
// HdrHistogram read them (.hgrm).
func (r *Report) WritePercentiles(w io.Writer) error {
	_, err := r.Histogram.PercentilesPrint(w, ticksPerHalf, 1000)
	return err
}

// ticksPerHalf is how many lines lead to each halving of what remains to 100 %.
const ticksPerHalf = 5

// number has as many digits as mean something.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
