package telemetry

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	worker0 = Identity{
		Role:      RoleWorker,
		Name:      "worker-0",
		Fleet:     "test",
		Manifest:  "0a0b",
		Version:   "v1",
		Nodes:     3,
		Threshold: 2,
	}
	gateway0 = Identity{
		Role:      RoleGateway,
		Name:      "gateway0",
		Fleet:     "test",
		Manifest:  "0a0b",
		Version:   "v1",
		Nodes:     3,
		Threshold: 2,
	}
)

// read gives every sample as "name{label=value,...}", without the prefix of all
// our metrics; of a histogram count, sum and buckets.
func read(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := strings.TrimPrefix(f.GetName(), "frostfleet_") + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				out[name] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				h := m.GetHistogram()
				out[name+" count"], out[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				for _, b := range h.GetBucket() {
					out[fmt.Sprintf("%s le %g", name, b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return out
}

// wantSamples compares to a millionth.
func wantSamples(t *testing.T, r prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	got := read(t, r)
	for name, value := range want {
		if v, ok := got[name]; !ok || math.Abs(v-value) > 1e-6*math.Abs(value) {
			t.Errorf("%s is %v (there: %t), want %v", name, v, ok, value)
		}
	}
}

// moved are the samples that differ between two looks, by how much.
func moved(before, after map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, value := range after {
		if value != before[name] && !strings.Contains(name, " le ") {
			out[name] = value - before[name]
		}
	}
	return out
}
