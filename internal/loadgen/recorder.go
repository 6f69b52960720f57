package loadgen

import (
	"context"
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	maxLatency  = time.Hour // what takes longer counts as this
	digits      = 3         // of a latency are kept
	maxFailures = 5         // different texts are kept; the rest is counted together
	maxText     = 300       // bytes of a failure's text
)

// recorder collects what operations report. Its size depends on how long they
// take, not on how many there are.
type recorder struct {
	load  *Load
	start time.Time

	mu       sync.Mutex
	report   Report // its counts so far
	seconds  []int  // items by the second in which they came
	failures map[string]int
	last     time.Time
}

func newRecorder(l *Load) *recorder {
	now := time.Now()
	return &recorder{load: l, start: now, last: now, failures: map[string]int{}, report: Report{
		Name: l.Name, Unit: l.Unit, Rate: l.Rate, Workers: l.Workers,
		Histogram: hdr.New(1, maxLatency.Microseconds(), digits), // microseconds
	}}
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Started++
}

// ended records an operation. What ended with the context is neither done nor
// failed.
func (r *recorder) ended(ctx context.Context, items int, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	second := int(r.last.Sub(r.start) / time.Second)
	r.seconds = append(r.seconds, make([]int, max(0, second+1-len(r.seconds)))...)
	r.seconds[second] += items
	r.report.Items += items
	switch {
	case err == nil:
		r.report.Done++
		// Clamped to the histogram's range, so there is no error.
		_ = r.report.Histogram.RecordValue(min(max(took, time.Microsecond), maxLatency).Microseconds())
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		r.report.Broken++
		r.report.Interrupted = true
	case r.load.Busy != nil && r.load.Busy(err):
		r.report.Busy++
	default:
		r.failed(err)
	}
}

func (r *recorder) failed(err error) {
	r.report.Failed++
	if r.report.FirstError == nil {
		r.report.FirstError = err
	}
	text := reason(err)
	if _, known := r.failures[text]; !known && len(r.failures) >= maxFailures {
		text = otherReasons
	}
	r.failures[text]++
}

// givenUp notes that a load ended early: it was interrupted, or n operations
// of an open loop were due and never started.
func (r *recorder) givenUp(n int, interrupted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if interrupted {
		r.report.Interrupted = true
	} else if r.load.Rate > 0 {
		r.report.Unstarted = n
	}
}

const otherReasons = "other reasons"

// names are what differs between failures of one cause: ids, hashes and times.
var names = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}(?:\.\d+)?|` +
	`\b\d+(?:\.\d+)?(?:ns|µs|ms|s)\b`)

// reason is an error's text without what makes each failure a text of its own.
func reason(err error) string {
	text := strings.Join(strings.Fields(names.ReplaceAllString(err.Error(), "…")), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// follow reports progress until ended is closed, and then once more.
func (r *recorder) follow(progress func(Snapshot), ended <-chan struct{}) {
	every := time.NewTicker(progressEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			progress(r.snapshot())
		case <-ended:
			progress(r.snapshot())
			return
		}
	}
}

func (r *recorder) snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.report
	return Snapshot{time.Since(r.start), p.Started, p.Done, p.Failed, p.Busy, p.Items}
}

// finish completes the report. Every operation has ended.
func (r *recorder) finish() *Report {
	elapsed := r.last.Sub(r.start)
	out := &r.report
	out.ElapsedSeconds, out.Latency = round(elapsed.Seconds()), latencyOf(out.Histogram)
	if elapsed > 0 {
		out.ItemsPerSecond = round(float64(out.Items) / elapsed.Seconds())
		out.Throughput = throughput(r.seconds, elapsed)
	}
	for _, text := range slices.Sorted(maps.Keys(r.failures)) {
		out.Failures = append(out.Failures, Failure{text, r.failures[text]})
	}
	slices.SortStableFunc(out.Failures, func(a, b Failure) int { return b.Count - a.Count })
	return out
}

// maxPoints bounds a report of the throughput over time.
const maxPoints = 120

// throughput is what came, in stretches of whole seconds, until a load ended. The
// last is as long as it lasted; less than half a stretch counts into the one
// before.
func throughput(seconds []int, ended time.Duration) (points []Point) {
	stretch := int(math.Ceil(ended.Seconds() / maxPoints))
	for from := 0; from < len(seconds); {
		next, to := from+stretch, float64(from+stretch)
		if ended.Seconds()-to < float64(stretch)/2 {
			next, to = len(seconds), ended.Seconds()
		}
		items := 0
		for _, n := range seconds[from:next] {
			items += n
		}
		perSecond := float64(items) / (to - float64(from))
		points = append(points, Point{float64(from), round(to), math.Round(perSecond*1e6) / 1e6})
		from = next
	}
	return points
}
