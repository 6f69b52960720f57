package launch

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage collector begins when the heap has doubled, and the heap of a worker or a gateway is small: under load
// there were three collections a second, each of which stops the program twice. A stop waits for every thread, those of
// bulk work included, which have given their cores to others (internal/background); and single signatures wait with it.
const (
	leastGrowth = 48 << 20 // bytes by which a heap grows between two collections
	mostPercent = 400      // of the heap; a heap of a few MB is collected before it has grown as much
)

// growth is GOGC for a heap that had so many bytes after a collection. A large one doubles, as by default. One that was
// small and grows fast has a higher peak than without this: a collection that finds it large begins with the percentage
// of the small one, until follow is called, which is when the sweeper gets there; GOMEMLIMIT bounds it all the same.
func growth(live uint64) int {
	return int(min(max(100*leastGrowth/max(live, 1), 100), mostPercent))
}

// pace is what the collector goes by.
type pace struct{ percent int }

// paceCollector has the collector follow growth, unless the operator sets GOGC.
func paceCollector() {
	if os.Getenv("GOGC") == "" {
		new(pace).follow()
	}
}

// follow sets what follows from the last collection, and comes back after the next. Each change stops the program, too,
// so small ones are left out.
func (p *pace) follow() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	next := growth(live[0].Value.Uint64())
	if change := next - p.percent; change*change*25 > p.percent*p.percent {
		p.percent = next
		debug.SetGCPercent(next)
	}
	collected := new(struct{ _ *byte }) // nobody has it, so the next collection takes it
	runtime.AddCleanup(collected, (*pace).follow, p)
}
