package bench_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/test/benchreport"
)

// benchDisk takes the time of a write and sync of 4 KiB beside the bus's
// files, which the goal of a single signature counts twice.
func (s *side) benchDisk(b *testing.B) {
	f, err := os.Create(filepath.Join(s.Store, "sync-test"))
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	block := make([]byte, 4096)
	for range 300 {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	results.Record(benchreport.SyncName, benchreport.Milliseconds(benchreport.Percentile(took, .5)), "ms", "")
	results.Record("disk_sync_p99_ms", benchreport.Milliseconds(benchreport.Percentile(took, .99)), "ms", "")
}

const singles = 500

// benchSingle takes the time of jobs of one message, one after the other.
func (s *side) benchSingle(b *testing.B, chain, name, goal50, goal99 string) {
	b.Helper()
	keys := s.keysOf(b, chain)
	var took []time.Duration
	for i := range 50 + singles {
		request := client.SignRequest{Items: items(keys[i:i+1], 1)}
		start := time.Now()
		if _, err := s.client.Sign(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		if i >= 50 { // warm
			took = append(took, time.Since(start))
		}
	}
	results.RecordSpeed(name+"_p50_ms", benchreport.Milliseconds(benchreport.Percentile(took, .5)), "ms", goal50)
	results.RecordSpeed(name+"_p99_ms", benchreport.Milliseconds(benchreport.Percentile(took, .99)), "ms", goal99)
}

const (
	loadedTime = 25 * time.Second
	singleRate = 20 // a second
)

// loadedSize is how many items a bulk job has.
const loadedSize = client.MaxJobItems

// benchLoaded has single messages signed while bulk jobs come at half of the rate at which
// the fleet does them: signatures, or keys. Both loads are open-loop: a job's time
// counts from when it was due. Each has a client of its own, as two users would.
func (s *side) benchLoaded(b *testing.B, bulk, name string) {
	b.Helper()
	keys := s.keysOf(b, "bitcoin")
	if s.bulk[bulk] == 0 { // this part runs alone
		start := time.Now()
		if bulk == "sign" {
			s.sign(b, "bitcoin", 12_000)
		} else {
			s.keygen(b, "bitcoin", 12_000)
		}
		s.bulk[bulk] = 12_000 / time.Since(start).Seconds()
	}
	users := [2]*client.Client{s.Client(), s.Client()}
	signing := func(c *client.Client, count int) func(context.Context, int) (int, error) {
		return func(ctx context.Context, i int) (int, error) {
			_, err := c.Sign(ctx, client.SignRequest{Items: items(keys[i%1000:], count)})
			return count, err
		}
	}
	work := signing(users[0], loadedSize)
	if bulk == "keygen" {
		work = func(ctx context.Context, _ int) (int, error) {
			_, err := users[0].Keygen(ctx, client.KeygenRequest{Chain: "bitcoin", Count: loadedSize})
			return loadedSize, err
		}
	}
	loads := [2]loadgen.Load{
		{Rate: s.bulk[bulk] / 2 / loadedSize, Duration: loadedTime, Do: work},
		{Rate: singleRate, Duration: loadedTime, Do: signing(users[1], 1)},
	}
	var reports [2]*loadgen.Report
	var both sync.WaitGroup
	for i := range loads {
		both.Go(func() {
			var err error
			if reports[i], err = loadgen.Run(b.Context(), loads[i]); err != nil {
				b.Error(err)
			}
		})
	}
	both.Wait()
	for _, r := range reports {
		if b.Failed() || r.Done != r.Started || r.Unstarted > 0 {
			b.Fatalf("not everything was done: %+v", r)
		}
	}
	bulkName := map[string]string{"sign": "loaded_bulk_signatures_per_second", "keygen": "loaded_keygen_keys_per_second"}[bulk]
	results.Record(bulkName, reports[0].ItemsPerSecond, "a second", "")
	results.Record(name+"_p50_ms", reports[1].Latency.P50, "ms", "")
	results.RecordSpeed(name+"_p99_ms", reports[1].Latency.P99, "ms", "<= 12")
}
