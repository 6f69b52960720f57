// Package growth_test grows one fleet of real processes from a hundredth of
// -keys to all of them, and shows at each step that what a user and an operator
// feel stays the same: time per key, memory and start of a worker, a single
// signature. Then one worker loses its storage_path and rebuilds it from the log.
//
// As a test it grows to 20,000 keys. The figures of a large fleet:
//
//	go test -timeout 60m -run TestGrowth ./test/growth -args -keys 1000000 -out "$PWD/bench/result.json"
package growth_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

var (
	out      = flag.String("out", "", "merge the figures into this file, a JSON list")
	keysFlag = flag.Int("keys", 20_000, "how many keys the fleet grows to, at least 10,000")
	chain    = flag.String("chain", "bitcoin", "of which chain: bitcoin or solana")
)

func TestMain(m *testing.M) {
	flag.Parse()
	bin, err := fleettest.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}
