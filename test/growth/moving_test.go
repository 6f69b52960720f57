package growth_test

import (
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

var moveFlag = flag.Int("move", 0, "how many keys TestMoving moves to other nodes; 0: it is skipped")

// TestMoving has all keys of a fleet move to three other nodes, and looks at the memory of
// every program after a tenth, a half and all of them.
func TestMoving(t *testing.T) {
	if *moveFlag == 0 {
		t.Skip("a long form: -move 100000")
	}
	fleet := fleettest.StartProcesses(t, fleettest.Options{})
	fleet.AwaitReady()
	g := &grower{T: t, fleet: fleet, client: fleet.Client()}
	g.grow(*moveFlag)
	next := fleet.PrepareNext(3, 2)
	g.look(next, 0)
	start, ended := time.Now(), make(chan error, 1)
	go func() { ended <- next.Reshare() }()
	for _, share := range []int{10, 2, 1} {
		for g.moved() < *moveFlag/share {
			time.Sleep(50 * time.Millisecond)
		}
		worker, gateway := g.look(next, g.moved())
		at := fmt.Sprintf("_after_%dk_of_%dk_keys_moved", *moveFlag/share/1000, *moveFlag/1000)
		results.Record("worker_own_mib"+at, worker.anonymous, "MiB", "")
		results.Record("gateway_own_mib"+at, gateway.anonymous, "MiB", "")
		g.bounded(worker)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	results.Say("%d keys moved in %.1f s", *moveFlag, time.Since(start).Seconds())
	if *out != "" {
		if err := results.Save(*out); err != nil {
			t.Fatal(err)
		}
	}
}

// look says what memory each program takes after so many keys have moved, and returns that of
// the worker that needs most of its own, and the gateway's.
func (g *grower) look(next *fleettest.Next, moved int) (worker, gateway memory) {
	g.Helper()
	of := func(name string) memory {
		m := memoryOf(g.T, g.fleet.PID(name))
		results.Say("%7d keys moved: %s %s", moved, name, m)
		return m
	}
	names := []string{fleettest.NodeName(0), fleettest.NodeName(1), fleettest.NodeName(2)}
	for _, j := range next.Joiners {
		names = append(names, j.Name)
	}
	for _, name := range names {
		if m := of(name); m.anonymous > worker.anonymous {
			worker = m
		}
	}
	return worker, of(fleettest.GatewayName)
}

var movedKeys = regexp.MustCompile(`(?m)^frostfleet_reshare_moved_keys(?:\{[^}]*\})? (\S+)$`)

// moved is how many keys have moved, as the gateway counts.
func (g *grower) moved() (sum int) {
	g.Helper()
	for _, sample := range movedKeys.FindAllStringSubmatch(g.fleet.GatewayMetrics(), -1) {
		value, err := strconv.ParseFloat(sample[1], 64)
		if err != nil {
			g.Fatal(err)
		}
		sum += int(value)
	}
	return sum
}
