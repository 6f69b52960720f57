package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// A second process with a node's index, on another disk, ends with an error that names
// the first one, and the gateway counts it. The first goes on. When that is killed the
// next one says for how long it waits, and is ready.
func TestTwoWorkersWithOneIndex(t *testing.T) {
	p := fleettest.StartProcesses(t, fleettest.Options{})
	p.AwaitReady()
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "frost-worker"), "run", "--config", twinOf(t, p, 0)).
		CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!bytes.Contains(out, []byte(`another process runs under presence.node.0 (host `)) {
		t.Fatalf("the second process ended with %v:\n%s", err, out)
	}
	if ready, checks := p.Ready(0); !ready {
		t.Errorf("the first one is not ready: %v", checks)
	}
	settle(t, "gateway", p.GatewayMetrics, samples{
		`node_twins_total{epoch="1",index="0"}`: 1, `node_twins_total{epoch="1",index="1"}`: 0,
		`node_present{epoch="1",index="0"}`: 1, `gateways_present`: 1,
	})
	p.Kill(fleettest.NodeName(0))
	p.StartNode(0)
	p.AwaitReady()
	if log := p.Log(fleettest.NodeName(0)); !strings.Contains(log, "waiting 3s: another process may still run") {
		t.Errorf("it did not say why it waits:\n%s", log)
	}
}

// twinOf is the file of a second process of a node: the same keys and credentials,
// another disk, and no HTTP server.
func twinOf(t *testing.T, p *fleettest.Processes, i int) string {
	t.Helper()
	path := filepath.Join(p.Dir, fleet.NodeFile(i))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := text
	for key, value := range map[string]string{"storage_path": `"` + t.TempDir() + `"`, "port": "0"} {
		changed = regexp.MustCompile(`(?m)^\s*`+key+`\s*=.*$`).ReplaceAllLiteral(changed, []byte(key+" = "+value))
	}
	if bytes.Equal(changed, text) {
		t.Fatalf("nothing was changed in\n%s", text)
	}
	twin := filepath.Join(filepath.Dir(path), "twin.toml") // beside it: paths are relative
	if err := os.WriteFile(twin, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return twin
}
