package bench_test

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// reshared is how many keys there are: some move while single signatures are asked for, one
// after the other, and the others while the fleet has nothing else to do.
const reshared = 30_000

// singlesInTurn is how many single signatures are asked for at a time.
const singlesInTurn = 200

// resharing is a fleet whose keys move from three nodes to three others.
type resharing struct {
	*side
	next *fleettest.Next

	command chan error // how frostctl fleet reshare ends
}

// benchReshare is on a fleet of its own: others are left as they were founded.
func benchReshare(b *testing.B) {
	r := &resharing{side: startSide(b, fleettest.Options{}, 3)}
	r.keysOf(b, "bitcoin") // warm; they move too
	r.sign(b, "bitcoin", 2000)
	start := time.Now()
	r.keygen(b, "bitcoin", reshared)
	keygen := reshared / time.Since(start).Seconds()
	r.next = r.PrepareNext(3, 2)
	var idle, during []time.Duration
	for range rounds { // in turns, for a machine that has other things to do
		idle = append(idle, r.singles(b)...)
		r.begin(b)
		during = append(during, r.singles(b)...)
		r.pause(b)
	}
	under := r.moved(b)
	if under == 0 || under >= reshared*3/4 {
		b.Fatalf("%d keys moved while single signatures were made: nothing can be told of it", under)
	}

	r.begin(b)
	from := r.await(b, under+2000) // the first batches are under way
	calls, before, start := r.deviceCalls(b), r.usage(b), time.Now()
	count := r.await(b, reshared) - from
	took, used := time.Since(start), r.usage(b).minus(before)
	rate, most := float64(count)/took.Seconds(), 0.
	for i, sum := range r.deviceCalls(b) {
		most = max(most, sum-calls[i])
	}
	results.Say("%d keys moved in %.1f s (the same fleet made %.0f a second); CPU µs each: %s, all %.0f", count, took.Seconds(),
		keygen, used.per(count), float64(used.total().Microseconds())/float64(count))
	r.await(b, r.count())
	if err := <-r.command; err != nil {
		b.Fatal(err)
	}
	r.sign(b, "bitcoin", 2000) // with the new nodes
	p99 := [2]time.Duration{benchreport.Percentile(idle, .99), benchreport.Percentile(during, .99)}
	results.Say("single signatures, one after the other: p50 %s, p99 %s on the idle fleet; p50 %s, p99 %s while %d keys moved",
		benchreport.Percentile(idle, .5), p99[0], benchreport.Percentile(during, .5), p99[1], under)
	results.Record("reshare_keys_per_second", rate, "a second", "")
	results.Record("reshare_ratio_to_keygen", rate/keygen, "ratio", ">= 0.8")
	results.Record("reshare_device_calls_per_1000_keys", most/float64(count)*1000, "calls a node", "<= 3")
	results.Record("reshare_single_sign_p99_ratio", float64(p99[1])/float64(p99[0]), "ratio", "<= 2")
}

// count is how many keys there are to move.
func (r *resharing) count() int { return len(r.keys["bitcoin"]) + reshared }

// begin returns as soon as keys move, or go on with it.
func (r *resharing) begin(b *testing.B) {
	b.Helper()
	ended := make(chan error, 1)
	go func() { ended <- r.next.Reshare("--resume") }()
	r.command = ended
	for r.gauge(b, "frostfleet_reshare_running") == 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// pause returns when no batch is under way any more.
func (r *resharing) pause(b *testing.B) {
	b.Helper()
	if err := r.next.Reshare("--pause"); err != nil {
		b.Fatal(err)
	}
	if err := <-r.command; err != nil {
		b.Fatal(err)
	}
	for r.gauge(b, "frostfleet_reshare_running") > 0 || r.gauge(b, "frostfleet_reshare_in_flight_batches") > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// await waits until so many keys have moved, and returns how many that are.
func (r *resharing) await(b *testing.B, want int) (moved int) {
	b.Helper()
	for moved = r.moved(b); moved < want; moved = r.moved(b) {
		time.Sleep(50 * time.Millisecond)
	}
	return moved
}

func (r *resharing) moved(b *testing.B) int { return int(r.gauge(b, "frostfleet_reshare_moved_keys")) }

func (r *resharing) gauge(b *testing.B, name string) float64 {
	b.Helper()
	return sumOf(b, r.GatewayMetrics(), name)
}

// sumOf adds up the samples of a metric.
func sumOf(b *testing.B, text, name string) (sum float64) {
	b.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(text, -1)
	if found == nil {
		b.Fatalf("no %s in %d bytes of metrics", name, len(text))
	}
	for _, sample := range found {
		value, err := strconv.ParseFloat(sample[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += value
	}
	return sum
}

// deviceCalls are those of each node so far, of the old ones and then the new ones.
func (r *resharing) deviceCalls(b *testing.B) (all []float64) {
	b.Helper()
	for i := range r.nodes {
		all = append(all, sumOf(b, r.Metrics(i), "frostfleet_provider_call_seconds_count"))
	}
	for _, j := range r.next.Joiners {
		all = append(all, sumOf(b, r.MetricsOf(j), "frostfleet_provider_call_seconds_count"))
	}
	return all
}

// usage is that of the new nodes, too.
func (r *resharing) usage(b *testing.B) usage {
	b.Helper()
	u := r.side.usage(b)
	for _, j := range r.next.Joiners {
		u.nodes += cpuOf(b, r.PID(j.Name))
	}
	return u
}

// singles asks for one signature after the other.
func (r *resharing) singles(b *testing.B) (took []time.Duration) {
	b.Helper()
	keys := r.keysOf(b, "bitcoin")
	for i := range singlesInTurn {
		request := client.SignRequest{Items: items(keys[i%len(keys):], 1)}
		start := time.Now()
		if _, err := r.client.Sign(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return took
}
