package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
)

var someone = keyprovider.Prices{Sign: 0.15, Derive: 0.03, PublicKey: 0.15, Describe: 0.03, KeyMonth: 1, Keys: 2}

// backend is that of a type.
func backend(name string) keyprovider.Backend {
	all := backends.All()
	return all[slices.IndexFunc(all, func(b keyprovider.Backend) bool { return b.Type == name })]
}

func newProvider(name string, p keyprovider.Prices) (*Metrics, *prometheus.Registry) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r, worker0)
	m.ForProvider(backend(name), p)
	return m, r
}

func TestProviderSeriesFromTheStart(t *testing.T) {
	for _, b := range backends.All() {
		name, operations := b.Type, b.Operations
		_, r := newProvider(name, someone)
		want := map[string]float64{
			"provider_up{}":                      1,
			"provider_circuit_open{}":            0,
			"provider_failing{reason=disabled}":  0,
			"provider_failing{reason=timeout}":   0,
			"provider_cache_total{result=hit}":   0,
			"provider_cache_total{result=miss}":  0,
			"provider_coalesced_digests{} count": 0,
			"provider_cost_usd_total{}":          0,
			"provider_month_usd{}":               2,
		}
		for _, operation := range operations {
			want[fmt.Sprintf("provider_call_seconds{operation=%s,outcome=ok,provider=%s} count", operation, name)] = 0
		}
		wantSamples(t, r, want)
		for sample := range read(t, r) {
			if _, wanted := want[sample]; !wanted && strings.HasPrefix(sample, "provider_call_seconds") &&
				strings.HasSuffix(sample, "count") {
				t.Errorf("a series of %s that it does not need: %s", name, sample)
			}
		}
	}
	gateway := prometheus.NewRegistry()
	NewMetrics(gateway, gateway0)
	for sample := range read(t, gateway) {
		if strings.Contains(sample, "provider") || strings.HasPrefix(sample, "provider_up{") {
			t.Errorf("a program without provider has %s", sample)
		}
	}
}

func TestProviderCalls(t *testing.T) {
	m, r := newProvider("aws-kms", someone)
	for _, c := range []keyprovider.Call{
		{Operation: keyprovider.OpSign, Took: 20 * time.Millisecond},
		{Operation: keyprovider.OpSign, Took: 30 * time.Millisecond},
		{Operation: keyprovider.OpSign, Took: time.Second, Err: &keyprovider.Error{Reason: keyprovider.Throttled}},
		{Operation: keyprovider.OpDerive, Took: 5 * time.Second, Err: fmt.Errorf("x: %w", context.DeadlineExceeded)},
		{Operation: "reset " + strings.Repeat("x", 99), Err: &keyprovider.Error{Reason: "bored"}}, // labels stay bounded
	} {
		m.ProviderCall(c)
	}
	m.ProviderCached(true)
	m.ProviderCached(true)
	m.ProviderCached(false)
	for _, n := range []int{1, 3, 1024} {
		m.ProviderCoalesced(n)
	}
	wantSamples(t, r, map[string]float64{
		"provider_call_seconds{operation=sign,outcome=ok,provider=aws-kms} count":        2,
		"provider_call_seconds{operation=sign,outcome=ok,provider=aws-kms} sum":          .05,
		"provider_call_seconds{operation=sign,outcome=ok,provider=aws-kms} le 0.025":     1,
		"provider_call_seconds{operation=sign,outcome=throttled,provider=aws-kms} count": 1,
		"provider_call_seconds{operation=derive,outcome=timeout,provider=aws-kms} sum":   5,
		"provider_call_seconds{operation=other,outcome=other,provider=aws-kms} count":    1,
		"provider_cache_total{result=hit}":                                               2,
		"provider_cache_total{result=miss}":                                              1,
		"provider_coalesced_digests{} count":                                             3,
		"provider_coalesced_digests{} sum":                                               1028,
		"provider_coalesced_digests{} le 1":                                              1,
		"provider_coalesced_digests{} le 2":                                              1,
		"provider_coalesced_digests{} le 4":                                              2,
		"provider_coalesced_digests{} le 1024":                                           3,
		"provider_cost_usd_total{}":                                                      (3*.15 + .03) / 10_000, // failed ones too, unknown ones not
	})
	if use := m.DeviceUse(); use.Kind != "aws-kms" || use.Calls != 5 || use.Cost != 48 || use.Month < 2_000_000 {
		t.Errorf("heartbeats tell %+v", use)
	}
}

func TestProviderState(t *testing.T) {
	m, r := newProvider("pkcs11", keyprovider.Prices{})
	disabled := &keyprovider.Error{Reason: keyprovider.Disabled}
	for _, test := range []struct {
		err     error
		up      float64
		circuit float64
		reason  string
	}{
		{nil, 1, 0, ""},
		{&keyprovider.Error{Reason: keyprovider.Timeout}, 0, 0, "timeout"},
		{disabled, 0, 0, "disabled"},
		{&keyprovider.Error{Reason: keyprovider.CircuitOpen, Err: disabled}, 0, 1, "disabled"},
		{errors.New("x"), 0, 0, "other"},
		{&keyprovider.Error{Reason: "bored"}, 0, 0, "other"},
		{nil, 1, 0, ""},
	} {
		m.ProviderState(test.err)
		wantSamples(t, r, map[string]float64{"provider_up{}": test.up, "provider_circuit_open{}": test.circuit})
		var reasons []string
		for sample, value := range read(t, r) {
			if reason, ok := strings.CutPrefix(sample, "provider_failing{reason="); ok && value == 1 {
				reasons = append(reasons, strings.TrimSuffix(reason, "}"))
			}
		}
		if got := strings.Join(reasons, " "); got != test.reason {
			t.Errorf("%v: failing because of %q, want %q", test.err, got, test.reason)
		}
	}
}

// TestSetPrices: calls cost what they do when they are made, and the keys are as many.
func TestSetPrices(t *testing.T) {
	m, r := newProvider("aws-kms", someone)
	m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpSign})
	m.SetPrices(keyprovider.Prices{Sign: 100, KeyMonth: 3})
	m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpSign})
	m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpDerive})
	wantSamples(t, r, map[string]float64{"provider_cost_usd_total{}": 100.15 / 10_000})
	m, r = newProvider("aws-kms", someone)
	m.SetPrices(keyprovider.Prices{KeyMonth: 3})
	wantSamples(t, r, map[string]float64{"provider_month_usd{}": 6})
}

// TestReloads: what is refused is told, by what it is.
func TestReloads(t *testing.T) {
	_, r := full(t, gateway0)
	wantSamples(t, r, map[string]float64{"reload_refused{what=access}": 1, "reload_refused{what=config}": 0})
}

// TestMonth: what a month costs if it is all like the last hour.
func TestMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newProvider("aws-kms", someone)
		sign := func(n int) {
			for range n {
				m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpSign})
			}
		}
		at := func(what string, usd float64) {
			t.Helper()
			if got := read(t, r)["provider_month_usd{}"]; math.Abs(got-usd) > 1e-9 {
				t.Errorf("%s: %v USD a month, want %v", what, got, usd)
			}
		}
		const call = .15 / 10_000
		at("nothing yet", 2)
		sign(8)
		at("the start counts as a minute", 2+8*60*730*call)
		time.Sleep(10 * time.Minute)
		at("ten minutes", 2+8*6*730*call)
		time.Sleep(49*time.Minute + 59*time.Second)
		at("an hour less a second", 2+8*730*call*3600/3599)
		time.Sleep(time.Second)
		at("the start is an hour ago", 2)
		for range 200 {
			sign(10)
			time.Sleep(time.Minute)
		}
		at("ten a minute", 2+590*call*730*60/59)
		time.Sleep(30 * time.Second)
		at("and nothing for half a minute", 2+590*call*730*60/59.5)
		time.Sleep(24 * time.Hour)
		at("a day later", 2)
		sign(1)
		time.Sleep(30 * time.Minute)
		at("one call within the hour", 2+call*730*60/59.5)
		wantSamples(t, r, map[string]float64{"provider_cost_usd_total{}": 2009 * call})
	})
}

func TestProviderMetricsFollowTheConventions(t *testing.T) {
	m, r := newProvider("aws-kms", someone)
	m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpSign})
	m.ProviderCoalesced(1)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := families[:0]
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "frostfleet_provider_") {
			own = append(own, f)
		}
	}
	if len(own) != 8 {
		t.Errorf("%d metrics, want 8", len(own))
	}
	problems, err := promlint.NewWithMetricFamilies(own).Lint()
	if err != nil || len(problems) != 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}
