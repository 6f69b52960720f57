package fleettest

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// PID is the process id of a program that runs: NodeName(i), GatewayName, or
// "bus".
func (p *Processes) PID(name string) int { return p.running[name].Process.Pid }

// Signal sends a program a signal: SIGSTOP makes it stand still, SIGCONT go on.
func (p *Processes) Signal(name string, s syscall.Signal) {
	p.t.Helper()
	if err := p.running[name].Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Storage is node i's storage_path.
func (p *Processes) Storage(i int) string {
	p.t.Helper()
	n, err := launch.LoadNode(filepath.Join(p.Dir, fleet.NodeFile(i)))
	if err != nil {
		p.t.Fatal(err)
	}
	return n.Node.StoragePath
}

// WipeNode removes what node i stored; it must have been killed.
func (p *Processes) WipeNode(i int) {
	p.t.Helper()
	if err := os.RemoveAll(p.Storage(i)); err != nil {
		p.t.Fatal(err)
	}
}
