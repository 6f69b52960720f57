package protocol

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	chains "github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// serialMeter counts the processor time of a fleet's programs: in their machines' steps, which
// are under a lock, and beside these.
type serialMeter struct {
	steps, beside map[string]time.Duration // by program and what it does
}

func (f *fleet) serially() *serialMeter {
	m := &serialMeter{map[string]time.Duration{}, map[string]time.Duration{}}
	f.step = func(who string, ev Event, step func(Event) []Effect) []Effect {
		defer m.time(m.steps, who+" "+strings.TrimPrefix(fmt.Sprintf("%T", ev), "protocol."))()
		return step(ev)
	}
	f.aside = func(who, what string, do func()) {
		defer m.time(m.beside, who+" "+what)()
		do()
	}
	return m
}

func (m *serialMeter) time(of map[string]time.Duration, name string) func() {
	begin := threadTime()
	return func() { of[name] += threadTime() - begin }
}

// threadTime is the processor time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// least keeps the least that each part took of several runs.
func least(of []*serialMeter, part func(*serialMeter) map[string]time.Duration) map[string]time.Duration {
	all := maps.Clone(part(of[0]))
	for _, m := range of[1:] {
		for name, took := range part(m) {
			if before, ok := all[name]; !ok || took < before {
				all[name] = took
			}
		}
	}
	return all
}

func sumOf(parts map[string]time.Duration, who string) (sum time.Duration) {
	for name, took := range parts {
		if strings.HasPrefix(name, who) {
			sum += took
		}
	}
	return sum
}

// BenchmarkSerialShare is how much of a program's processor time is spent under its
// machine's lock, in batches of 1,000: what is left beside it is divided among cores.
func BenchmarkSerialShare(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	worst := map[string]float64{}
	for _, name := range []string{"bitcoin", "solana"} {
		f := newFleet(b, 2, 3)
		f.divide = nil // on this thread
		f.start()
		f.desk.useChains()
		var made, signed []*serialMeter
		for i := range 5 {
			m := f.serially()
			f.desk.finished = nil
			f.desk.arrive(f.keygen(2*i+1, "alice", name, frost.MaxBatch), nil)
			f.drain()
			res := f.desk.result()
			f.aside("gateway", "encode result", func() { res.Encode() })
			made = append(made, m)

			m = f.serially()
			f.desk.finished = nil
			var items []wire.JobItem
			for k := range frost.MaxBatch {
				items = append(items, item(res.Batches[0].ID, k, fmt.Sprint(i, k)))
			}
			f.desk.arrive(f.signing(2*i+2, "alice", items...), nil)
			f.drain()
			res = f.desk.result()
			f.aside("gateway", "encode result", func() { res.Encode() })
			signed = append(signed, m)
		}
		for _, w := range []struct {
			name string
			of   []*serialMeter
		}{{"keygen", made}, {"sign", signed}} {
			steps := least(w.of, func(m *serialMeter) map[string]time.Duration { return m.steps })
			beside := least(w.of, func(m *serialMeter) map[string]time.Duration { return m.beside })
			for _, who := range []string{"gateway", "node"} {
				lock, rest := sumOf(steps, who), sumOf(beside, who)
				share := 100 * float64(lock) / float64(lock+rest)
				worst[who] = max(worst[who], share)
				b.Logf("%s %s, %s: %.2f ms in steps, %.2f beside them: %.2f %%", name, w.name, who,
					lock.Seconds()*1e3, rest.Seconds()*1e3, share)
				logParts(b, who, "  step ", steps)
				logParts(b, who, "  beside ", beside)
			}
		}
	}
	b.ReportMetric(worst["gateway"], "serial_share_gateway_percent")
	b.ReportMetric(worst["node"], "serial_share_node_percent")
}

func logParts(b *testing.B, who, what string, parts map[string]time.Duration) {
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return cmp.Compare(parts[b], parts[a]) })
	for _, name := range names {
		if strings.HasPrefix(name, who) && parts[name] > 50*time.Microsecond {
			b.Logf("%s%s: %.3f ms", what, name, parts[name].Seconds()*1e3)
		}
	}
}

// useChains has a gateway make the addresses that a real one makes.
func (d *desk) useChains() {
	d.keygen.cfg.Address, d.keygen.cfg.Descriptor = chains.Address, chains.Descriptor
}
