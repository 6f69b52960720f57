package fleettest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// Joiner is a worker of a later manifest.
type Joiner struct {
	Name     string // of its folder and of its process
	Index    int
	N, T     int    // of its manifest
	Manifest string // file in the fleet's folder
	Section  string // [node.key_provider] without that line; empty: software keys
	File     string // of its configuration, once it is written
}

// Join writes a joiner's configuration after that of node 0, as an operator does. It has no
// keys yet and does not run.
func (p *Processes) Join(j Joiner) Joiner {
	p.t.Helper()
	dir := filepath.Join(p.Dir, j.Name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(p.Dir, fleet.NodeFile(0)))
	if err != nil {
		p.t.Fatal(err)
	}
	port := freeport.New(p.t)
	j.File = filepath.Join(dir, "node.toml")
	write(p.t, j.File, string(text))
	p.Configure(j.File, "port", fmt.Sprint(port))
	p.Configure(j.File, "storage_path", `"data"`)
	p.ConfigureMember(j)
	if j.Section == "" {
		j.Section = "type = \"software\"\nkey_file = \"key.json\"\n"
	}
	replaceSection(p.t, j.File, j.Section)
	if p.joined == nil {
		p.joined = map[string]int{}
	}
	p.joined[j.Name] = port
	return j
}

// ConfigureMember has a worker's configuration say which node of which manifest it is.
func (p *Processes) ConfigureMember(j Joiner) {
	p.t.Helper()
	for key, value := range map[string]any{"index": j.Index, "max_signers": j.N, "min_signers": j.T,
		"manifest": `"../` + j.Manifest + `"`} {
		p.Configure(j.File, key, fmt.Sprint(value))
	}
}

// Configure gives a key of a configuration, which must be there once, another value.
func (p *Processes) Configure(file, key, value string) {
	p.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^` + key + ` = .*$`)
	if n := len(line.FindAll(text, -1)); n != 1 {
		p.t.Fatalf("%s has %d lines of %s", file, n, key)
	}
	write(p.t, file, string(line.ReplaceAllLiteral(text, []byte(key+" = "+value))))
}

// Run runs a program to its end and returns what it prints.
func (p *Processes) Run(program string, args ...string) (stdout string, err error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(p.t.Context(), filepath.Join(p.bin, program), args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, &out, &said)
	}
	return out.String(), nil
}

// Do runs a program that must succeed, and returns what it prints.
func (p *Processes) Do(program string, args ...string) string {
	p.t.Helper()
	out, err := p.Run(program, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// StartJoiner starts a joiner's worker.
func (p *Processes) StartJoiner(j Joiner) { p.StartWorker(j.Name, j.File) }

// StartWorker starts a worker under a name, with a configuration that may lie anywhere.
func (p *Processes) StartWorker(name, file string) {
	p.t.Helper()
	p.start(name, "frost-worker", append([]string{"run", "--config", file}, p.flags...)...)
}

// Stop ends a program in order.
func (p *Processes) Stop(name string) {
	p.t.Helper()
	p.Signal(name, syscall.SIGTERM)
	if err := p.running[name].Wait(); err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, p.Log(name))
	}
}

// MetricsOf is the text of a joiner's metrics.
func (p *Processes) MetricsOf(j Joiner) string {
	resp := p.fetch(fmt.Sprintf("http://127.0.0.1:%d/metrics", p.joined[j.Name]))
	return string(resp)
}
