package telemetry

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
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
	m := NewMetrics(registry)
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
	reason = nil
	if code, _ := get(t, base+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz when ready: %d", code)
	}
	m.Report(protocol.Report{What: protocol.ReportComplete, Suite: frost.Ed25519, Count: 7})
	m.JobDone(protocol.KindSign, "", time.Second)
	_, body = get(t, base+"/metrics")
	for _, want := range []string{
		`frostfleet_items_total{event="complete",suite="ed25519"} 7`,
		`frostfleet_events_total{event="aborted"} 0`,
		`frostfleet_job_seconds_count{code="done",kind="sign"} 1`,
		`frostfleet_job_seconds_count{code="expired",kind="keygen"} 0`,
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
	var out strings.Builder
	log, err := NewLogger(&out, "json", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("log is %s", got)
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"text", "chatty"}} {
		if _, err := NewLogger(io.Discard, bad[0], bad[1]); err == nil {
			t.Errorf("format %s, level %s accepted", bad[0], bad[1])
		}
	}
}
