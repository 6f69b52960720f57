package e2e_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/otlptest"
)

// traceTo has every program that the test starts send its spans to a collector,
// soon after they end.
func traceTo(t *testing.T, c *otlptest.Collector) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // ms
}

// frostctl runs a command of the fleet's client and gives its output.
func frostctl(t *testing.T, p *fleettest.Processes, args ...string) string {
	t.Helper()
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(
		filepath.Join(bin, "frostctl"),
		append(args, "--config", filepath.Join(p.Dir, fleet.ClientFile))...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("frostctl %v: %v", args, err)
	}
	return string(out)
}

// traceOf is the trace that holds a span of that name, once it has all of
// names, in each of so many programs at least.
func traceOf(c *otlptest.Collector, root string, names map[string]int) []otlptest.Span {
	var trace []otlptest.Span
	c.Await(func(spans []otlptest.Span) bool {
		first := slices.IndexFunc(spans, func(s otlptest.Span) bool { return s.Name == root && s.Parent == "" })
		if first < 0 {
			return false
		}
		trace = nil
		programs := map[string]map[string]bool{}
		for _, s := range spans {
			if s.Trace != spans[first].Trace {
				continue
			}
			trace = append(trace, s)
			if programs[s.Name] == nil {
				programs[s.Name] = map[string]bool{}
			}
			programs[s.Name][s.Service+" "+s.Instance] = true
		}
		for name, n := range names {
			if len(programs[name]) < n {
				return false
			}
		}
		return true
	})
	return trace
}

// parents says what may stand below what.
var parents = map[string][]string{
	"job": {"keygen", "sign"}, "task": {"job"}, "result": {"job"}, "aggregate": {"job"}, "make entry": {"job"},
	"derive children": {"job"},
	"register":        {"job"},
	"deals":           {"job"}, "certificates": {"job"}, "commitments": {"job"}, "shares": {"job"},
	"make deal": {"task"}, "deal": {"task"}, "verify deals": {"task"}, "certify": {"task"}, "store": {"certify"},
	"draw nonces": {"task"}, "commit": {"task"}, "make shares": {"task"}, "share": {"task"},
	"key provider sign": {"certify", "commit"},
}

// attributes are what spans may tell: ids and counts.
var attributes = []string{"frostfleet.job", "frostfleet.client", "frostfleet.kind", "frostfleet.id", "frostfleet.node",
	"frostfleet.items", "frostfleet.digests", "frostfleet.delivery"}

// checkTrace looks at every span of one job: where it stands, when it was, and
// what it tells.
func checkTrace(t *testing.T, root string, trace []otlptest.Span) {
	t.Helper()
	byID := map[string]otlptest.Span{}
	for _, s := range trace {
		if byID[s.ID].ID != "" {
			t.Errorf("two spans share id %s: %s and %s", s.ID, s.Name, byID[s.ID].Name)
		}
		byID[s.ID] = s
	}
	for _, s := range trace {
		parent, ok := byID[s.Parent]
		switch {
		case s.Name == root && s.Parent == "":
		case !ok:
			t.Errorf("%s of %s stands below %q, which was not sent", s.Name, s.Instance, s.Parent)
		case !slices.Contains(parents[s.Name], parent.Name):
			t.Errorf("%s of %s stands below %s", s.Name, s.Instance, parent.Name)
		}
		const clocks = 50 * time.Millisecond // one machine; the server's clock is known by half a round trip
		if s.End.Before(s.Start) || ok && s.Start.Before(parent.Start.Add(-clocks)) {
			t.Errorf(
				"%s of %s lasted from %s to %s, and its %s began at %s",
				s.Name,
				s.Instance,
				s.Start,
				s.End,
				parent.Name,
				parent.Start,
			)
		}
		if s.Failed != "" {
			t.Errorf("%s of %s failed: %s", s.Name, s.Instance, s.Failed)
		}
		for key, value := range s.Attributes {
			if text, _ := value.(string); !slices.Contains(attributes, key) || len(text) > 64 {
				t.Errorf("%s of %s tells %s = %v", s.Name, s.Instance, key, value)
			}
		}
		if s.Name == "key provider sign" {
			for _, id := range s.Links {
				if to := byID[id]; to.Instance != s.Instance || to.Name != "certify" && to.Name != "commit" {
					t.Errorf("a call of %s is linked to %s of %s", s.Instance, to.Name, to.Instance)
				}
			}
			if len(s.Links) == 0 {
				t.Errorf("a call of %s is linked to nothing", s.Instance)
			}
		}
	}
}

// A key generation and a signature are one trace each, across client, gateway and
// workers, and the programs' logs name them.
func TestOneTraceForAJob(t *testing.T) {
	collector := otlptest.Start(t)
	traceTo(t, collector)
	p := fleettest.StartProcesses(t, fleettest.Options{})
	key, _, _ := strings.Cut(frostctl(t, p, "keygen", "--chain", "solana", "--count", "1"), "\t")
	trace := traceOf(collector, "keygen", map[string]int{
		"keygen": 1, "job": 1, "task": 1, "deals": 1, "certificates": 1, "make entry": 1, "register": 1, "result": 1,
		"make deal": 3, "deal": 3, "verify deals": 3, "certify": 3, "store": 3, "key provider sign": 3,
	})
	checkTrace(t, "keygen", trace)
	id := "trace_id=" + trace[0].Trace
	logged := func() bool {
		return strings.Contains(p.Log(fleettest.GatewayName), id) && strings.Contains(p.Log(fleettest.NodeName(0)), id)
	}
	// The client may have its keys before every node has read their entry.
	for deadline := time.Now().Add(lookTime); !logged() && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if !logged() {
		t.Errorf("gateway or node 0 logged nothing with %s", id)
	}

	message := hex.EncodeToString([]byte("not for collectors"))
	frostctl(t, p, "sign", "--key", key, "--message", message)
	trace = traceOf(collector, "sign", map[string]int{
		"sign": 1, "job": 1, "task": 1, "commitments": 1, "shares": 1, "aggregate": 1, "result": 1,
		"draw nonces": 2, "commit": 2, "make shares": 2, "share": 2, "key provider sign": 2,
	})
	checkTrace(t, "sign", trace)
	if metrics := openMetrics(t, p); !strings.Contains(metrics, `trace_id="`+trace[0].Trace+`"`) {
		t.Error("no exemplar of the gateway names the trace of the signature")
	}
}

// openMetrics are the gateway's metrics in the form that has exemplars.
func openMetrics(t *testing.T, p *fleettest.Processes) string {
	t.Helper()
	g, err := config.LoadGateway(filepath.Join(p.Dir, fleet.GatewayFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", g.Server.Port), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A job whose client does not trace is one trace all the same, from the gateway
// on, with the nodes' part in it.
func TestTraceOfAnUntracedClient(t *testing.T) {
	collector := otlptest.Start(t)
	traceTo(t, collector)
	p := fleettest.StartProcesses(t, fleettest.Options{})
	c := p.Client()
	key := oneKey(t, c)
	traceOf(collector, "job", map[string]int{"job": 1, "deal": 3, "certify": 3})
	seen := len(collector.Spans())
	if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, 1)}}); err != nil {
		t.Fatal(err)
	}
	spans := collector.Await(func(spans []otlptest.Span) bool {
		shares := 0
		for _, s := range spans[seen:] {
			if s.Name == "share" {
				shares++
			}
		}
		has := func(name string) bool {
			return slices.ContainsFunc(spans[seen:], func(s otlptest.Span) bool { return s.Name == name })
		}
		return shares >= 2 && has("job") && has("task")
	})[seen:]
	named := func(name string) otlptest.Span {
		return spans[slices.IndexFunc(spans, func(s otlptest.Span) bool { return s.Name == name })]
	}
	job, task := named("job"), named("task")
	if task.Parent != job.ID || task.Trace != job.Trace {
		t.Errorf("the task is below %s of trace %s, the job is %s of %s", task.Parent, task.Trace, job.ID, job.Trace)
	}
	for _, s := range spans {
		if s.Name == "share" && (s.Parent != task.ID || s.Trace != job.Trace) {
			t.Errorf(
				"share of %s is below %s of trace %s, the task is %s of %s",
				s.Instance,
				s.Parent,
				s.Trace,
				task.ID,
				job.Trace,
			)
		}
	}
}

// With tracing off nothing is sent, whatever a client says.
func TestNothingIsSentWhileOff(t *testing.T) {
	collector := otlptest.Start(t)
	traceTo(t, collector)
	t.Setenv("OTEL_SDK_DISABLED", "true")
	p := fleettest.StartProcesses(t, fleettest.Options{})
	key, _, _ := strings.Cut(frostctl(t, p, "keygen", "--chain", "solana", "--count", "1"), "\t")
	t.Setenv("OTEL_SDK_DISABLED", "") // the client traces, the fleet does not
	frostctl(t, p, "sign", "--key", key, "--message", "00")
	collector.Await(func(spans []otlptest.Span) bool { return len(spans) > 0 })
	time.Sleep(time.Second) // twenty times what a program would wait
	for _, s := range collector.Spans() {
		if s.Service != "frostctl" {
			t.Errorf("%s sent %s", s.Instance, s.Name)
		}
	}
	if log := p.Log(fleettest.GatewayName) + p.Log(fleettest.NodeName(0)); strings.Contains(log, "trace_id") {
		t.Errorf("a log line has a trace id:\n%s", log)
	}
}
