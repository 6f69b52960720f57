package monitor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// patience is for an alert to come or to go.
const patience = 5 * time.Minute

// slowness are the alerts about how fast the fleet is, which a busy machine fires
// by itself: only the trouble that is about one of them asks for it. test/rules
// holds them against series in which nothing depends on a machine.
var slowness = []string{"FrostfleetKeyProviderSlow", "FrostfleetSigningRetries", "FrostfleetSigningSlow"}

// TestMonitoring breaks a fleet under load in several ways, one after the other.
// Each fires its alert and no other, and ends when the fleet is mended. Every
// rule and every query of a dashboard works on what the fleet exports, and the
// jobs that they show are the ones that users asked for.
func TestMonitoring(t *testing.T) {
	s := Start(t, Options{Configs: configs, Faster: faster})
	start := time.Now()
	if !t.Run("well", func(t *testing.T) { testWell(t, s, start) }) {
		t.FailNow()
	}
	troubles := []trouble{
		{name: "killed node", breaks: "kill 2", mends: "start 2", alert: "FrostfleetNodeDown",
			labels: map[string]string{"fleet": fleettest.Name, "node": "worker-2"}},
		{name: "slow KMS", breaks: "slow 1", mends: "fast", alert: "FrostfleetKeyProviderSlow",
			labels: map[string]string{"fleet": fleettest.Name, "node": "worker-1", "provider": "aws-kms"}},
		{name: "full stream", breaks: "full", mends: "free", alert: "FrostfleetStreamFull",
			labels: map[string]string{"fleet": fleettest.Name, "stream": "KEYS"}},
	}
	for _, tr := range troubles {
		if !t.Run(tr.name, func(t *testing.T) { tr.test(t, s) }) {
			t.FailNow() // the next would begin in the middle of this one
		}
	}
	if s.Failed() > 0 {
		t.Errorf("trouble delays jobs and fails none, but:\n%s", s.Said())
	}
	t.Run("rules", func(t *testing.T) { testRules(t, s) })
	t.Run("dashboards", func(t *testing.T) { testDashboards(t, s, start) })
	t.Run("latency panel", func(t *testing.T) { testLatencyPanel(t, s) })
	t.Run("nothing else fired", func(t *testing.T) {
		want := []string{}
		for _, tr := range troubles {
			want = append(want, tr.alert)
		}
		slices.Sort(want)
		fired(t, s, start, want...)
	})
}

// testWell waits until every target was scraped and every rule evaluated, and
// some time more: nothing is amiss.
func testWell(t *testing.T, s *Stand, start time.Time) {
	eventually(t, "every target is scraped", func() error {
		up, err := s.Prometheus.Query(t.Context(), "sum(up) == "+fmt.Sprint(1+Nodes))
		if err == nil && len(up) == 0 {
			err = fmt.Errorf("some target is not up")
		}
		return err
	})
	time.Sleep(15 * time.Second) // almost four minutes of Prometheus's
	fired(t, s, start)
}

// trouble is something that goes wrong, by the stand's commands, and its alert.
type trouble struct {
	name, breaks, mends, alert string
	labels                     map[string]string // some of the alert's
}

func (tr trouble) test(t *testing.T, s *Stand) {
	start := time.Now()
	say(t, s, tr.breaks)
	var alert Alert
	eventually(t, tr.alert+" fires", func() error {
		firing, err := s.Prometheus.Firing(t.Context())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(firing, tr.is)
		if i < 0 {
			return fmt.Errorf("firing: %v", names(firing))
		}
		alert = firing[i]
		return nil
	})
	t.Logf("fired after %s: %s", time.Since(start).Round(time.Second/10), alert.Annotations["description"])
	if want := "#" + strings.ToLower(tr.alert); !strings.HasSuffix(alert.Annotations["runbook_url"], want) {
		t.Errorf("runbook_url %q does not end in %s", alert.Annotations["runbook_url"], want)
	}
	mended := time.Now()
	say(t, s, tr.mends)
	eventually(t, tr.alert+" resolves", func() error {
		firing, err := s.Prometheus.Firing(t.Context())
		if still := names(firing); err == nil && (slices.ContainsFunc(firing, tr.is) || len(notable(still)) > 0) {
			err = fmt.Errorf("still: %v", still)
		}
		return err
	})
	t.Logf("resolved after %s", time.Since(mended).Round(time.Second/10))
	s.AwaitReady()
	fired(t, s, start, tr.alert)
}

// is tells the alert of this trouble from another's.
func (tr trouble) is(a Alert) bool {
	for name, want := range tr.labels {
		if a.Labels[name] != want {
			return false
		}
	}
	return a.Labels["alertname"] == tr.alert
}

// notable are the alerts that a busy machine is no reason for, and those of expected.
func notable(alerts []string, expected ...string) []string {
	return slices.DeleteFunc(slices.Clone(alerts), func(name string) bool {
		return slices.Contains(slowness, name) && !slices.Contains(expected, name)
	})
}

// say gives the stand a command.
func say(t *testing.T, s *Stand, line string) {
	t.Helper()
	if _, err := s.Do(t.Context(), line); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// fired fails unless these alerts fired since start, and no other.
func fired(t *testing.T, s *Stand, start time.Time, want ...string) {
	t.Helper()
	got, err := s.Prometheus.FiredSince(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(notable(got, want...), want) {
		t.Errorf("fired: %q, want %q", got, want)
		firing, err := s.Prometheus.Firing(t.Context())
		for _, a := range firing {
			t.Logf("%v: %s", a.Labels, a.Annotations["description"])
		}
		if err != nil {
			t.Log(err)
		}
	}
}

func names(alerts []Alert) []string {
	found := map[string]bool{}
	for _, a := range alerts {
		found[a.Labels["alertname"]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("not within %s: %s: %v", patience, what, err)
}
