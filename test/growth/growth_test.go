package growth_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// grower is a fleet that grows.
type grower struct {
	*testing.T
	fleet  *fleettest.Processes
	client *client.Client
	keys   int          // that the fleet has
	sample []client.Key // some of them, of all ages
}

// steps is at how many sizes the fleet is looked at, from a hundredth of its
// last one on, by equal factors.
const steps = 5

func TestGrowth(t *testing.T) {
	if *keysFlag < 10_000 {
		t.Fatal("-keys: at least 10000")
	}
	end := func() {}
	if *out != "" {
		var err error
		if end, err = results.Watch("growth", t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	fleet := fleettest.StartProcesses(t, fleettest.Options{})
	fleet.AwaitReady()
	g := &grower{T: t, fleet: fleet, client: fleet.Client()}
	var all []step
	for i := range steps {
		size := int(float64(*keysFlag) * math.Pow(100, float64(i)/(steps-1)-1))
		all = append(all, g.step(size))
	}
	report(all)
	g.restartGateway()
	g.recover()
	end()
	if *out != "" {
		if err := results.Save(*out); err != nil {
			t.Fatal(err)
		}
	}
}

// step is what was measured at one size of the fleet.
type step struct {
	keys             int
	perKey           time.Duration // wall clock
	perKeyCPU        time.Duration // of all processes
	memory           memory        // of the largest worker
	start, startCPU  time.Duration // of a worker that was killed
	signP50, signP99 time.Duration // single signatures
	log, store       int64         // bytes on the disk: KEYS, and a keystore
}

// settle is how long the fleet gets to become idle before single signatures are
// timed: NATS still writes what the keys left.
const settle = 2 * time.Second

// step grows the fleet and looks at it.
func (g *grower) step(size int) (s step) {
	g.Helper()
	probe := *keysFlag / 200 // the same at each step, so that the times compare
	g.grow(size - probe - g.keys)
	start, cpu := time.Now(), g.cpu()
	g.grow(probe)
	s.perKey, s.perKeyCPU = time.Since(start)/time.Duration(probe), (g.cpu()-cpu)/time.Duration(probe)
	s.keys = g.keys
	time.Sleep(settle)
	s.signP50, s.signP99 = g.sign(200)
	for i := range 3 {
		if m := memoryOf(g.T, g.fleet.PID(fleettest.NodeName(i))); m.rss > s.memory.rss {
			s.memory = m
		}
	}
	s.log, s.store = onDisk(g.T, streamDir(g.T, g.fleet.Store, "KEYS")), onDisk(g.T, g.fleet.Storage(0))
	g.fleet.Kill(fleettest.NodeName(0))
	s.start, s.startCPU = g.startNode(0)
	results.Say(
		"%8d keys: %.3f ms a key (%.3f ms of CPU), %s, start %.2f s (%.2f s of CPU), signature p50 %.1f p99 %.1f ms, disk a key: KEYS %d, keystore %d B",
		s.keys,
		ms(s.perKey),
		ms(s.perKeyCPU),
		s.memory,
		s.start.Seconds(),
		s.startCPU.Seconds(),
		ms(s.signP50),
		ms(s.signP99),
		s.log/int64(s.keys),
		s.store/int64(s.keys),
	)
	g.bounded(s.memory)
	return s
}

// sampled is how many keys are kept to sign with, about.
const sampled = 2000

// grow has the fleet make keys, in requests whose answers fit into memory.
func (g *grower) grow(count int) {
	g.Helper()
	for count > 0 {
		n := min(count, 50_000)
		result, err := g.client.Keygen(g.Context(), client.KeygenRequest{Chain: *chain, Count: n, JobKeys: 1000})
		if err != nil {
			g.Fatal(err)
		}
		for i := rand.IntN(len(result.Keys)); i < len(result.Keys); i += max(1, *keysFlag/sampled) {
			g.sample = append(g.sample, result.Keys[i])
		}
		g.keys += n
		count -= n
	}
}

// sign has single messages signed, one after the other, each by some key out
// of all.
func (g *grower) sign(count int) (p50, p99 time.Duration) {
	g.Helper()
	took := make([]time.Duration, count)
	for i := range took {
		k := g.sample[rand.IntN(len(g.sample))]
		message := sha256.Sum256(fmt.Append(nil, g.keys, i))
		item := client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message[:]}
		start := time.Now()
		if _, err := g.client.Sign(g.Context(), client.SignRequest{Items: []client.SignItem{item}}); err != nil {
			g.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[count/2], took[count*99/100]
}

// startNode starts a node and waits until it is ready.
func (g *grower) startNode(i int) (took, cpu time.Duration) {
	g.Helper()
	start := time.Now()
	g.fleet.StartNode(i)
	g.await("a node to get ready", 10*time.Minute, func() bool { ready, _ := g.fleet.Ready(i); return ready })
	return time.Since(start), cpuOf(g.T, g.fleet.PID(fleettest.NodeName(i)))
}

func (g *grower) await(what string, limit time.Duration, reached func() bool) {
	g.Helper()
	for deadline := time.Now().Add(limit); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// restartGateway: a gateway that starts signs with any key at once, looking it up
// unasked, and makes keys once it has read the record.
func (g *grower) restartGateway() {
	g.Helper()
	g.fleet.Kill(fleettest.GatewayName)
	start := time.Now()
	g.fleet.StartGateway()
	g.sign(1)
	first := time.Since(start)
	g.await("the gateway's directory", 10*time.Minute, func() bool {
		return strings.Contains(g.fleet.Log(fleettest.GatewayName), "key directory complete")
	})
	all, pid := time.Since(start), g.fleet.PID(fleettest.GatewayName)
	m := memoryOf(g.T, pid)
	results.Say("%d keys: a gateway's first signature %.2f s after its start, its directory complete after %.1f s (%.1f s of CPU), %s",
		g.keys, first.Seconds(), all.Seconds(), cpuOf(g.T, pid).Seconds(), m)
	at := sizeName(g.keys)
	results.RecordSpeed("gateway_first_signature_seconds"+at, first.Seconds(), "s", fmt.Sprintf("<= %d", maxStart))
	results.Record("gateway_directory_seconds"+at, all.Seconds(), "s", "")
	results.Record("gateway_rss_mib"+at, m.rss, "MiB", "")
}

// recover takes a worker's storage away and waits until it has all its keys
// again. That they are the right ones a signature shows in which it takes part.
func (g *grower) recover() {
	g.Helper()
	g.fleet.Kill(fleettest.NodeName(0))
	g.fleet.WipeNode(0)
	start := time.Now()
	g.startNode(0)
	all := fmt.Sprintf("\nfrostfleet_keys %v\n", float64(g.keys))
	g.await("all keys", 10*time.Minute, func() bool { return strings.Contains(g.fleet.Metrics(0), all) })
	took, pid := time.Since(start), g.fleet.PID(fleettest.NodeName(0))
	cpu, m := cpuOf(g.T, pid), memoryOf(g.T, pid)
	results.Say("%d keys recovered in %.2f s: %.3f ms of CPU a key, %s", g.keys, took.Seconds(), ms(cpu)/float64(g.keys), m)
	g.bounded(m)
	g.fleet.Kill(fleettest.NodeName(2)) // the others must do without it
	g.sign(20)
	results.RecordSpeed("recover_keys_per_second", float64(g.keys)/took.Seconds(), "keys/s", ">= 10000")
	results.Record("recover_cpu_ms_per_key", ms(cpu)/float64(g.keys), "ms", "")
	results.Record("recover_peak_rss_mib", m.peak, "MiB", fmt.Sprintf("<= %d", maxMemory))
}

// bounded fails the test if a worker ever needed more than it may. A benchmark
// goes on: its table says so.
func (g *grower) bounded(m memory) {
	if m.peak > maxMemory && *out == "" {
		g.Errorf("a worker needs more than %d MiB: %s", maxMemory, m)
	}
}

var ms = benchreport.Milliseconds
