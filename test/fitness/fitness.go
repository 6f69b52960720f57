// Package fitness tells whether a machine is fit to measure on: what the hypervisor took
// (steal), what programs other than the benchmark's own used, for what the kernel says
// work had to wait (PSI, /proc/pressure), the load, and how long a write takes to reach
// the disk. All of it is compared between two moments.
package fitness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Thresholds: a machine beyond one of them is unfit. While the benchmark runs, pressure on
// processors and disks is its own, and who timed a write waits for a core: so pressure
// counts only while it is idle, and a write may take longer meanwhile.
const (
	MaxSteal    = 2.0  // percent of all cores' time
	MaxOthers   = 5.0  // percent of all cores' time, used by other programs
	MaxMemory   = 1.0  // percent of the time in which something waited for memory
	MaxPressure = 10.0 // percent of an idle time in which something waited for a core, or for a disk
	MaxSync     = 5 * time.Millisecond
	MaxBusySync = 4 * MaxSync // while the benchmark runs
)

// A Sample is one look at the machine. Times are sums since it started, over its cores.
type Sample struct {
	At                 time.Time
	Total, Busy, Steal time.Duration
	Own                time.Duration            // of Busy: the benchmark's processes
	Waited             map[string]time.Duration // by PSI's resources: cpu, io, memory; nil without PSI
	Load               float64                  // of the last minute
}

// A State is what the machine was like between two samples. Percentages are of all cores'
// time, those of pressure of the time that passed.
type State struct {
	Steal    float64            `json:"steal_percent"`
	Others   float64            `json:"others_percent"`
	Pressure map[string]float64 `json:"pressure_percent"` // null: this kernel tells none
	Load     float64            `json:"load"`             // the higher of both samples'
	Sync     float64            `json:"sync_ms"`          // median; 0: no write fell into that time
	Unfit    string             `json:"unfit,omitempty"`  // why; empty: it was fit
}

// Between is the state from one sample to a later one. Syncs are times that writes
// took; idle says that the benchmark did nothing meanwhile.
func Between(from, to Sample, syncs []time.Duration, idle bool) State {
	percent := func(part, whole time.Duration) float64 {
		if whole <= 0 {
			return 0
		}
		return 100 * max(0, part.Seconds()) / whole.Seconds()
	}
	total := to.Total - from.Total
	s := State{
		Steal:  percent(to.Steal-from.Steal, total),
		Others: percent(to.Busy-from.Busy-(to.Own-from.Own), total),
		Load:   max(from.Load, to.Load),
	}
	if to.Waited != nil {
		s.Pressure = map[string]float64{}
	}
	for resource, waited := range to.Waited {
		s.Pressure[resource] = percent(waited-from.Waited[resource], to.At.Sub(from.At))
	}
	if len(syncs) > 0 {
		s.Sync = float64(slices.Sorted(slices.Values(syncs))[len(syncs)/2]) / float64(time.Millisecond)
	}
	s.Unfit = s.why(idle)
	return s
}

// why the machine is unfit.
func (s State) why(idle bool) string {
	var reasons []string
	above := func(value, bound float64, unit, what string) {
		if value > bound {
			reasons = append(reasons, fmt.Sprintf("%s %.3g %s", what, value, unit))
		}
	}
	above(s.Steal, MaxSteal, "%", "steal")
	above(s.Others, MaxOthers, "%", "other programs")
	above(s.Pressure["memory"], MaxMemory, "%", "pressure on memory")
	if idle {
		above(s.Pressure["cpu"], MaxPressure, "%", "pressure on processors")
		above(s.Pressure["io"], MaxPressure, "%", "pressure on disks")
	}
	sync := MaxBusySync
	if idle {
		sync = MaxSync
	}
	above(s.Sync, float64(sync)/float64(time.Millisecond), "ms", "disk sync")
	return strings.Join(reasons, ", ")
}

// String is one line.
func (s State) String() string {
	pressure := "no PSI"
	if s.Pressure != nil {
		pressure = fmt.Sprintf("pressure cpu %.0f %%, io %.0f %%, memory %.0f %%",
			s.Pressure["cpu"], s.Pressure["io"], s.Pressure["memory"])
	}
	sync := "not measured"
	if s.Sync > 0 {
		sync = fmt.Sprintf("%.2g ms", s.Sync)
	}
	fit := cmp.Or(s.Unfit, "fit")
	if s.Unfit != "" {
		fit = "UNFIT (" + s.Unfit + ")"
	}
	return fmt.Sprintf("steal %.1f %%, others %.1f %%, %s, load %.1f, disk sync %s: %s",
		s.Steal, s.Others, pressure, s.Load, sync, fit)
}
