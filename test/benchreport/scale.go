package benchreport

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Goals of speed are for a quiet machine on which a 2-of-3 key of bytemare/dkg takes
// QuietKey milliseconds of processor time. KeyName is the figure of what it takes here,
// SyncName that of a write to the disk.
const (
	QuietKey = 68.0
	KeyName  = "bytemare_dkg_key_ms"
	SyncName = "disk_sync_p50_ms"
)

// Scale sets GoalHere of the figures with a goal of speed: a machine that is so many times
// slower has so many times longer, or does so many times less. A goal that ends with
// "+ N syncs" gets N times what a write took, too. Without the figures that it
// needs a goal stays as it is.
func Scale(figures []Figure) []Figure {
	value := func(name string) float64 {
		i := slices.IndexFunc(figures, func(f Figure) bool { return f.Name == name && f.Error == "" })
		if i < 0 {
			return 0
		}
		return figures[i].Value
	}
	slower, sync := value(KeyName)/QuietKey, value(SyncName)
	out := slices.Clone(figures)
	for i := range out {
		out[i].GoalHere = ""
		if out[i].Scaled && slower > 0 {
			out[i].GoalHere = scaled(out[i].Goal, slower, sync)
		}
	}
	return out
}

// scaled is a goal on a machine that is so many times slower, "" if the time of a sync is
// missing.
func scaled(goal string, slower, sync float64) string {
	relation, bound := parseGoal(goal)
	if relation == ">=" {
		bound /= slower
	} else {
		bound *= slower
	}
	if _, more, found := strings.Cut(goal, "+ "); found {
		var syncs float64
		if _, err := fmt.Sscanf(more, "%g syncs", &syncs); err != nil {
			panic("goal " + goal + ": " + err.Error())
		}
		if sync <= 0 {
			return ""
		}
		bound += syncs * sync
	}
	return fmt.Sprintf("%s %g", relation, significant(bound))
}

// significant has four digits at least.
func significant(v float64) float64 {
	if v >= 1000 {
		return math.Round(v)
	}
	return round(v)
}
