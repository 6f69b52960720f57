package e2e_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// After one key generation and one signature each metric has the value that
// anybody would expect of it.
func TestMetricsTell(t *testing.T) {
	f := fleettest.StartProcesses(t, fleettest.Options{})
	f.AwaitReady()
	c := f.Client()
	key := oneKey(t, c)
	if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, 1)}}); err != nil {
		t.Fatal(err)
	}
	gateway := settle(t, "gateway", f.GatewayMetrics, samples{
		`ready`:                                  1,
		`check{check="lag"}`:                     1,
		`bus_connected`:                          1,
		`fleet_nodes`:                            3,
		`fleet_threshold`:                        2,
		`keys`:                                   1,
		`jobs_in_work`:                           0,
		`jobs_total{code="done",kind="keygen"}`:  1,
		`jobs_total{code="done",kind="sign"}`:    1,
		`jobs_total{code="expired",kind="sign"}`: 0,
		`job_items_sum{kind="keygen"}`:           1,
		`job_items_sum{kind="sign"}`:             1,
		`job_seconds_count{kind="sign",load="interactive"}`:             1,
		`job_seconds_count{kind="sign",load="bulk"}`:                    0,
		`bus_deliveries_total{durable="gateways-sign"}`:                 1,
		`bus_redeliveries_total{durable="gateways-sign"}`:               0,
		`bus_publishes_total{outcome="ok",stream="RESULTS"}`:            2,
		`bus_stream_stored_total{stream="RESULTS"}`:                     2,
		`bus_consumer_unacknowledged_messages{durable="gateways-sign"}`: 0,
		`bus_follower_lag_messages{stream="KEYS"}`:                      0,
		`bus_follower_lag_messages{stream="ROUNDS_2"}`:                  0,
		`bus_publishes_total{outcome="ok",stream="KEYS"}`:               5, // the manifest, a head, three deals
		`events_total{event="registered"}`:                              1,
	})
	// Rounds follow each other, and the job is the last of them.
	before := 0.0
	for _, round := range []string{
		`rounds_seconds_sum{load="interactive",round="commitments",suite="secp256k1-tr"}`, `rounds_seconds_sum{load="interactive",round="shares",suite="secp256k1-tr"}`,
		`job_seconds_sum{kind="sign",load="interactive"}`,
	} {
		if gateway[round] < before || gateway[round] == 0 {
			t.Errorf("%s is %g, after a round of %g", round, gateway[round], before)
		}
		before = gateway[round]
	}
	var used float64
	for i := range 3 {
		w := settle(t, fleettest.NodeName(i), func() string { return f.Metrics(i) }, samples{
			`ready`:                       1,
			`check{check="key_provider"}`: 1,
			`check{check="keystore"}`:     1,
			`provider_up`:                 1,
			`bus_connected`:               1,
			`keys`:                        1,
			`items_total{event="complete",suite="secp256k1-tr"}`: 1,
			`batch_items_sum{kind="keygen"}`:                     1,
			`aborts_total{code="deal_share",culprit="1"}`:        0,
			`bus_publishes_total{outcome="ok",stream="ROUNDS"}`:  2,
		})
		used += w[`nonces_total{state="used"}`]
		drawn, gone := w[`nonces_total{state="drawn"}`], w[`nonces_total{state="used"}`]+w[`nonces_total{state="dropped"}`]
		if drawn != gone+w[`nonces_held`] {
			t.Errorf("node %d drew %g nonces, %g are used or dropped, and it holds %g", i, drawn, gone, w[`nonces_held`])
		}
		if left := w[`session_key_expires_timestamp_seconds`] - float64(time.Now().Unix()); left < 60 {
			t.Errorf("node %d may speak for another %g s", i, left)
		}
		if free := w[`disk_free_bytes{path="storage"}`]; free <= 0 || free > w[`disk_size_bytes{path="storage"}`] ||
			w[`keystore_bytes`] <= 0 {
			t.Errorf("node %d: %g bytes free, keystore of %g", i, free, w[`keystore_bytes`])
		}
	}
	again := 0.0 // a busy machine may need more than one attempt
	for name, n := range gateway {
		if strings.HasPrefix(name, "retries_total{") {
			again += n
		}
	}
	if used < 2 || again == 0 && used > 2 {
		t.Errorf("%g nonces were used for a signature of two nodes", used)
	}
}

// samples are by their name without prefix, and labels.
type samples map[string]float64

// settle waits until a program's metrics are as they should: a client has its
// answer before everybody is through with the job, and the bus is looked at now
// and then.
func settle(t *testing.T, who string, scrape func() string, want samples) (got samples) {
	t.Helper()
	wrong := func() (names []string) {
		got = samples{}
		for _, m := range regexp.MustCompile(`(?m)^frostfleet_(\S+) (\S+)$`).FindAllStringSubmatch(scrape(), -1) {
			value, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			got[m[1]] = value
		}
		for name, value := range want {
			if v, there := got[name]; !there || v != value {
				names = append(names, name)
			}
		}
		return names
	}
	for deadline := time.Now().Add(2 * lookTime); len(wrong()) > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range wrong() {
		value, there := got[name]
		t.Errorf("%s: %s is %g (there: %t), want %g", who, name, value, there, want[name])
	}
	return got
}

// docs/metrics.md lists what the programs export once they have worked, each
// metric at the programs that have it, and nothing else. Those that some fleets
// have and some do not come last there, and may be missing.
func TestMetricsAreListed(t *testing.T) {
	f := fleettest.StartProcesses(t, fleettest.Options{})
	c := f.Client()
	key := oneKey(t, c)
	if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, 1)}}); err != nil {
		t.Fatal(err)
	}
	f.AwaitReady()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	every, some, found := strings.Cut(string(text), "\n## Only where they apply\n")
	if !found {
		t.Fatal("docs/metrics.md has no section of what some fleets have")
	}
	for i := range 3 {
		compare(t, "worker", rows(t, every), rows(t, some), func() string { return f.Metrics(i) })
	}
	compare(t, "gateway", rows(t, every), rows(t, some), f.GatewayMetrics)
}

// rows gives the metrics of a page by program.
func rows(t *testing.T, text string) map[string]map[string]bool {
	t.Helper()
	listed := map[string]map[string]bool{"worker": {}, "gateway": {}}
	for _, row := range regexp.MustCompile("(?m)^\\| `(frostfleet_[a-z_]+)[^`]*` \\| ([a-z, ]+) \\|").FindAllStringSubmatch(text, -1) {
		for program := range strings.SplitSeq(row[2], ", ") {
			if listed[program] == nil {
				t.Fatalf("%s: no program %q", row[1], program)
			}
			listed[program][row[1]] = true
		}
	}
	return listed
}

// lookTime is how long a program may take to look at its bus for the first time.
const lookTime = time.Minute

func compare(t *testing.T, program string, every, some map[string]map[string]bool, scrape func() string) {
	t.Helper()
	var exported map[string]bool
	missing := func() (names []string) {
		exported = map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (frostfleet_[a-z_]+) `).FindAllStringSubmatch(scrape(), -1) {
			exported[m[1]] = true
		}
		for _, name := range slices.Sorted(maps.Keys(every[program])) {
			if !exported[name] {
				names = append(names, name)
			}
		}
		return names
	}
	for deadline := time.Now().Add(lookTime); len(missing()) > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range missing() {
		t.Errorf("docs/metrics.md lists %s for %s, which does not export it", name, program)
	}
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		if !every[program][name] && !some[program][name] {
			t.Errorf("%s exports %s, which docs/metrics.md does not list for it", program, name)
		}
	}
}
