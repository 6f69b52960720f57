// Package bench_test is `make bench`: what a fleet of real processes does on
// this machine, and how near that is to what the mathematics allows.
//
// The fleet is 2-of-3: three workers, a gateway and a bus that syncs every
// write, each a process of its own, with software keys. Everything that a user
// waits for is in the figures, the client's own checks included, and the
// client shares the machine with the fleet. Beside each throughput stands the
// ideal (primitives_test.go), measured in turns with it. What the machine was like
// while a figure was measured stands beside that, too (test/fitness).
//
// Parts run alone: go test -run '^$' -bench Fleet/single -benchtime 1x ./test/bench
package bench_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

var (
	out = flag.String("out", "", "merge the figures into this file, a JSON list")
	// A program takes a thread more than there are cores. In a real fleet it has a
	// machine of its own; here five share one, and with one thread each a single
	// signature takes a tenth less time, but beside bulk work ten times as much.
	procs    = flag.Int("procs", 0, "GOMAXPROCS of the fleet's programs; 0: as they set it themselves")
	floorFor = flag.String("floor", "", "be one core that does this work, for the benchmark that starts it")
)

var results = benchreport.New()

func TestMain(m *testing.M) {
	flag.Parse()
	if *floorFor != "" {
		os.Exit(serveFloor(*floorFor))
	}
	end, err := results.Begin("bench")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	end()
	if built {
		if bin, err := fleettest.Build(); err == nil {
			_ = os.RemoveAll(bin)
		}
	}
	if err := finish(code); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// built says that there are programs to remove.
var built bool

// finish shows the figures, of a failed run too, and keeps those of one that
// did not fail. A missed goal is no failure: the table says it.
func finish(code int) error {
	figures := results.Figures()
	if len(figures) == 0 {
		return nil
	}
	if err := benchreport.Print(os.Stderr, figures); err != nil {
		return err
	}
	if code != 0 || *out == "" {
		return nil
	}
	return results.Save(*out)
}

func serveFloor(name string) int {
	measured, err := floorInChild(name)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
