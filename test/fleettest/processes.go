package fleettest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
)

// Build builds the programs once for a test binary and returns their folder.
// RemoveBuild ends what it left.
var Build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "frostfleet-bin-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "github.com/frostfleet/frostfleet/cmd/...")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// Processes is a 2-of-3 fleet of real processes: a bus, three workers and a
// gateway, which can be killed.
type Processes struct {
	Dir string // as frostctl fleet init writes it
	URL string // of NATS

	t       testing.TB
	bin     string
	running map[string]*exec.Cmd
}

// StartProcesses runs a fleet until the test ends.
func StartProcesses(t testing.TB) *Processes {
	t.Helper()
	bin, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	port := FreePort(t)
	p := &Processes{t: t, bin: bin, URL: fmt.Sprintf("nats://127.0.0.1:%d", port),
		Dir: filepath.Join(t.TempDir(), "fleet"), running: map[string]*exec.Cmd{}}
	if _, err := fleet.Init(t.Context(), p.Dir, fleet.Options{
		Name: Name, Network: "regtest", N: 3, T: 2, AttestSigning: true, BusURL: p.URL, Client: Client,
	}); err != nil {
		t.Fatal(err)
	}
	p.start("bus", "frostctl", "bus", "serve", "--store", t.TempDir(), "--port", fmt.Sprint(port), "--fleet", Name)
	p.await("the streams", func() error {
		return exec.Command(filepath.Join(bin, "frostctl"), "bus", "check", "--fleet", Name, "--url", p.URL).Run()
	})
	p.StartGateway()
	for i := range 3 {
		p.StartNode(i)
	}
	return p
}

// start runs a program in the background; its output is shown if the test
// fails.
func (p *Processes) start(name, program string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running[name] = cmd
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if p.t.Failed() {
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			p.t.Logf("%s:\n%s", name, strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
}

func (p *Processes) await(what string, try func() error) {
	p.t.Helper()
	var err error
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	p.t.Fatalf("%s: %v", what, err)
}

// NodeName is the name of node i for Kill.
func NodeName(i int) string { return fmt.Sprintf("node%d", i) }

// GatewayName is the name of the gateway for Kill.
const GatewayName = "gateway"

// Kill ends a program as a power cut would (SIGKILL).
func (p *Processes) Kill(name string) {
	p.t.Helper()
	if err := p.running[name].Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.running[name].Wait()
}

// StartNode starts node i.
func (p *Processes) StartNode(i int) {
	p.start(NodeName(i), "frost-worker", "run", "--config", filepath.Join(p.Dir, fleet.NodeFile(i)))
}

// StartGateway starts the gateway.
func (p *Processes) StartGateway() {
	p.start(GatewayName, "frost-gateway", "run", "--config", filepath.Join(p.Dir, fleet.GatewayFile))
}

// Client connects to the fleet.
func (p *Processes) Client() *client.Client {
	p.t.Helper()
	config, err := client.Load(filepath.Join(p.Dir, fleet.ClientFile))
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := client.New(p.t.Context(), config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// FreePort finds a TCP port on loopback that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
