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
	"strings"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/test/fitness"
)

// Report collects figures and tells how far the benchmark is. Its methods may
// be called concurrently.
type Report struct {
	Progress io.Writer // gets a line for all that happens

	mu      sync.Mutex
	figures []Figure
	start   time.Time
	watch   *fitness.Watch // of the machine; nil: nobody watches
	last    time.Time      // when a figure was kept
	from    time.Time      // since when the figures were measured that are kept now
}

// New starts a report's clock. Progress goes to standard error.
func New() *Report { return &Report{Progress: os.Stderr, start: time.Now()} }

// Watch has each figure say what the machine was like while it was measured, and the list
// what it was like before, until the returned function adds what it was like after.
// These rows have the benchmark's name. Writes that are timed go to a folder.
func (r *Report) Watch(name, dir string) (end func(), err error) {
	w, before, err := fitness.Start(dir)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	now := time.Now()
	r.watch, r.last, r.from = w, now, now
	r.mu.Unlock()
	r.keepMachine(machineRow+"before_"+name, before)
	return func() {
		if after, err := w.Idle(); err != nil {
			r.Fail(machineRow+"after_"+name, err.Error())
		} else {
			r.keepMachine(machineRow+"after_"+name, after)
		}
		r.mu.Lock()
		r.watch = nil
		r.mu.Unlock()
		w.Stop()
	}, nil
}

// machineRow begins the names of figures that are the machine's state.
const machineRow = "machine_"

func (r *Report) keepMachine(name string, state fitness.State) {
	f := Figure{Name: name, Text: "fit", Machine: &state}
	if state.Unfit != "" {
		f.Text = unfit
	}
	r.Say("%s: %s", name, state)
	r.add(f)
}

// Record keeps a figure, in place of an earlier one of that name.
func (r *Report) Record(name string, value float64, unit, goal string) {
	r.keep(Figure{Name: name, Value: round(value), Unit: unit, Goal: goal})
}

// RecordSpeed is Record for a goal that depends on the machine's speed (Scale).
func (r *Report) RecordSpeed(name string, value float64, unit, goal string) {
	r.keep(Figure{Name: name, Value: round(value), Unit: unit, Goal: goal, Scaled: goal != ""})
}

// RecordIdeal keeps a figure of speed with the ideal, in the same unit, and with its share
// of that, which need not be that of these: a median of rounds has another.
func (r *Report) RecordIdeal(name string, value float64, unit, goal string, ideal, share float64) {
	ideal, share = round(ideal), round(share)
	r.keep(Figure{Name: name, Value: round(value), Unit: unit, Goal: goal, Scaled: goal != "",
		Floor: &ideal, FloorRatio: &share})
}

// RecordText keeps what is no number.
func (r *Report) RecordText(name, text string) { r.keep(Figure{Name: name, Text: text}) }

// Fail keeps that a figure could not be measured, and why.
func (r *Report) Fail(name, why string) {
	r.Say("%s COULD NOT BE MEASURED: %s", name, why)
	r.add(Figure{Name: name, Error: why})
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// keep adds a figure with the state of the machine.
func (r *Report) keep(f Figure) {
	more := ""
	if f.FloorRatio != nil {
		more = fmt.Sprintf(", %g of the ideal, %g", *f.FloorRatio, *f.Floor)
	}
	if state, err := r.state(); err != nil {
		more += ", machine: " + err.Error()
	} else if state != nil {
		f.Machine = state
		more += "; " + state.String()
	}
	r.Say("%s = %s %s%s", f.Name, f.value(), f.Unit, more)
	r.add(f)
}

// state is what the machine was like since the figures before, nil if nobody watches.
// Figures that are kept within a second were measured together.
func (r *Report) state() (*fitness.State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == nil {
		return nil, nil
	}
	now := time.Now()
	if now.Sub(r.last) > time.Second {
		r.from = r.last
	}
	r.last = now
	state, err := r.watch.Since(r.from)
	return &state, err
}

func (r *Report) add(f Figure) {
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
	return Scale(r.figures)
}

// Missing gives those of names that no figure has, and all that could not be measured.
func Missing(figures []Figure, names []string) (missing []string) {
	for _, name := range names {
		if !slices.ContainsFunc(figures, func(f Figure) bool { return f.Name == name }) {
			missing = append(missing, name)
		}
	}
	for _, f := range figures {
		if f.Error != "" {
			missing = append(missing, f.Name)
		}
	}
	return missing
}

// MissedGoals names the figures that missed their goal on a fit machine, and UnfitGoals
// those that did on an unfit one.
func MissedGoals(figures []Figure) []string { return withVerdict(figures, Missed) }

// UnfitGoals is the other half of MissedGoals.
func UnfitGoals(figures []Figure) []string { return withVerdict(figures, unfit) }

func withVerdict(figures []Figure, verdict string) (names []string) {
	for _, f := range figures {
		if strings.HasPrefix(f.Verdict(), verdict) {
			names = append(names, f.Name)
		}
	}
	return names
}
