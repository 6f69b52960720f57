package protocol

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// replay is a gateway's program without a bus: what nodes said of its jobs is known already.
type replay struct {
	f      *fleet
	mu     sync.Mutex // of the machine
	tasks  map[string]wire.LogMessage
	rounds map[string][]wire.LogMessage // by session
	work   chan func()                  // computations, for as many workers as there are cores
	stream chan wire.LogMessage         // SIGN, which is read by one
	ended  sync.WaitGroup               // jobs
}

// recorded keeps what a fleet said in WORK and SIGN.
func recorded(f *fleet) *replay {
	r := &replay{f: f, tasks: map[string]wire.LogMessage{}, rounds: map[string][]wire.LogMessage{}}
	for _, m := range f.work {
		r.tasks[m.Subject] = m
	}
	for _, m := range f.sign {
		if slot, err := wire.ParseSlot(m.Subject); err == nil {
			r.rounds[slot.ID] = append(r.rounds[slot.ID], m)
		}
	}
	return r
}

// run has a new gateway do jobs on so many cores, and returns how long that takes.
func (r *replay) run(jobs []wire.SignedJob, cores int) time.Duration {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	desk := r.f.newDesk()
	desk.signing.traffic.bulk.window, desk.signing.traffic.large.bounds = newWindow(6, 6), Range{6, 6}
	r.f.show(desk)
	r.work, r.stream = make(chan func(), 1024), make(chan wire.LogMessage, 1024)
	var workers sync.WaitGroup
	for range cores {
		workers.Go(func() {
			for f := range r.work {
				f()
			}
		})
	}
	workers.Go(func() {
		for m := range r.stream {
			if strings.HasPrefix(m.Subject, "work.") {
				r.step(desk, TaskMessage{m, r.f.now})
			} else {
				r.step(desk, SignMessage{r.f.reader.Read(r.f.m, m), r.f.now})
			}
		}
	})
	begin := time.Now()
	r.ended.Add(len(jobs))
	for i, job := range jobs {
		r.work <- func() {
			r.step(desk, JobArrived{Token: uint64(i + 1), Job: CheckJob(r.f.m, r.f.access, job, r.f.now), Stored: r.f.now})
		}
	}
	r.ended.Wait()
	took := time.Since(begin)
	close(r.work)
	close(r.stream)
	workers.Wait()
	return took
}

func (r *replay) step(d *desk, ev Event) {
	r.mu.Lock()
	effects := d.Step(ev)
	r.mu.Unlock()
	for _, effect := range effects {
		switch e := effect.(type) {
		case Compute:
			r.work <- func() { r.step(d, e.Run()) }
		case PublishTask:
			m := r.tasks[e.Subject]
			r.stream <- m
			for _, m := range r.rounds[r.session(m)] {
				r.stream <- m
			}
		case Finish:
			r.work <- func() {
				if e.Result.Encode(); e.Result.Status != wire.StatusDone {
					panic(e.Result.Error)
				}
				r.step(d, Finished{Flight: e.Flight})
				r.ended.Done()
			}
		}
	}
}

// session is the id of a task's session.
func (r *replay) session(m wire.LogMessage) string {
	body := must(r.f.access.FromGateway(r.f.m, m.Subject, m.Data))
	return wire.ShortID(must(wire.DecodeTask(body, r.f.m)).Session(r.f.m))
}

// hashing is as much work, of which nothing is serial.
func hashing(cores int) time.Duration {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	begin, parts := time.Now(), make(chan int, 64)
	var workers sync.WaitGroup
	for range cores {
		workers.Go(func() {
			data := make([]byte, 1<<20)
			for range parts {
				for range 8 {
					frost.Hash("test", data)
				}
			}
		})
	}
	for i := range 64 {
		parts <- i
	}
	close(parts)
	workers.Wait()
	return time.Since(begin)
}

// BenchmarkSerialWall is the serial share of a gateway that signs, by Amdahl's law: from how long it takes with one
// thread and with two, beside work that divides perfectly. It needs two cores that nobody else wants: where these do
// not make the other work 1.6 times as fast there is nothing to be learned, and nothing is reported.
func BenchmarkSerialWall(b *testing.B) {
	const jobs, rounds = 8, 5
	f := newFleet(b, 2, 3).start()
	f.divide = nil // there are as many jobs as it takes
	f.desk.arrive(f.keygen(1, "alice", "bitcoin", frost.MaxBatch), nil)
	f.drain()
	batch := f.desk.result().Batches[0].ID
	var all []wire.SignedJob
	for j := range jobs {
		var items []wire.JobItem
		for k := range frost.MaxBatch {
			items = append(items, item(batch, k, fmt.Sprint(j, k)))
		}
		all = append(all, f.signing(j+2, "alice", items...))
		f.desk.arrive(all[j], nil)
		f.drain()
	}
	r := recorded(f)
	one, two, plainOne, plainTwo := time.Hour, time.Hour, time.Hour, time.Hour
	for range rounds {
		one, two = min(one, r.run(all, 1)), min(two, r.run(all, 2))
		plainOne, plainTwo = min(plainOne, hashing(1)), min(plainTwo, hashing(2))
	}
	whole, divided := float64(two)/float64(one), float64(plainTwo)/float64(plainOne)
	b.Logf("%d jobs of %d signatures: %s on one core, %s on two; hashing: %s and %s",
		jobs, frost.MaxBatch, one, two, plainOne, plainTwo)
	if divided > 1/1.6 {
		b.Skip("there are no two cores that nobody else wants")
	}
	b.ReportMetric(100*(whole-divided)/(1-divided), "serial_share_of_wall_percent")
}
