package fleettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// Built names a folder that has the fleet's programs and nats-server, as scripts/test
// builds them for all test binaries; unset, each builds its own.
const Built = "FROSTFLEET_PROGRAMS"

// Build builds the programs once for a test binary and returns their folder, which the
// caller removes.
var Build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "frostfleet-bin-")
	if err != nil {
		return "", err
	}
	if made := os.Getenv(Built); made != "" {
		return dir, link(made, dir)
	}
	// -w: what debuggers want is a third of the linker's work.
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", dir, "github.com/frostfleet/frostfleet/cmd/...")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// link puts links to the fleet's programs into another folder.
func link(from, to string) error {
	for _, name := range []string{"frostctl", "frost-gateway", "frost-worker"} {
		program := filepath.Join(from, name)
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("%s: %w", Built, err)
		}
		if err := os.Symlink(program, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// Processes is a fleet of real processes: a bus, workers and a gateway, which
// can be killed.
type Processes struct {
	Dir   string // as frostctl fleet init writes it
	URL   string // of NATS
	Store string // the bus's files

	t       T
	bin     string
	flags   []string
	ports   []int          // health and metrics: the gateway's, then the nodes'
	joined  map[string]int // the same of joiners
	running map[string]*exec.Cmd
	output  map[string]*buffer
}

// StartProcesses runs a fleet until the test ends.
func StartProcesses(t T, o Options) *Processes {
	t.Helper()
	o = o.withDefaults()
	bin, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	port := freeport.New(t)
	p := &Processes{t: t, bin: bin, flags: o.Flags, URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Store: t.TempDir(),
		Dir: filepath.Join(t.TempDir(), "fleet"), running: map[string]*exec.Cmd{}, output: map[string]*buffer{}}
	for range 1 + o.N {
		p.ports = append(p.ports, freeport.New(t))
	}
	o.initialise(t, p.Dir, p.URL, p.ports)
	p.start("bus", "frostctl", "bus", "serve", "--store", p.Store, "--port", fmt.Sprint(port), "--fleet", Name,
		"--nodes", fmt.Sprint(o.N))
	p.await("the streams", func() error {
		return exec.Command(filepath.Join(bin, "frostctl"), "bus", "check", "--fleet", Name, "--nodes", fmt.Sprint(o.N),
			"--url", p.URL).Run()
	})
	p.StartGateway()
	p.await(GatewayName, func() error {
		if len(p.get(-1, "/livez")) == 0 {
			return fmt.Errorf("no answer: %s", p.Log(GatewayName))
		}
		return nil
	})
	for i := range o.N {
		p.StartNode(i)
	}
	return p
}

// buffer takes a program's output while a test reads it.
type buffer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// start runs a program in the background; its output is shown if the test
// fails.
func (p *Processes) start(name, program string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	out := new(buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running[name], p.output[name] = cmd, out
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
	p.run(NodeName(i), "frost-worker", fleet.NodeFile(i))
}

// StartGateway starts the gateway.
func (p *Processes) StartGateway() {
	p.run(GatewayName, "frost-gateway", fleet.GatewayFile)
}

func (p *Processes) run(name, program, file string) {
	p.start(name, program, append([]string{"run", "--config", filepath.Join(p.Dir, file)}, p.flags...)...)
}

// Log is what a program said since its last start.
func (p *Processes) Log(name string) string { return p.output[name].String() }

// Ready gives the state of a node and what each of its checks says.
func (p *Processes) Ready(i int) (ready bool, checks map[string]string) {
	p.t.Helper()
	var answer struct {
		Ready  bool
		Checks map[string]string
	}
	if err := json.Unmarshal(p.get(i, "/readyz"), &answer); err != nil {
		return false, map[string]string{"server": err.Error()}
	}
	return answer.Ready, answer.Checks
}

// MetricsURL is where a program's metrics are: NodeName(i) or GatewayName.
func (p *Processes) MetricsURL(name string) string {
	for i := range len(p.ports) - 1 {
		if name == NodeName(i) {
			return p.url(i, "/metrics")
		}
	}
	return p.url(-1, "/metrics")
}

// Metrics is the text of a node's metrics.
func (p *Processes) Metrics(i int) string { return string(p.get(i, "/metrics")) }

// GatewayMetrics is the text of the gateway's metrics.
func (p *Processes) GatewayMetrics() string { return string(p.get(-1, "/metrics")) }

// url of the server of node i, or of the gateway (-1).
func (p *Processes) url(i int, path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", p.ports[1+i], path)
}

// get asks the server of node i, or of the gateway (-1); no answer is an empty
// one.
func (p *Processes) get(i int, path string) []byte { return p.fetch(p.url(i, path)) }

func (p *Processes) fetch(url string) []byte {
	resp, err := http.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return body
}

// AwaitReady waits until every node but those in except is ready.
func (p *Processes) AwaitReady(except ...int) {
	p.t.Helper()
	for i := range len(p.ports) - 1 {
		if slices.Contains(except, i) {
			continue
		}
		p.await(NodeName(i), func() error {
			if ready, checks := p.Ready(i); !ready {
				return fmt.Errorf("not ready: %v", checks)
			}
			return nil
		})
	}
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
