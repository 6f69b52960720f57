// Package recent remembers the last 15 minutes of a gateway in steps of 5 seconds, for charts:
// which jobs ended, how long they took, and why some failed. Its memory does not grow with what
// happens.
package recent

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Step is the length of one step, and Steps how many are remembered.
const (
	Step  = 5 * time.Second
	Steps = 180
)

// Times are counted in buckets that grow by a quarter, so that a quantile is right within an
// eighth: from half a millisecond to an hour.
const (
	shortest = 0.0005 // seconds
	growth   = 1.25
	buckets  = 72
)

// maxNames bounds the codes and the rules of one step; what is more counts as other.
const maxNames = 32

const other = "other"

// End is how a job ended.
type End struct {
	Kind  wire.Kind
	Items int // keys or signatures that it made
	Took  time.Duration
	Code  string // why it failed; empty: it did not
	Rule  string // that denied it; empty: none did, or nobody knows
}

// Ring is the memory. All methods may be called concurrently.
type Ring struct {
	mu    sync.Mutex
	steps [Steps]step
}

type step struct {
	number int64 // of the step since 1970; a slot is reused by the step Steps later
	kinds  [2]count
	codes  map[string]int
	rules  map[string]int
}

type count struct {
	jobs, items int
	took        [buckets]uint32
}

// Kinds are the kinds of jobs, in the order of a Look.
var Kinds = [2]wire.Kind{wire.KindKeygen, wire.KindSign}

func number(at time.Time) int64 { return at.Unix() / int64(Step/time.Second) }

// slot is the step of a time, which forgets the one that it takes the place of; nil if it has
// been forgotten itself.
func (r *Ring) slot(n int64) *step {
	s := &r.steps[((n%Steps)+Steps)%Steps]
	if s.number > n {
		return nil
	}
	if s.number < n {
		*s = step{number: n}
	}
	return s
}

// Add counts a job that ended now.
func (r *Ring) Add(now time.Time, e End) {
	kind := slices.Index(Kinds[:], e.Kind)
	if kind < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.slot(number(now))
	if s == nil {
		return
	}
	c := &s.kinds[kind]
	c.jobs++
	c.items += max(e.Items, 0)
	if e.Code == "" {
		c.took[bucket(e.Took)]++
		return
	}
	tally(&s.codes, e.Code)
	if e.Rule != "" {
		tally(&s.rules, e.Rule)
	}
}

func tally(counts *map[string]int, name string) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	if _, known := (*counts)[name]; !known && len(*counts) >= maxNames {
		name = other
	}
	(*counts)[name]++
}

func bucket(took time.Duration) int {
	n := math.Ceil(math.Log(took.Seconds()/shortest) / math.Log(growth))
	if !(n > 0) { // also of no time at all
		return 0
	}
	return int(min(n, buckets-1))
}

// quantile is a time that a share of the counted jobs did not exceed, in seconds; NaN if there
// are none.
func (c *count) quantile(q float64) float64 {
	total := 0
	for _, n := range c.took {
		total += int(n)
	}
	if total == 0 {
		return math.NaN()
	}
	rank := max(int(math.Ceil(q*float64(total))), 1)
	for i, n := range c.took {
		if rank -= int(n); rank <= 0 {
			return shortest * math.Pow(growth, float64(i)-0.5) // the middle of the bucket
		}
	}
	panic("recent: more jobs than were counted")
}

// Look is what is remembered. All lists of a kind are as long, oldest first.
type Look struct {
	Until time.Time // end of the last step, which is whole
	Kinds [2]Series // as in Kinds
	Codes []Counted // most first
	Rules []Counted
}

// Series is one kind of jobs, step by step.
type Series struct {
	Jobs, Items []int
	Median, P99 []float64 // seconds, of those that went well; NaN where there were none
}

// Counted is how often something was.
type Counted struct {
	Name  string
	Count int
}

// Look returns the steps that were whole at a time.
func (r *Ring) Look(now time.Time) (l Look) {
	last := number(now) - 1
	l.Until = time.Unix((last+1)*int64(Step/time.Second), 0).UTC()
	codes, rules := map[string]int{}, map[string]int{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := last - Steps + 2; n <= last; n++ { // the slot of the step that runs is not looked at
		s := r.steps[((n%Steps)+Steps)%Steps]
		if s.number != n {
			s = step{}
		}
		for i := range s.kinds {
			c, to := &s.kinds[i], &l.Kinds[i]
			to.Jobs, to.Items = append(to.Jobs, c.jobs), append(to.Items, c.items)
			to.Median, to.P99 = append(to.Median, c.quantile(0.5)), append(to.P99, c.quantile(0.99))
		}
		for name, n := range s.codes {
			codes[name] += n
		}
		for name, n := range s.rules {
			rules[name] += n
		}
	}
	l.Codes, l.Rules = sorted(codes), sorted(rules)
	return l
}

func sorted(counts map[string]int) []Counted {
	all := []Counted{}
	for name, n := range counts {
		all = append(all, Counted{name, n})
	}
	slices.SortFunc(all, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
	return all
}

// maxRule bounds what is kept of a rule's name, in bytes.
const maxRule = 96

// Rule is the rule of a denial's text, as gateways write it ("node 1 denied: rule treasury:
// destination: ..."): its name and the code, or the code alone where no rule decided.
func Rule(text string) string {
	_, said, ok := strings.Cut(text, " denied: ")
	if !ok {
		return ""
	}
	parts := strings.SplitN(said, ": ", 3)
	rule, named := strings.CutPrefix(parts[0], "rule ")
	if named && len(parts) > 1 {
		rule += ": " + parts[1]
	}
	rule = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, rule)
	return rule[:min(len(rule), maxRule)]
}
