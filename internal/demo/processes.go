package demo

import (
	"context"
	"errors"
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
	log   string
	ended chan error
}

// binary finds a program beside the running one.
func binary(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not beside %s: build all programs with make build", name, self)
	}
	return path, nil
}

// startProcess runs a program with a configuration file; what it says goes to
// a file beside it.
func startProcess(name, path, config string, port int) (*process, error) {
	p := &process{
		name: name, ready: fmt.Sprintf("http://127.0.0.1:%d/readyz", port), ended: make(chan error, 1),
		log: config + ".log", cmd: exec.Command(path, "run", "--config", config),
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// The children end with the demo, however it ends.
	p.cmd.SysProcAttr = command.ChildAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// startTime is how long a program may take to get ready.
const startTime = time.Minute

// await waits until the program says that it is ready.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !p.isReady(ctx) {
		select {
		case err := <-p.ended:
			p.ended <- err
			tail, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended at start: %s\n%s", p.name, p.cmd.ProcessState, tail)
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w (see %s)", p.name, ctx.Err(), p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (p *process) isReady(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
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
	p.ended <- <-p.ended
	return nil
}

// stopTime is how long a program may take to drain.
const stopTime = 20 * time.Second

// stop asks the program to drain and waits for it. One that had ended before,
// unasked, or does not drain within the limit is an error; none is left running.
func (p *process) stop(limit time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), p.kill())
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			return fmt.Errorf("%s did not stop cleanly: %w (see %s)", p.name, err, p.log)
		}
		return nil
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not stop within %s of SIGTERM", p.name, limit), p.kill())
	}
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
