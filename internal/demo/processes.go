package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/internal/command"
)

// process is one of the fleet's programs, as its own process.
type process struct {
	name  string
	ready string // URL of /readyz
	cmd   *exec.Cmd
	drain context.CancelFunc
	log   string
	ended chan struct{} // closed once cmd was waited for
}

// startProcess runs a program that is beside the running one with a
// configuration file; what it says goes to a file beside that. Asked to drain,
// it has until limit; then it is killed.
func startProcess(name, program, config string, port int, limit time.Duration) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(self), program)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%s is not beside %s: build all programs with make build", program, self)
	}
	p := &process{
		name: name, ready: fmt.Sprintf("http://127.0.0.1:%d/readyz", port), log: config + ".log",
		ended: make(chan struct{}),
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	ctx, drain := context.WithCancel(context.Background())
	p.cmd, p.drain = exec.CommandContext(ctx, path, "run", "--config", config), drain
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = limit
	// The children end with the demo, however it ends.
	if err := command.StartChild(p.cmd); err != nil {
		drain()
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState says how it ended
		close(p.ended)
	}()
	return p, nil
}

// startTime is how long a program may take to get ready.
const startTime = time.Minute

// await waits until the program says that it is ready.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !p.isReady() {
		select {
		case <-p.ended:
			tail, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended at start: %s\n%s", p.name, p.cmd.ProcessState, tail)
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w (see %s)", p.name, ctx.Err(), p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (p *process) isReady() bool {
	probe := http.Client{Timeout: 2 * time.Second}
	resp, err := probe.Get(p.ready)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill ends the program at once, as a power cut would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	<-p.ended
	return nil
}

// stop asks the program to drain and waits for it. One that had ended before
// with an error, or had to be killed, is an error; none is left running.
func (p *process) stop() error {
	p.drain()
	<-p.ended
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s did not stop cleanly: %s (see %s)", p.name, p.cmd.ProcessState, p.log)
	}
	return nil
}

// freePorts finds n TCP ports on loopback that are free.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
