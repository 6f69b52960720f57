package chaos

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program of the fleet, started any number of times.
type process struct {
	name string
	dir  string
	argv []string
	env  []string
	log  string // file, of all its lives

	mu      sync.Mutex
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd ended
	stopped bool          // by SIGSTOP
}

func newProcess(logs, name, dir string, env []string, argv ...string) *process {
	return &process{
		name: name, dir: dir, argv: argv, env: append(os.Environ(), env...), log: filepath.Join(logs, name+".log"),
	}
}

// start runs the program, unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		return nil
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, out, out
	if err := children.start(cmd); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.stopped = cmd, ended, false
	go func() {
		_ = children.wait(cmd)
		close(ended)
	}()
	return nil
}

// alive is for holders of mu.
func (p *process) alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive() && !p.stopped
}

// kill ends the program with SIGKILL, also one that stands still.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// end stops the program in order, and gives how it ended.
func (p *process) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return fmt.Errorf("%s does not run", p.name)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		return fmt.Errorf("%s does not end on SIGTERM", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %d: %s", p.name, code, p.tail(3))
	}
	return nil
}

// exit waits until the program has ended on its own, and gives its exit code.
func (p *process) exit(within time.Duration) (code int, err error) {
	p.mu.Lock()
	ended, cmd := p.ended, p.cmd
	p.mu.Unlock()
	select {
	case <-ended:
		return cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("%s still runs after %s", p.name, within)
	}
}

// pid of the program that was started last.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// pause makes it stand still, resume go on.
func (p *process) pause() error { return p.signal(syscall.SIGSTOP) }

func (p *process) resume() error { return p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return fmt.Errorf("%s does not run", p.name)
	}
	p.stopped = s == syscall.SIGSTOP
	return p.cmd.Process.Signal(s)
}

var crash = regexp.MustCompile(`WARNING: DATA RACE|^panic: |^fatal error: `)

// crashes finds in the log what no program may end with.
func (p *process) crashes() (all []string) {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewReader(f); err == nil; {
		var line string
		if line, err = lines.ReadString('\n'); crash.MatchString(line) {
			all = append(all, p.name+": "+strings.TrimSpace(line))
		}
	}
	return all
}

// tail is the end of what the program logged.
func (p *process) tail(lines int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
