package bench_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// Keys of the resharing: the first are moved by a fleet that has nothing else to do, and
// the rest while single signatures are asked for one after the other. Those that never
// moved before take the place of a warm fleet in both.
const (
	resharedAlone = 15_000
	resharedUnder = 5_000
	leastSingles  = 100
)

// resharing is a fleet whose keys move from three nodes to three others.
type resharing struct {
	*side
	next []fleettest.Joiner
	file string // of the next manifest
}

// benchReshare is on a fleet of its own: others are left as they were founded.
func benchReshare(b *testing.B) {
	r := &resharing{side: startSide(b, fleettest.Options{}, 3)}
	r.keysOf(b, "bitcoin") // warm; they move too
	start := time.Now()
	r.keygen(b, "bitcoin", resharedAlone+resharedUnder)
	keygen := (resharedAlone + resharedUnder) / time.Since(start).Seconds()
	r.prepare(b)
	idle := r.singles(b, func(done int) bool { return done < singles })

	calls, before, start := r.deviceCalls(b), r.usage(b), time.Now()
	r.pace(b)
	alone := r.await(b, resharedAlone)
	took, used := time.Since(start), r.usage(b).minus(before)
	calls = r.deviceCalls(b) - calls
	rate := float64(alone) / took.Seconds()
	results.Say("%d keys moved in %.1f s (the same fleet made %.0f a second); CPU µs each: %s (old and new nodes), all %.0f",
		alone, took.Seconds(), keygen, used.per(alone), float64(used.total().Microseconds())/float64(alone))

	during := r.singles(b, func(int) bool { return r.moved(b) < resharedAlone+resharedUnder })
	r.await(b, 2000+resharedAlone+resharedUnder)
	r.sign(b, "bitcoin", 2000) // with the new nodes
	results.Record("reshare_keys_per_second", rate, "a second", "")
	results.Record("reshare_ratio_to_keygen", rate/keygen, "ratio", ">= 0.8")
	results.Record("reshare_device_calls_per_1000_keys", calls/float64(2*r.nodes)/float64(alone)*1000, "calls a node", "<= 3")
	results.Say("single signatures, one after the other: p99 %.1f ms of %d on the idle fleet, %.1f ms of %d during a resharing",
		benchreport.Milliseconds(benchreport.Percentile(idle, .99)), len(idle),
		benchreport.Milliseconds(benchreport.Percentile(during, .99)), len(during))
	if len(during) < leastSingles {
		b.Fatalf("only %d signatures during the resharing", len(during))
	}
	results.Record("reshare_single_sign_p99_ratio", float64(benchreport.Percentile(during, .99))/
		float64(benchreport.Percentile(idle, .99)), "ratio", "<= 2")
}

// prepare starts the next nodes, and does all that comes before the keys move.
func (r *resharing) prepare(b *testing.B) {
	b.Helper()
	r.file = filepath.Join(r.Dir, fleet.NextFile)
	now := filepath.Join(r.Dir, fleet.ManifestFile)
	prepare := []string{"fleet", "next", "prepare", "--manifest", now, "--threshold", "2", "--out", r.file}
	for i := range r.nodes {
		j := r.Join(fleettest.Joiner{Name: fmt.Sprint("next", i), Index: i, N: 3, T: 2, Manifest: fleet.NextFile})
		r.Do("frost-worker", "provision", "--config", j.File)
		card := filepath.Join(r.Dir, fmt.Sprintf("card%d.json", i))
		text := r.Do("frost-worker", "enroll", "--config", j.File, "--fleet", fleettest.Name, "--epoch", "2")
		if err := os.WriteFile(card, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		prepare, r.next = append(prepare, card), append(r.next, j)
	}
	r.Do("frostctl", prepare...)
	for i := range r.nodes {
		r.Do("frost-worker", "accept-manifest", r.file, "--config", filepath.Join(r.Dir, fleet.NodeFile(i)), "--yes")
	}
	for _, j := range r.next {
		r.StartJoiner(j)
	}
	// The command has the manifest take over as it begins; a pause leaves the keys where they are.
	r.Pace(b, "--pause")
}
