package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/freeport"
)

// TestPrometheusReads: a real Prometheus parses every expression of the files.
// test/monitor checks on a fleet that they find something.
func TestPrometheusReads(t *testing.T) {
	server := startPrometheus(t)
	if err := query(server, `rate(up[1m]`); err == nil || !strings.Contains(err.Error(), "bad_data") {
		t.Fatalf("half an expression: %v", err)
	}
	pages := load(t)
	count := 0
	for _, d := range pages {
		for _, q := range d.Queries(Values{Fleet: "main", Rate: time.Minute, Range: time.Hour}) {
			count++
			if strings.Contains(q.Expr, "$") {
				t.Errorf("%s, %s: an unknown variable: %s", q.Dashboard, q.Panel, q.Expr)
			}
			if err := query(server, q.Expr); err != nil {
				t.Errorf("%s, %s: %s: %v", q.Dashboard, q.Panel, q.Expr, err)
			}
		}
	}
	if count < 80 {
		t.Errorf("%d queries in %d dashboards", count, len(pages))
	}
}

// startPrometheus runs Debian's Prometheus without anything to scrape and
// gives its URL.
func startPrometheus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not in PATH: run `make test`, which installs it, or apt-get install prometheus")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freeport.New(t))
	var log bytes.Buffer
	c := exec.Command(program, "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _, _ = c.Process.Kill(), c.Wait() }
	t.Cleanup(stop)
	for range 1200 {
		if answer, err := http.Get("http://" + address + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	t.Fatalf("prometheus is not ready after two minutes:\n%s", log.String())
	return ""
}

// query asks now, and returns Prometheus's error.
func query(server, expr string) error {
	answer, err := http.PostForm(server+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var said struct{ Status, ErrorType, Error string }
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("%s: %.200s", answer.Status, body)
	}
	if said.Status != "success" {
		return fmt.Errorf("%s: %s", said.ErrorType, said.Error)
	}
	return nil
}
