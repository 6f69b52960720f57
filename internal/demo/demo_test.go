package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary stands in for the fleet's programs: it is started with a
// configuration file that says what to do.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "run" && os.Args[2] == "--config" {
		os.Exit(program(os.Args[3]))
	}
	os.Exit(m.Run())
}

func program(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 2
	}
	what, port, _ := strings.Cut(string(text), " ")
	fmt.Println("this is", what)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if what == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	}
	switch what {
	case "broken":
		return 3
	case "short":
		return 0
	case "ready", "late", "stubborn":
		status := http.StatusServiceUnavailable
		if what != "late" {
			status = http.StatusOK
		}
		go func() {
			_ = http.ListenAndServe(
				"127.0.0.1:"+port,
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }),
			)
		}()
	}
	<-stop
	return 0
}

// start runs a stand-in, which has until limit to end once it is asked to.
func start(t *testing.T, what string, limit time.Duration) *process {
	t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, "%s %d", what, ports[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(what, filepath.Base(self), config, ports[0], limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// gone reports whether the process has ended and was waited for.
func (p *process) gone() bool { return p.cmd.Process.Signal(syscall.Signal(0)) != nil }

const limit = 2 * time.Minute // for what takes milliseconds on an idle machine

func TestAwait(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p := start(t, "ready", limit)
	if err := p.await(ctx); err != nil {
		t.Error(err)
	}
	if err := p.stop(); err != nil || !p.gone() {
		t.Errorf("stopped with %v, gone: %t", err, p.gone())
	}
	for what, want := range map[string]string{"broken": "exit status 3", "short": "exit status 0"} {
		p := start(t, what, limit)
		err := p.await(ctx)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "this is "+what) {
			t.Errorf("%s: %v", what, err)
		}
		if err := p.stop(); (err != nil) != (what == "broken") {
			t.Errorf("%s: stopped with %v", what, err)
		}
	}
	p = start(t, "late", limit)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.await(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestStopLeavesNothing: whatever state the processes are in.
func TestStopLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	d := &demo{processes: []*process{start(t, "ready", limit), start(t, "broken", limit), start(t, "ready", limit), start(t, "late", limit)}}
	for _, p := range []int{0, 2} {
		if err := d.processes[p].await(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for !d.processes[1].gone() {
		time.Sleep(time.Millisecond)
	}
	if err := d.processes[2].kill(); err != nil {
		t.Fatal(err)
	}
	err := d.stop()
	if err == nil || !strings.Contains(err.Error(), "broken did not stop cleanly: exit status 3") {
		t.Errorf("stopped with %v", err)
	}
	for _, p := range d.processes {
		if !p.gone() {
			t.Errorf("%s is left", p.name)
		}
	}
	stubborn := start(t, "stubborn", 100*time.Millisecond)
	if err := stubborn.await(ctx); err != nil {
		t.Fatal(err)
	}
	if err := stubborn.stop(); err == nil || !strings.Contains(err.Error(), "did not stop cleanly: signal: killed") ||
		!stubborn.gone() {
		t.Errorf("stopped with %v, gone: %t", err, stubborn.gone())
	}
}

// TestOwnGroup: a terminal's Ctrl-C reaches the demo, which stops its
// processes in order, and not the processes themselves.
func TestOwnGroup(t *testing.T) {
	p := start(t, "late", limit)
	group, err := syscall.Getpgid(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if group == syscall.Getpgrp() {
		t.Error("the process is in the demo's group")
	}
}

// TestRunCleansUp: a demo that fails or is interrupted leaves no directory.
func TestRunCleansUp(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(t.Context(), Options{Step: t.Logf}); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without the programs: %v", err)
	}
	if _, err := Run(ended, Options{Step: t.Logf}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	dir := filepath.Join(t.TempDir(), "mine")
	if _, err := Run(t.Context(), Options{Dir: dir, Step: t.Logf}); err == nil {
		t.Error("ran without the programs")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a directory of the caller's own was removed: %v", err)
	}
}

func TestReportPrints(t *testing.T) {
	var out strings.Builder
	r := Report{Addresses: 1200, SpendAccepted: true, SignedWithOneNodeDown: false}
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"addresses generated", "1200", "accepted", "NO"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
