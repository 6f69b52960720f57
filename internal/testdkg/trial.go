package testdkg

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// Options of a run.
type Options struct {
	Configs   []string                         // node configuration files, one per node
	Threshold int                              // 0: a majority
	PIN       pin.Source                       // asks a person; nil: nobody is there
	Log       *slog.Logger                     // of the nodes and the gateway
	Step      func(format string, args ...any) // is called at each step, for progress
}

// network of the throwaway fleet. Its addresses are worth nothing.
const network = "regtest"

const clientName = "test-dkg"

// trial is one run.
type trial struct {
	Options
	doing   string // the step that it is at
	dir     string
	devices []*device
	client  *client.Client
	report  Report
}

// step says what the run does next. An error names the step that it ended.
func (t *trial) step(format string, args ...any) {
	t.doing = fmt.Sprintf(format, args...)
	t.Step("%s", t.doing)
}

func (t *trial) fleetDir() string { return filepath.Join(t.dir, "fleet") }
func (t *trial) storeDir() string { return filepath.Join(t.dir, "bus") }

// nodeDir is the storage of node i in the run's temporary directory.
func (t *trial) nodeDir(i int) string { return filepath.Join(t.dir, fmt.Sprintf("node%d", i)) }

// elsewhere is the configuration of node i with all its files in the run's
// temporary directory.
func (t *trial) elsewhere(n *config.Node, i int) (*config.Node, error) {
	c := *n
	c.Network.Type = network
	c.Server.Port = 0
	c.Bus = config.Bus{} // the run has one of its own
	c.Node.Index, c.Node.MaxSigners, c.Node.MinSigners = i, t.report.N, t.report.T
	c.Node.StoragePath = t.nodeDir(i)
	c.Node.Manifest = filepath.Join(t.fleetDir(), "manifest.json")
	c.Node.Access = filepath.Join(t.fleetDir(), "access.toml")
	return &c, os.MkdirAll(c.Node.StoragePath, 0o700)
}
