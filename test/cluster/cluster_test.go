// Package cluster_test runs the fleets of frostctl fleet init --cluster: three
// servers of nats-server's own program, over TLS, with the real programs.
package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// patience is for what takes seconds on an idle machine.
const patience = 4 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := programs(); err == nil {
		_ = os.RemoveAll(bin)
	}
	if previous != "" {
		_ = os.RemoveAll(filepath.Dir(previous))
	}
	os.Exit(code)
}

// programs builds the fleet's programs, and NATS's own from their modules.
var programs = sync.OnceValues(func() (bin string, err error) {
	if bin, err = fleettest.Build(); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", bin+"/", "github.com/nats-io/nats-server/v2",
		"github.com/nats-io/nkeys/nk")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// operator is somebody at a shell, who starts programs in terminals.
type operator struct {
	t       *testing.T
	bin     string
	dir     string // where commands run
	env     []string
	ports   ports
	cluster string // --cluster 3, and the ports of its servers
	http    int    // port of the gateway's health and metrics; the nodes' follow
	nats    int    // port of the first server
}

// newOperator has ports of its own in place of those that documents name.
func newOperator(t *testing.T) *operator {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	nats, routes, http := freeport.Range(t, 3), freeport.Range(t, 3), freeport.Range(t, 4)
	o := &operator{t: t, bin: bin, dir: t.TempDir(), http: http, nats: nats}
	standby := freeport.Range(t, 2)
	o.ports = ports{4250: standby, 7422: standby + 1}
	for i := range 3 {
		o.ports[4222+i] = nats + i
	}
	for i := range 4 {
		o.ports[4000+i] = http + i
	}
	o.cluster = fmt.Sprintf(" --cluster 3 --bus-port %d --route-port %d --server-port %d", nats, routes, http)
	return o
}

// ports are those that documents name, and the ones that stand for them here.
type ports map[int]int

var port = regexp.MustCompile(`(:|--port )([0-9]+)\b`)

// in is a text with the ports of here. A port that only begins like one of a document's
// is another: the system gives 42245 as readily as any.
func (p ports) in(text string) string {
	return port.ReplaceAllStringFunc(text, func(found string) string {
		parts := port.FindStringSubmatch(found)
		n, err := strconv.Atoi(parts[2])
		if here, ok := p[n]; ok && err == nil {
			return parts[1] + strconv.Itoa(here)
		}
		return found
	})
}

func TestPorts(t *testing.T) {
	p := ports{4222: 30001, 4250: 4222}
	for text, want := range map[string]string{
		"--url nats://127.0.0.1:4222,nats://127.0.0.1:4250": "--url nats://127.0.0.1:30001,nats://127.0.0.1:4222",
		"--port 4222 --route-port 4222":                     "--port 30001 --route-port 4222",
		"http://127.0.0.1:4222/healthz":                     "http://127.0.0.1:30001/healthz",
		"nats://127.0.0.1:42225":                            "nats://127.0.0.1:42225",
		"nats://127.0.0.1:14222":                            "nats://127.0.0.1:14222",
	} {
		if got := p.in(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// here is a line of a document as it is run.
func (o *operator) here(line string) string {
	return strings.ReplaceAll(o.ports.in(line), " --cluster 3", o.cluster)
}

// command is a line of a document, to be run by bash.
func (o *operator) command(line string) *exec.Cmd {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", o.here(line))
	cmd.Dir = o.dir
	cmd.Env = append(append(os.Environ(), "PATH="+o.bin+":"+os.Getenv("PATH")), o.env...)
	return cmd
}

// run wants a command to succeed, and gives what it printed.
func (o *operator) run(line string) string {
	o.t.Helper()
	cmd := o.command(line)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		o.t.Fatalf("%s: %v\n%s%s", line, err, out.String(), errs.String())
	}
	return out.String()
}

// terminal is a program that runs.
type terminal struct {
	t     *testing.T
	line  string
	cmd   *exec.Cmd
	ended chan error

	mu  sync.Mutex
	out bytes.Buffer
}

// Write keeps what the program says.
func (p *terminal) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *terminal) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// open runs a command in a terminal of its own until the test ends.
func (o *operator) open(line string) *terminal {
	o.t.Helper()
	p := &terminal{t: o.t, line: line, cmd: o.command("exec " + line), ended: make(chan error, 1)}
	if strings.HasPrefix(line, "(") {
		p.cmd = o.command(strings.Replace(strings.Trim(line, "()"), "nats-server", "exec nats-server", 1))
	}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	o.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.ended <- <-p.ended
		if o.t.Failed() {
			lines := strings.Split(strings.TrimSpace(p.said()), "\n")
			o.t.Logf("%s:\n%s", line, strings.Join(lines[max(0, len(lines)-15):], "\n"))
		}
	})
	return p
}

// awaits waits until the program said something.
func (p *terminal) awaits(text string) {
	p.t.Helper()
	await(p.t, p.line, func() error {
		select {
		case err := <-p.ended:
			p.ended <- err
			p.t.Fatalf("%s ended: %v\n%s", p.line, err, p.said())
		default:
		}
		if !strings.Contains(p.said(), text) {
			return fmt.Errorf("did not say %q:\n%s", text, p.said())
		}
		return nil
	})
}

// runs reports whether the program has not ended yet.
func (p *terminal) runs() bool {
	select {
	case err := <-p.ended:
		p.ended <- err
		return false
	default:
		return true
	}
}

// stop ends the program with a signal, and wants it to do so in order.
func (p *terminal) stop(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			p.t.Errorf("%s ended with %v:\n%s", p.line, err, p.said())
		}
	case <-time.After(patience):
		p.t.Fatalf("%s did not stop", p.line)
	}
}

func await(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// awaitReady waits for a program's /readyz: 0 is the gateway, then come the nodes.
func (o *operator) awaitReady(i int) {
	o.t.Helper()
	await(o.t, fmt.Sprint("program ", i), func() error {
		ready, text, err := o.readyz(i)
		if err == nil && !ready {
			err = errors.New(text)
		}
		return err
	})
}

func (o *operator) readyz(i int) (ready bool, text string, err error) {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", o.http+i))
	if err != nil {
		return false, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode == http.StatusOK, string(body), err
}

// initialise writes the fleet and goes into its directory.
func (o *operator) initialise() {
	o.t.Helper()
	o.run("frostctl fleet init fleet --cluster 3")
	o.dir = filepath.Join(o.dir, "fleet")
}

// startServer runs server i, from 1.
func (o *operator) startServer(i int) *terminal {
	return o.open(fmt.Sprintf("(cd nats/nats-%d && nats-server -c server.conf)", i))
}

// startPrograms runs the nodes and the gateway.
func (o *operator) startPrograms() (all []*terminal) {
	all = append(all, o.open("frost-gateway run --config gateway/gateway.toml"))
	for i := range 3 {
		all = append(all, o.open(fmt.Sprintf("frost-worker run --config node%d/node.toml", i)))
	}
	return all
}
