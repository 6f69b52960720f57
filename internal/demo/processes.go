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
func startProcess(name, program, config string, port int) (*process, error) {
	path, err := binary(program)
	if err != nil {
		return nil, err
	}
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
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// await waits until the program says that it is ready.
func (p *process) await(ctx context.Context) error {
	for {
		if resp, err := http.Get(p.ready); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			tail, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended at start: %w\n%s", p.name, err, tail)
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w", p.name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the program at once, as a power cut would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	err := <-p.ended
	p.ended <- err
	return nil
}

// stop asks the program to drain and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return err
	}
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("%s did not stop cleanly: %w (see %s)", p.name, err, p.log)
		}
		return nil
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("%s did not stop within 20 seconds of SIGTERM", p.name)
	}
}

// freePorts finds n TCP ports on loopback that nobody listens on.
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
