package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Step is one fault: what, on whom, for how long.
type Step struct {
	Fault  string
	Target string
	Hold   time.Duration
	Seed   uint64 // of what the fault draws itself
}

func (s Step) String() string {
	return fmt.Sprintf("%s %s for %s", s.Fault, s.Target, s.Hold)
}

// Bounds are how many faults a schedule has, and how long each lasts.
type Bounds struct {
	Steps    int
	Min, Max time.Duration
}

// Draw makes the schedule of a seed. Faults come in a random order, none a second time
// before all others did.
func Draw(seed uint64, b Bounds) []Step {
	r := rand.New(rand.NewPCG(seed, 0xfa017))
	all := make([]Step, b.Steps)
	var order []int
	for i := range all {
		if len(order) == 0 {
			order = r.Perm(len(faults))
		}
		f := faults[order[0]]
		order = order[1:]
		hold := b.Min + time.Duration(r.Int64N(int64(b.Max-b.Min)+1))
		all[i] = Step{f.name, f.targets[r.IntN(len(f.targets))], hold.Round(100 * time.Millisecond), r.Uint64()}
	}
	return all
}

// Print is a schedule for people, a line a step.
func Print(steps []Step) string {
	var out strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&out, "%3d. %s\n", i+1, s)
	}
	return out.String()
}

// ShortSeeds run with all tests.
var ShortSeeds = []uint64{2, 3, 4, 455}

// ShortBounds are those of a seed that takes well under a minute.
var ShortBounds = Bounds{Steps: 4, Min: time.Second, Max: 4 * time.Second}
