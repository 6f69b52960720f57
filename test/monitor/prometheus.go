package monitor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// Prometheus is a real one, of the machine's package, that runs the fleet's
// rules.
type Prometheus struct {
	URL string
	// Interval between two scrapes.
	Interval time.Duration
}

// PrometheusOptions say what it reads.
type PrometheusOptions struct {
	Configs string // the folder configs/prometheus
	Targets string // the file prometheus-targets.json of a fleet
	Faster  int    // all its times are divided by this
	Port    int    // on loopback; 0: any that is free
}

const (
	configFile  = "prometheus.yml"
	targetsFile = "prometheus-targets.json"
	installIt   = "run scripts/setup, or on Debian: apt-get install prometheus"

	startTime = 3 * time.Minute // for a program to get ready, on a busy machine
	stopTime  = time.Minute     // for one to stop in order
)

// StartPrometheus runs one until the test ends.
func StartPrometheus(t fleettest.T, o PrometheusOptions) *Prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("%v: %s", err, installIt)
	}
	dir := t.TempDir()
	config, err := o.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if o.Port == 0 {
		o.Port = freeport.New(t)
	}
	address := fmt.Sprintf("127.0.0.1:%d", o.Port)
	if err := free(address); err != nil {
		t.Fatalf("prometheus: %v: choose another port with -port", err)
	}
	p := &Prometheus{URL: "http://" + address, Interval: scrapeInterval(config)}
	cmd := exec.Command(
		program,
		"--config.file",
		filepath.Join(dir, configFile),
		"--storage.tsdb.path",
		filepath.Join(dir, "data"),
		"--web.listen-address",
		address,
		"--log.level",
		"warn",
		"--enable-feature",
		"exemplar-storage",
	)
	var output bytes.Buffer // read once the program has ended
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	t.Cleanup(func() {
		stop(cmd, ended)
		if t.Failed() {
			t.Logf("prometheus:\n%s", output.String())
		}
	})
	if err := p.await(t.Context(), ended); err != nil {
		t.Fatalf("prometheus: %v", err)
	}
	return p
}

// free tells whether nobody listens there: another Prometheus would answer in
// the place of ours.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// await waits for p to serve.
func (p *Prometheus) await(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		_, err := p.get(ctx, "/-/ready", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("it ended at start")
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends a program in order, so that its files are whole when they are
// removed.
func stop(cmd *exec.Cmd, ended <-chan struct{}) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// write copies configuration, rules and targets to dir, and gives the text of
// the configuration.
func (o PrometheusOptions) write(dir string) (config string, err error) {
	rules, err := filepath.Glob(filepath.Join(o.Configs, "rules", "*.yml"))
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		return "", err
	}
	if config, err = o.copy(dir, configFile); err != nil {
		return "", err
	}
	for _, rule := range rules {
		if _, err := o.copy(dir, filepath.Join("rules", filepath.Base(rule))); err != nil {
			return "", err
		}
	}
	targets, err := os.ReadFile(o.Targets)
	if err != nil {
		return "", err
	}
	return config, os.WriteFile(filepath.Join(dir, targetsFile), targets, 0o600)
}

// copy copies a file with its times divided.
func (o PrometheusOptions) copy(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(o.Configs, name))
	if err != nil {
		return "", err
	}
	faster, err := Faster(string(text), o.Faster)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return faster, os.WriteFile(filepath.Join(dir, name), []byte(faster), 0o600)
}

// scrapeInterval of a configuration; Prometheus's own if it says nothing.
func scrapeInterval(config string) time.Duration {
	const unset = time.Minute
	_, rest, found := strings.Cut(config, "scrape_interval:")
	if !found {
		return unset
	}
	line, _, _ := strings.Cut(rest, "\n")
	return time.Duration(milliseconds(span.FindString(line))) * time.Millisecond
}
