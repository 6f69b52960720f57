// Package benchreport keeps what the benchmarks measured: a list of figures
// that a file has as JSON and a person as a table.
//
// Several test binaries write one file, one after the other: each replaces the
// figures that it measured, by name, and leaves the others.
package benchreport

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// A Figure is one thing that was measured.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"` // as in ">= 0.9"; empty: it is only reported
	// FloorRatio is, for a throughput, its share of what the same cores did in
	// the same run with the cryptographic operations alone.
	FloorRatio *float64 `json:"floor_ratio"`
	// Floor is that throughput, in Unit.
	Floor *float64 `json:"floor,omitempty"`
}

// MinFloorRatio is the goal of every FloorRatio.
const MinFloorRatio = 0.7

// What a figure's verdict may be.
const (
	Met    = "met"
	Missed = "MISSED"
)

// Verdict is Met, Missed, or empty where there is no goal. It panics if the
// goal does not read as a relation and a number.
func (f Figure) Verdict() string {
	if f.Goal == "" {
		return ""
	}
	var relation string
	var bound float64
	if _, err := fmt.Sscanf(f.Goal, "%s %g", &relation, &bound); err != nil {
		panic("goal " + f.Goal + ": " + err.Error())
	}
	met, known := map[string]bool{">=": f.Value >= bound, "<=": f.Value <= bound, "<": f.Value < bound}[relation]
	if !known {
		panic("goal " + f.Goal)
	}
	return verdict(met)
}

// FloorVerdict is the same for the floor ratio.
func (f Figure) FloorVerdict() string {
	if f.FloorRatio == nil {
		return ""
	}
	return verdict(*f.FloorRatio >= MinFloorRatio)
}

func verdict(met bool) string {
	if met {
		return Met
	}
	return Missed
}

// Report collects figures and tells how far the benchmark is. Its methods may
// be called concurrently.
type Report struct {
	Progress io.Writer // gets a line for all that happens

	mu      sync.Mutex
	figures []Figure
	start   time.Time
}

// New starts a report's clock. Progress goes to standard error.
func New() *Report { return &Report{Progress: os.Stderr, start: time.Now()} }

// Record keeps a figure, in place of an earlier one of that name.
func (r *Report) Record(name string, value float64, unit, goal string) {
	r.keep(Figure{Name: name, Value: round(value), Unit: unit, Goal: goal})
}

// RecordFloor keeps a throughput with its floor, in the same unit, and with the
// ratio of the two, which need not be that of these: a median of rounds has
// another.
func (r *Report) RecordFloor(name string, value float64, unit, goal string, floor, ratio float64) {
	floor, ratio = round(floor), round(ratio)
	r.keep(Figure{Name: name, Value: round(value), Unit: unit, Goal: goal, Floor: &floor, FloorRatio: &ratio})
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func (r *Report) keep(f Figure) {
	more := ""
	if f.FloorRatio != nil {
		more = fmt.Sprintf(", %g of the floor, %g", *f.FloorRatio, *f.Floor)
	}
	r.Say("%s = %g %s%s", f.Name, f.Value, f.Unit, more)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.figures = Merge(r.figures, []Figure{f})
}

// Say tells what happens, after the seconds since the start.
func (r *Report) Say(format string, args ...any) {
	fmt.Fprintf(r.Progress, "%5.1fs  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
}

// Figures are those that were recorded so far, in order.
func (r *Report) Figures() []Figure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.figures)
}

// Missing gives those of names that no figure has.
func Missing(figures []Figure, names []string) (missing []string) {
	for _, name := range names {
		if !slices.ContainsFunc(figures, func(f Figure) bool { return f.Name == name }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// MissedGoals names the figures that missed their goal, or the floor's.
func MissedGoals(figures []Figure) (missed []string) {
	for _, f := range figures {
		if f.Verdict() == Missed || f.FloorVerdict() == Missed {
			missed = append(missed, f.Name)
		}
	}
	return missed
}

// Print writes the table.
func Print(w io.Writer, figures []Figure) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nname\tvalue\tunit\tgoal\t\tfloor\tratio\t")
	for _, f := range figures {
		fmt.Fprintf(table, "%s\t%g\t%s\t%s\t%s\t", f.Name, f.Value, f.Unit, f.Goal, f.Verdict())
		if f.FloorRatio != nil && f.Floor != nil {
			fmt.Fprintf(table, "%g\t%g\t%s", *f.Floor, *f.FloorRatio, f.FloorVerdict())
		} else {
			fmt.Fprint(table, "\t\t")
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
