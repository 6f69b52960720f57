package chaos

import (
	"bytes"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/internal/command"
)

// children are the programs that run. All are started here.
var children running

type running struct {
	mu    sync.Mutex
	ended bool
	all   map[*exec.Cmd]bool
}

var errEnded = errors.New("the run is being ended")

// start starts a program, unless everything is being ended. It ends with this process,
// however that ends. Who starts it waits for it with wait.
func (r *running) start(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return errEnded
	}
	if err := command.StartChild(cmd); err != nil {
		return err
	}
	if r.all == nil {
		r.all = map[*exec.Cmd]bool{}
	}
	r.all[cmd] = true
	return nil
}

func (r *running) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, cmd)
	return err
}

// output runs a program to its end, and gives what it says.
func (r *running) output(cmd *exec.Cmd) (string, error) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := r.start(cmd)
	if err == nil {
		err = r.wait(cmd)
	}
	return said.String(), err
}

// dying is how long killed programs have to be gone.
const dying = 5 * time.Second

// end kills all, with what they started, and lets nothing start any more.
func (r *running) end() {
	r.mu.Lock()
	r.ended = true
	for cmd := range r.all {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its group
		_ = cmd.Process.Kill()
	}
	r.mu.Unlock()
	for deadline := time.Now().Add(dying); r.count() > 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *running) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}
