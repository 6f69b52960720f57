// Package benchhsm_test is `make bench-hsm`: what key hardware costs a fleet.
//
// Two fleets of real processes run side by side, each 2-of-3 with a bus that
// syncs every write: one on software keys, and one whose nodes have their keys
// in kmstest's KMS, which waits for a set time before it answers. Both are used
// in turn, so that a ratio holds on a machine that has other things to do. The
// time that passes in KMS is injected; nothing here talks to AWS.
//
// In a real fleet every program has a machine of its own. Here five of each fleet
// share this one, so each gets one core (GOMAXPROCS=1): on two, they mostly wake
// each other's threads, which makes a single signature slower.
package benchhsm_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

var out = flag.String("out", "", "write the figures to this file, as JSON")

func TestMain(m *testing.M) {
	flag.Parse()
	end, err := results.Begin("bench_hsm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	end()
	if started {
		if bin, err := fleettest.Build(); err == nil {
			_ = os.RemoveAll(bin)
		}
		if code != 0 {
			*out = "" // not half of the figures
		}
		if err := finish(os.Stderr, *out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// started says that there are programs to remove and figures to show: tests
// alone make none.
var started bool
