package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
)

var built struct {
	sync.Mutex
	dirs map[bool]string
}

// programs builds the fleet's programs and nats-server, once for each way. The clock
// of the fleet's programs can be set: see internal/clock.
func programs(race bool) (dir string, err error) {
	built.Lock()
	defer built.Unlock()
	if dir := built.dirs[race]; dir != "" {
		return dir, nil
	}
	if dir, err = os.MkdirTemp("", "programs-"); err != nil {
		return "", err
	}
	ours := []string{"build", "-ldflags=-w", "-tags", "chaosclock", "-o", dir}
	if race {
		ours = append(ours, "-race")
	}
	for _, args := range [][]string{
		append(ours, "github.com/frostfleet/frostfleet/cmd/..."),
		{"build", "-ldflags=-w", "-o", dir, "github.com/nats-io/nats-server/v2"},
	} {
		if out, err := children.output(exec.Command("go", args...)); err != nil {
			return "", fmt.Errorf("go %v: %w: %s", args, err, out)
		}
	}
	if built.dirs == nil {
		built.dirs = map[bool]string{}
	}
	built.dirs[race] = dir
	return dir, nil
}
