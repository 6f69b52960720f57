package telemetry

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealthAndMetrics(t *testing.T) {
	var reason error = errors.New("still reading the log")
	registry := NewRegistry()
	m := NewMetrics(registry, gateway0)
	s, err := Listen("127.0.0.1", 0, registry, []Check{{"log", func() error { return reason }}, {"bus", func() error { return nil }}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + s.Addr()
	if code, _ := get(t, base+"/livez"); code != http.StatusOK {
		t.Errorf("/livez: %d", code)
	}
	code, body := get(t, base+"/readyz")
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusServiceUnavailable || a.Ready || a.Checks["log"] != reason.Error() || a.Checks["bus"] != "ok" {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if _, body := get(t, base+"/metrics"); !strings.Contains(body, "frostfleet_ready 0") || !strings.Contains(body, `frostfleet_check{check="log"} 0`) || !strings.Contains(body, `frostfleet_check{check="bus"} 1`) {
		t.Errorf("the metrics do not say what /readyz says: %s", body)
	}
	reason = nil
	if code, _ := get(t, base+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz when ready: %d", code)
	}
	m.Report(protocol.Report{What: protocol.ReportComplete, Suite: frost.Ed25519, Count: 7})
	m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Items: 1, Interactive: true, Took: time.Second})
	_, body = get(t, base+"/metrics")
	for _, want := range []string{
		`frostfleet_items_total{event="complete",suite="ed25519"} 7`,
		`frostfleet_events_total{event="aborted"} 0`,
		`frostfleet_job_seconds_count{kind="sign",load="interactive"} 1`,
		`frostfleet_jobs_total{code="expired",kind="keygen"} 0`,
		`frostfleet_ready 1`,
		`frostfleet_check{check="log"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(base + "/livez"); err == nil {
		t.Error("the server answers after Shutdown")
	}
}

// TestExemplars: a scrape by OpenMetrics has the traces of jobs that are kept,
// and no others.
func TestExemplars(t *testing.T) {
	registry := NewRegistry()
	m := NewMetrics(registry, gateway0)
	s, err := Listen("127.0.0.1", 0, registry, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	kept, lost := strings.Repeat("ab", 16), strings.Repeat("cd", 16)
	for _, trace := range []string{"00-" + kept + "-00f067aa0ba902b7-01", "00-" + lost + "-00f067aa0ba902b7-00", "00-" + lost + "-nonsense-01", ""} {
		m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Items: 1, Took: time.Second, Trace: trace})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if !strings.Contains(text, `# {trace_id="`+kept+`"} 1`) || strings.Contains(text, lost) {
		t.Errorf("exemplars of %s: %s", kept, text)
	}
	if !strings.Contains(text, `frostfleet_job_seconds_count{kind="sign",load="bulk"} 4`) {
		t.Error("a job without a trace is not counted")
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	registry, log := NewRegistry(), slog.New(slog.DiscardHandler)
	s, err := Listen("127.0.0.1", 0, registry, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	port := s.listener.Addr().(*net.TCPAddr).Port
	if _, err := Listen("127.0.0.1", port, registry, nil, log); err == nil || !strings.Contains(err.Error(), "another program has the port") {
		t.Errorf("listening on a taken port: %v", err)
	}
}

func TestNewLogger(t *testing.T) {
	far := time.Now().In(time.FixedZone("far", 5*3600))
	tell := func(log *slog.Logger, level slog.Level, msg string, args ...any) {
		t.Helper()
		r := slog.NewRecord(far, level, msg, 0)
		r.Add(args...)
		if err := log.Handler().Handle(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	var out strings.Builder
	log, level, err := NewLogger(&out, "json", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	tell(log, slog.LevelWarn, "loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("log is %s", got)
	}
	if got := out.String(); !strings.Contains(got, `Z","level"`) {
		t.Errorf("the time is not UTC: %s", got)
	}
	out.Reset()
	level.Set(slog.LevelInfo)
	if log.With("a", 1).Info("not quiet any more"); !strings.Contains(out.String(), "not quiet any more") {
		t.Errorf("at another level, the log is %s", out.String())
	}
	out.Reset()
	text, _, err := NewLogger(&out, "text", "info")
	if err != nil {
		t.Fatal(err)
	}
	tell(text.With("job", "a").WithGroup("g"), slog.LevelInfo, "told", "n", 1)
	if got := out.String(); !regexp.MustCompile(`^time=\S+Z level=INFO msg=told job=a g.n=1\n$`).MatchString(got) {
		t.Errorf("line is %q", got)
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"text", "chatty"}} {
		if _, _, err := NewLogger(io.Discard, bad[0], bad[1]); err == nil {
			t.Errorf("format %s, level %s accepted", bad[0], bad[1])
		}
	}
}
