package loadgen

import (
	"maps"
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

// recorder collects what operations report. Its size does not depend on how
// many there are.
type recorder struct {
	start time.Time

	mu        sync.Mutex
	count     Snapshot // without Elapsed
	latency   *hdr.Histogram
	over      timeline
	failures  map[string]int
	first     error
	unstarted int
	stopped   bool // before its end
	broken    int  // ended by the context
	last      time.Time
}

func newRecorder(l *Load) *recorder {
	now := time.Now()
	return &recorder{
		start: now, last: now, failures: map[string]int{}, over: newTimeline(l.Duration),
		latency: hdr.New(1, maxLatency.Microseconds(), digits), // microseconds
	}
}

// update changes the counts under the lock, and notes that something ended.
func (r *recorder) update(items int, change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	r.count.Items += items
	r.over.add(r.last.Sub(r.start), items)
	change()
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.Started++
}

func (r *recorder) done(items int, took time.Duration) {
	r.update(items, func() {
		r.count.Done++
		// Clamped to the histogram's range, so there is no error.
		_ = r.latency.RecordValue(min(max(took, time.Microsecond), maxLatency).Microseconds())
	})
}

func (r *recorder) busy(items int) { r.update(items, func() { r.count.Busy++ }) }

func (r *recorder) interrupted(items int) {
	r.update(items, func() { r.broken++; r.stopped = true })
}

// givenUp notes operations that were due and never started.
func (r *recorder) givenUp(n int, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped = r.stopped || stopped; !stopped {
		r.unstarted += n
	}
}

func (r *recorder) failed(items int, err error) {
	text := reason(err)
	r.update(items, func() {
		r.count.Failed++
		if r.first == nil {
			r.first = err
		}
		if _, known := r.failures[text]; !known && len(r.failures) >= maxFailures {
			text = otherReasons
		}
		r.failures[text]++
	})
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
	s := r.count
	s.Elapsed = time.Since(r.start)
	return s
}

// report sums up. Every operation has ended.
func (r *recorder) report(l *Load) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	elapsed := r.last.Sub(r.start)
	out := &Report{
		Name: l.Name, Unit: l.Unit, Rate: l.Rate, Workers: l.Workers,
		Started: r.count.Started, Done: r.count.Done, Failed: r.count.Failed, Busy: r.count.Busy,
		Unstarted: r.unstarted, Broken: r.broken, Interrupted: r.stopped,
		Items: r.count.Items, ElapsedSeconds: round(elapsed.Seconds()),
		Latency: latencyOf(r.latency), Histogram: r.latency, FirstError: r.first,
		Throughput: r.over.throughput(elapsed),
	}
	if elapsed > 0 {
		out.ItemsPerSecond = round(float64(out.Items) / elapsed.Seconds())
	}
	for _, text := range slices.Sorted(maps.Keys(r.failures)) {
		out.Failures = append(out.Failures, Failure{text, r.failures[text]})
	}
	slices.SortStableFunc(out.Failures, func(a, b Failure) int { return b.Count - a.Count })
	return out
}
