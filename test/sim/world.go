package sim

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// epoch is when every world begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is one run: the clock, the events to come, and all who take part.
type world struct {
	seed    uint64
	rng     *rand.Rand
	elapsed time.Duration
	queue   events
	order   uint64
	over    bool
	failure *Failure

	plan      plan
	forced    Profile // by the configuration
	counts    map[Fault]int
	log       traceLog
	manifest  *wire.Manifest // the founding one, which gateways and clients have
	always    bool           // the fleet changes, whatever the seed
	all       manifestSet
	lineages  map[*wire.Manifest]*wire.Lineage
	verified  map[string]*wire.Entry // heads by their bytes; nil: it is none
	manifests []*wire.Manifest       // the same, oldest first
	change    *change                // nil: the fleet stays what it is
	access    *wire.Access

	bus      *broker
	machines []*machine
	workers  []*worker // every life, the dead ones too
	gateways []*gateway
	clients  []*client
	council  *council
	jobs     *jobQueue
	check    *checker
	healed   bool

	falseClaims bool // the liar claims what it can't prove
	restored    int  // entries that nodes brought back
}

// at runs fn after a delay of virtual time.
func (w *world) at(delay time.Duration, fn func()) {
	w.order++
	heap.Push(&w.queue, event{at: w.elapsed + max(0, delay), order: w.order, fn: fn})
}

func (w *world) now() time.Time { return epoch.Add(w.elapsed) }

// run lets events happen until the world is over or a rule is broken.
func (w *world) run() {
	for !w.over && w.failure == nil && len(w.queue) > 0 {
		e := heap.Pop(&w.queue).(event)
		w.elapsed = e.at
		e.fn()
	}
}

// fault reports whether a fault happens here and now, and counts it.
func (w *world) fault(f Fault) bool {
	rate := w.plan.rate[f]
	if rate == 0 || w.healed || w.elapsed > w.plan.until || w.rng.Float64() >= rate {
		return false
	}
	w.happened(f)
	return true
}

// drawn reports whether something happens at the end, whenever that is.
func (w *world) drawn(f Fault) bool {
	rate := w.plan.rate[f]
	return rate > 0 && w.rng.Float64() < rate
}

func (w *world) happened(f Fault) {
	w.counts[f]++
	w.tracef("! %s", f)
}

// between draws a duration.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// lag is how long a message is on its way.
func (w *world) lag() time.Duration {
	if w.fault(LongDelay) {
		return w.between(200*time.Millisecond, 1200*time.Millisecond)
	}
	return w.between(200*time.Microsecond, 12*time.Millisecond)
}

// fail ends the run: a rule is broken.
func (w *world) fail(rule Rule, format string, args ...any) {
	if w.failure != nil {
		return
	}
	w.failure = &Failure{
		Seed: w.seed, Rule: rule, Reason: fmt.Sprintf(format, args...), Tail: slices.Clone(w.log.tail), forced: w.forced,
		Fleet: fmt.Sprintf("%s, %d of %d", w.plan.profile, w.manifest.T, w.manifest.N),
	}
}

func (w *world) tracef(format string, args ...any) {
	w.log.add(fmt.Sprintf("%8.3f ", w.elapsed.Seconds()) + fmt.Sprintf(format, args...))
}

// traceLog keeps the last events and a hash over all of them.
type traceLog struct {
	out   io.Writer
	tail  []string
	hash  uint64
	count int
}

const tailLength = 40

func (t *traceLog) add(line string) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %s", t.hash, line)
	t.hash = h.Sum64()
	t.count++
	if t.tail = append(t.tail, line); len(t.tail) > 2*tailLength {
		t.tail = slices.Clone(t.tail[tailLength:])
	}
	if t.out != nil {
		fmt.Fprintln(t.out, line)
	}
}

// event is something that happens at a time; order decides between equals.
type event struct {
	at    time.Duration
	order uint64
	fn    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(e any)   { *q = append(*q, e.(event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}
