package protocol

import (
	"fmt"
	"maps"
	"runtime"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// meter counts what each step allocates: whatever decodes, encodes, or calculates
// with points allocates for each item. It keeps the names of the computations
// that steps asked for.
type meter struct {
	most     map[string]uint64 // by machine and event
	computed map[string]int
}

func (m *meter) step(who string, ev Event, step func(Event) []Effect) []Effect {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	effects := step(ev)
	runtime.ReadMemStats(&after)
	name := fmt.Sprintf("%s, %T", who, ev)
	m.most[name] = max(m.most[name], after.Mallocs-before.Mallocs)
	for _, e := range effects {
		if c, ok := e.(Compute); ok {
			m.computed[c.Name]++
		}
	}
	return effects
}

// What takes time in proportion to a job's items is a computation, and no step
// under the program's lock: in a job of a thousand items no step allocates half as
// often as there are items. A small task may be opened in its step; it takes some
// 450 allocations.
func TestStepsAreShort(t *testing.T) {
	const count, limit = 1000, 500
	sign, children, keygen := agedFleet(t), agedFleet(t), newFleet(t, 2, 3).start()
	var items, under []wire.JobItem
	for i := range count {
		items = append(items, item(sign.btc, i%2, fmt.Sprint(i)))
		under = append(under, below(items[i], fmt.Sprintf("%d/%d", i%3, i)))
	}
	for name, test := range map[string]struct {
		f    *fleet
		job  wire.SignedJob
		want map[string]int
	}{
		"sign": {sign.fleet, sign.signing(9, "alice", items...), map[string]int{
			"open task": 4, "check items": 2, "draw nonces": 2, "check commitment": 4, "make shares": 2, "aggregate": 1, "result": 1,
		}},
		"children": {children.fleet, children.signing(9, "alice", under...), map[string]int{
			"derive children": 1,
			"open task":       4, "check items": 2, "draw nonces": 2, "check commitment": 4, "make shares": 2, "aggregate": 1, "result": 1,
		}},
		"keygen": {keygen, keygen.keygen(9, "alice", "solana", count), map[string]int{
			"make deal": 3, "verify deals": 3, "make entry": 1, "result": 1,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &meter{map[string]uint64{}, map[string]int{}}
			test.f.step = m.step
			test.f.desk.arrive(test.job, nil)
			test.f.drain()
			equal(t, "status", test.f.desk.result().Status, wire.StatusDone)
			for step, allocations := range m.most {
				if allocations > limit {
					t.Errorf("%s: %d allocations in one step", step, allocations)
				}
			}
			if !maps.Equal(m.computed, test.want) {
				t.Errorf("computations %v, want %v", m.computed, test.want)
			}
		})
	}
}

// A gateway follows other gateways' tasks by their subjects: it reads no payload.
func TestTaskSeenUnread(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	task := wire.SignTask(f.job("alice", wire.KindSign, []byte("no JSON")), 3, []uint32{0}, nil)
	f.task(task, jobID(7))
	equal(t, "attempt", f.desk.signing.latest[jobKey("alice", jobID(7))].attempt, 3)
}

// What a gateway computes for a job is filed under the job's trace.
func TestComputationsAreTraced(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	traces := map[string]string{}
	f.step = func(who string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, e := range effects {
			if c, ok := e.(Compute); ok && who == "gateway" {
				traces[c.Name] = c.Trace
			}
		}
		return effects
	}
	job := f.keygen(1, "alice", "solana", 1)
	job.Trace = "keygen's"
	f.desk.arrive(job, nil)
	f.drain()
	batch := f.desk.finished[0].Result.Batches[0].ID
	job = f.signing(2, "alice", wire.JobItem{Key: wire.KeyID{Batch: batch}.String(), Message: []byte("x")})
	job.Trace = "signature's"
	f.desk.arrive(job, nil)
	f.drain()
	want := map[string]string{"make entry": "keygen's", "aggregate": "signature's", "result": "signature's"}
	if !maps.Equal(traces, want) {
		t.Errorf("traces %v, want %v", traces, want)
	}
}
