package rules

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scenario is a trouble of half an hour, and the alerts of its cause: "name" or
// "name node".
type scenario struct {
	change  func(fleet)
	firing  []string
	lasts   int      // minutes until all of them are silent after it; 0: 7
	without []string // alerts that the operator left out
}

var scenarios = map[string]scenario{
	"all is well":      {change: func(fleet) {}},
	"a node is killed": {change: func(f fleet) { f.kill(3) }, firing: []string{"FrostfleetNodeDown worker-3"}},
	"a node is started twice, by a supervisor that tries again": {
		change: func(f fleet) { f.set(`frostfleet_node_twins_total{index="2", %s}`, gateway, counter, 0.2) },
		firing: []string{"FrostfleetTwinNodes"}, lasts: 12,
	},
	"programs whose new access list is wrong": {
		change: func(f fleet) {
			for _, program := range []string{worker(1), gateway} {
				f.set(`frostfleet_reload_refused{what="access", %s}`, program, gauge, 1)
				f.set(`frostfleet_check{check="reload", %s}`, program, gauge, 0)
				f.set(`frostfleet_ready{%s}`, program, gauge, 0)
			}
		},
		firing: []string{"FrostfleetFileRefused gateway0", "FrostfleetFileRefused worker-1"},
	},
	"a node that is ready and not heard": {
		change: func(f fleet) { f.unheard(2) },
		firing: []string{"FrostfleetNodeAbsent"},
	},
	"a node whose shares are wrong": {
		change: func(f fleet) {
			f.set(`frostfleet_node_blamed_total{index="2", code="share_wrong", %s}`, gateway, counter, 0.2)
			f.set(`frostfleet_retries_total{kind="sign", culprit="2", %s}`, gateway, counter, 10)
		},
		firing: []string{"FrostfleetNodeBlamed"}, lasts: 12,
	},
	"a node whose deals are wrong": {
		change: func(f fleet) {
			for i := range 4 {
				f.set(`frostfleet_node_blamed_total{index="2", code="deal_share", %s}`, worker(i), counter, 0.2)
				f.set(`frostfleet_aborts_total{code="deal_share", culprit="2", %s}`, worker(i), counter, 0.2)
			}
			f.keygen(0)
		},
		firing: []string{"FrostfleetNodeBlamed"}, lasts: 12,
	},
	"a node that is only slow": {
		change: func(f fleet) { f.set(`frostfleet_retries_total{kind="sign", culprit="2", %s}`, gateway, counter, 10) },
		firing: []string{"FrostfleetSigningRetries"}, lasts: 12,
	},
	"more jobs than the fleet signs": {
		change: func(f fleet) {
			f.set(`frostfleet_queue_wait_seconds{%s}`, gateway, gauge, 200)
			f.set(`frostfleet_bus_clients_at_quota{%s}`, gateway, gauge, 3)
			f.set(`frostfleet_retry_budget{%s}`, gateway, gauge, 0.4)
			f.set(`frostfleet_events_total{event="unserved", %s}`, gateway, counter, 1)
			f.set(`frostfleet_bus_consumer_unacknowledged_messages{durable="gateways-sign", %s}`, gateway, gauge, 2000)
		},
		firing: []string{"FrostfleetOverload"}, lasts: 22,
	},
	"a burst that is over in minutes": {
		change: func(f fleet) {
			wait := make([]float64, phase)
			for k := range 6 {
				wait[k] = 100
			}
			f[`frostfleet_queue_wait_seconds{`+gateway+`}`] = series{wait, gauge, 0, 0, 0}
		},
	},
	"KEYS has lost batches": {
		change: func(f fleet) { f.set(`frostfleet_register_missing_batches{%s}`, gateway, gauge, 12) },
		firing: []string{"FrostfleetRegisterIncomplete"},
	},
	"a damaged copy of KEYS leads": {
		change: func(f fleet) { f.set(`frostfleet_bus_stream_damaged_messages{stream="KEYS", %s}`, gateway, gauge, 2) },
		firing: []string{"FrostfleetRegisterDamaged"},
	},
	"a node of another manifest": {
		change: func(f fleet) { f.set(`frostfleet_node_other_manifest{index="2", %s}`, gateway, gauge, 1) },
		firing: []string{"FrostfleetOtherManifest"},
	},
	"keys do not move to the next manifest": {
		change: func(f fleet) { f.reshare(0) },
		firing: []string{"FrostfleetReshareStuck"},
	},
	"keys move": {change: func(f fleet) { f.reshare(5) }},
	"keys do not move while a node is down": {
		change: func(f fleet) { f.reshare(0); f.kill(3) },
		firing: []string{"FrostfleetNodeDown worker-3"},
	},
	"two manifests follow one": {
		change: func(f fleet) {
			for _, p := range programs {
				f.set(`frostfleet_manifest_fork{%s}`, p, gauge, 1)
			}
			for i := range 4 { // the check lineage
				f.set(`frostfleet_ready{%s}`, worker(i), gauge, 0)
			}
		},
		firing: []string{"FrostfleetFork"},
	},
	"a node whose shares another implementation makes otherwise": {
		change: func(f fleet) {
			f.set(`frostfleet_crosscheck_total{suite="ed25519", result="disagrees", %s}`, worker(1), gauge, 1)
			f.set(`frostfleet_check{check="crosscheck", %s}`, worker(1), gauge, 0)
			f.set(`frostfleet_ready{%s}`, worker(1), gauge, 0)
		},
		firing: []string{"FrostfleetCrosscheck worker-1"},
	},
	"sessions that another implementation does not look at": {
		change: func(f fleet) {
			f.set(`frostfleet_crosscheck_total{suite="ed25519", result="not_comparable", %s}`, worker(1), counter, 1)
		},
		firing: []string{"FrostfleetCrosscheckBlind worker-1"},
		lasts:  42,
	},
	"two nodes": {
		change: func(f fleet) { f.kill(2); f.kill(3) },
		firing: []string{"FrostfleetMarginGone", "FrostfleetNodeDown worker-2", "FrostfleetNodeDown worker-3"},
	},
	"three nodes": {
		change: func(f fleet) { f.kill(1); f.kill(2); f.kill(3); f.signing(0) },
		firing: []string{
			"FrostfleetBelowThreshold",
			"FrostfleetNodeDown worker-1",
			"FrostfleetNodeDown worker-2",
			"FrostfleetNodeDown worker-3",
		},
	},
	"a node comes and goes": {
		change: func(f fleet) { f.flap(3) },
		firing: []string{"FrostfleetNodeFlapping worker-3"},
		lasts:  35,
	},
	"a crash every 10 minutes": {
		change: func(f fleet) { f.crash(2) },
		firing: []string{"FrostfleetRestarting worker-2"},
		lasts:  45,
	},
	"a keystore that fails on three nodes": {
		change: func(f fleet) { f.keystore(1); f.keystore(2); f.keystore(3); f.keygen(0) },
		firing: []string{
			"FrostfleetNodeNotReady worker-1",
			"FrostfleetNodeNotReady worker-2",
			"FrostfleetNodeNotReady worker-3",
		},
	},
	"a slow KMS":        {change: slowKMS, firing: []string{"FrostfleetKeyProviderSlow worker-1"}},
	"a KMS that denies": {change: deniedKMS, firing: []string{"FrostfleetKeyProviderFailing worker-1"}},
	"a KMS that throttles until it is left alone": {
		change: throttledKMS,
		firing: []string{"FrostfleetKeyProviderThrottled worker-1"},
		lasts:  10,
	},
	"KEYS is full": {
		change: func(f fleet) { f.full("KEYS", worker(0), worker(1), worker(2), worker(3)); f.keygen(0) },
		firing: []string{"FrostfleetStreamFull"},
	},
	"KEYS is full, and signing fails for another reason": {
		change: func(f fleet) {
			f.full("KEYS", worker(0), worker(1), worker(2), worker(3))
			f.keygen(0)
			f.set(`frostfleet_jobs_total{kind="sign", code="signing_failed", %s}`, gateway, counter, 20)
		},
		firing: []string{"FrostfleetDeadLetters", "FrostfleetSigningFails", "FrostfleetStreamFull"}, lasts: 45,
	},
	"RESULTS is full": {
		change: func(f fleet) { f.full("RESULTS", gateway); f.keygen(0); f.jam() },
		firing: []string{"FrostfleetStreamFull"},
	},
	"NATS does not store": {
		change: func(f fleet) { f.lost(); f.keygen(0); f.jam() },
		firing: []string{"FrostfleetBusNotWriting"},
	},
	"no disk under an embedded bus": {
		change: func(f fleet) {
			f[`frostfleet_disk_free_bytes{path="bus", `+gateway+`}`] = series{nil, gauge, 50, 0, 50}
			f[`frostfleet_disk_size_bytes{path="bus", `+gateway+`}`] = series{nil, gauge, 100, 100, 100}
			f.lost()
			f.keygen(0)
			f.jam()
		},
		firing: []string{"FrostfleetBusNotWriting", "FrostfleetDiskFilling gateway0"},
	},
	"no sign job ends": {
		change: func(f fleet) {
			f.set(`frostfleet_jobs_total{kind="sign", code="done", %s}`, gateway, counter, 0)
			f.set(`frostfleet_bus_consumer_pending_messages{durable="gateways-sign", %s}`, gateway, gauge, 200)
		},
		firing: []string{"FrostfleetJobsWaiting"},
	},
	"NATS is away": {
		change: func(f fleet) { f.disconnect(); f.signing(0); f.keygen(0) },
		firing: []string{"FrostfleetBusDown"},
	},
	"the gateway with NATS in it is killed": {
		change: func(f fleet) { f.disconnect(); f.gone(gateway) },
		firing: []string{"FrostfleetNoGateway"},
	},
	"NATS is away from an operator's own worker": {
		change: func(f fleet) {
			maps.DeleteFunc(f, func(name string, _ series) bool { return !strings.Contains(name, worker(2)) })
			f.set(`frostfleet_check{check="bus", %s}`, worker(2), gauge, 0)
			f.set(`frostfleet_ready{%s}`, worker(2), gauge, 0)
		},
		firing:  []string{"FrostfleetNodeNotReady worker-2"},
		without: []string{"FrostfleetMarginGone", "FrostfleetBelowThreshold", "FrostfleetUnwatched"}, // as the runbook says
	},
	"the workers are no targets": {
		change: func(f fleet) {
			for i := range 4 {
				f.forget(worker(i))
			}
		},
		firing: []string{"FrostfleetUnwatched"},
	},
	"a fleet is dropped beside another": {
		change: func(f fleet) {
			for _, p := range programs {
				f.forget(p)
			}
			for name, s := range well() {
				f[strings.Replace(name, `fleet="main"`, `fleet="other"`, 1)] = s
			}
		},
		firing: []string{"FrostfleetUnwatched"},
	},
}

// without gives the rules but for some alerts.
func without(t *testing.T, alerts []string) (pattern string) {
	t.Helper()
	dir := t.TempDir()
	for _, path := range glob(t, "rules/*.yml") {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, rule := range regexp.MustCompile(`(?m)^      - `).Split(string(text), -1) {
			name, _, _ := strings.Cut(strings.TrimPrefix(rule, "alert: "), "\n")
			if !slices.Contains(alerts, name) {
				kept = append(kept, rule)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(strings.Join(kept, "      - ")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.yml")
}

// flap has a node that is away for 90 of 120 seconds.
func (f fleet) flap(i int) {
	f.cycle(worker(i), func(k int) bool { return k%4 < 3 })
	f.keygen(0)
	f.set(fmt.Sprintf(`frostfleet_retries_total{kind="sign", culprit="%d", %%s}`, i), gateway, counter, 10)
}

// crash has a node that begins anew every ten minutes.
func (f fleet) crash(i int) {
	f.cycle(worker(i), func(k int) bool { return k%20 == 0 })
	name := fmt.Sprintf(`process_start_time_seconds{%s}`, worker(i))
	s := f[name]
	for k := range s.during {
		if !math.IsNaN(s.during[k]) {
			s.during[k] += float64(k/20 + 1)
		}
	}
	s.after = s.during[phase-1]
	f[name] = s
}

// cycle takes a program away at some of the samples of the trouble.
func (f fleet) cycle(program string, away func(sample int) bool) {
	for name, s := range f {
		if !strings.Contains(name, program) || s.kind != gauge {
			continue
		}
		gone := math.NaN()
		if strings.HasPrefix(name, "up{") {
			gone = 0
		}
		s.during = make([]float64, phase)
		for k := range s.during {
			if s.during[k] = s.before; away(k) {
				s.during[k] = gone
			}
		}
		f[name] = s
	}
}

// forget takes a program out of the targets.
func (f fleet) forget(program string) {
	f.gone(program)
	f.set(`up{%s}`, program, gauge, math.NaN())
}

// keystore has a node that cannot write: it signs, and makes no keys.
func (f fleet) keystore(i int) {
	f.set(`frostfleet_check{check="keystore", %s}`, worker(i), gauge, 0)
	f.set(`frostfleet_ready{%s}`, worker(i), gauge, 0)
}

// lost has a NATS that does not answer those who write to its disk.
func (f fleet) lost() {
	f[`frostfleet_bus_publishes_total{stream="RESULTS", outcome="ok", `+gateway+`}`] = series{nil, counter, 100, 0, 100}
	f.set(`frostfleet_bus_publishes_total{stream="RESULTS", outcome="unknown", %s}`, gateway, counter, 5)
}

func throttledKMS(f fleet) {
	f.set(`frostfleet_provider_call_seconds_count{provider="aws-kms", operation="sign", outcome="throttled", %s}`, worker(1), counter, 40)
	f.keygen(0)
	for _, name := range []string{`frostfleet_provider_up{%s}`, `frostfleet_check{check="key_provider", %s}`, `frostfleet_ready{%s}`} {
		f.set(name, worker(1), gauge, 1)
		name = fmt.Sprintf(name, worker(1))
		s := f[name]
		s.during = []float64{1, 0, 1, 1}
		f[name] = s
	}
}

func slowKMS(f fleet) {
	f.provider(1, "1.0", 0) // every signature takes over a second
	f.keygen(2)
	f.set(`frostfleet_retries_total{kind="keygen", culprit="none", %s}`, gateway, counter, 0.1)
}

func deniedKMS(f fleet) {
	for _, check := range []string{"key_provider", "worker"} {
		f.set(`frostfleet_check{check="`+check+`", %s}`, worker(1), gauge, 0)
	}
	f.set(`frostfleet_ready{%s}`, worker(1), gauge, 0)
	f.set(`frostfleet_provider_up{%s}`, worker(1), gauge, 0)
	f.set(`frostfleet_provider_failing{reason="denied", %s}`, worker(1), gauge, 1)
	f.set(`frostfleet_session_key_expires_timestamp_seconds{%s}`, worker(1), gauge, 0)
	f.keygen(0)
}

// kill takes a node away: it is not scraped, and no key can be generated.
func (f fleet) kill(i int) {
	f.gone(worker(i))
	f.unheard(i)
	f.keygen(0)
	f.set(fmt.Sprintf(`frostfleet_retries_total{kind="sign", culprit="%d", %%s}`, i), gateway, counter, 1)
}

// unheard has gateways hear nothing of a node.
func (f fleet) unheard(i int) {
	f.set(fmt.Sprintf(`frostfleet_node_present{index="%d", %%s}`, i), gateway, gauge, 0)
}

// gone ends all series of a program but up, which is 0.
func (f fleet) gone(program string) {
	for name, s := range f {
		if strings.Contains(name, program) {
			s.trouble = math.NaN()
			f[name] = s
		}
	}
	f.set(`up{%s}`, program, gauge, 0)
}

// reshare has keys that are to move, and sets how many do in 30 seconds.
func (f fleet) reshare(rate float64) {
	f.set(`frostfleet_reshare_running{%s}`, gateway, gauge, 1)
	f.set(`frostfleet_reshare_left_keys{%s}`, gateway, gauge, 5000)
	f.set(`frostfleet_items_total{event="reshared", suite="ed25519", %s}`, gateway, counter, rate)
}

// disconnect takes NATS away from every program.
func (f fleet) disconnect() {
	for _, program := range programs {
		f.set(`frostfleet_check{check="bus", %s}`, program, gauge, 0)
		f.set(`frostfleet_ready{%s}`, program, gauge, 0)
		f.set(`frostfleet_bus_clock_offset_seconds{%s}`, program, gauge, math.NaN())
		f.set(`frostfleet_bus_publishes_total{stream="SIGN", outcome="no_stream", %s}`, program, counter, 5)
	}
}

// full has a stream at its limit, and its writers refused.
func (f fleet) full(stream string, writers ...string) {
	f[`frostfleet_bus_stream_bytes{stream="`+stream+`", `+gateway+`}`] = series{nil, gauge, 50, 100, 50}
	f[`frostfleet_bus_stream_limit_bytes{stream="`+stream+`", `+gateway+`}`] = series{nil, gauge, 1000, 100, 1000}
	for _, w := range writers {
		f.set(`frostfleet_bus_publishes_total{stream="`+stream+`", outcome="busy", %s}`, w, counter, 5)
	}
}

// keygen sets the rate of keygen jobs that end; if none does, they pile up, and
// some are given up.
func (f fleet) keygen(rate float64) {
	f.set(`frostfleet_jobs_total{kind="keygen", code="done", %s}`, gateway, counter, rate)
	if rate == 0 {
		f.set(`frostfleet_bus_consumer_unacknowledged_messages{durable="gateways-keygen", %s}`, gateway, gauge, 300)
		f.set(`frostfleet_jobs_total{kind="keygen", code="keygen_failed", %s}`, gateway, counter, 0.2)
	}
}

// signing sets the rate of sign jobs that end.
func (f fleet) signing(rate float64) {
	f.set(`frostfleet_jobs_total{kind="sign", code="done", %s}`, gateway, counter, rate)
	f.set(`frostfleet_job_seconds_count{kind="sign", load="interactive", %s}`, gateway, counter, rate)
	f.set(`frostfleet_job_seconds_bucket{kind="sign", load="interactive", le="0.25", %s}`, gateway, counter, rate)
	if rate == 0 {
		f.set(`frostfleet_bus_consumer_unacknowledged_messages{durable="gateways-sign", %s}`, gateway, gauge, 2048)
		f.set(`frostfleet_jobs_total{kind="sign", code="signing_failed", %s}`, gateway, counter, 100)
		f.set(`frostfleet_retries_total{kind="sign", culprit="none", %s}`, gateway, counter, 20)
		f.set(`frostfleet_bus_redeliveries_total{durable="gateways-sign", %s}`, gateway, counter, 50)
	}
}

// jam has sign jobs that end all at once after the trouble, each far too late.
func (f fleet) jam() {
	f.signing(0)
	f.set(`frostfleet_jobs_total{kind="sign", code="signing_failed", %s}`, gateway, counter, 0)
	for name, s := range f {
		if strings.HasPrefix(name, "frostfleet_job_seconds_count") {
			s.kind = jump
			f[name] = s
		}
	}
}
