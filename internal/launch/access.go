package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LoadAccess reads an access list.
func LoadAccess(path string) (*wire.Access, error) {
	list, err := config.LoadAccess(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: get the fleet's access.toml from its operators", err)
	}
	if err != nil {
		return nil, err
	}
	a, err := list.Wire()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// accessFollower keeps a running program's access list as its file is. A file that
// can't be read changes nothing, and makes the program unready.
type accessFollower struct {
	path     string
	manifest *wire.Manifest
	current  *wire.Access
	use      func(*wire.Access)
	check    *gate
	log      *slog.Logger
}

// follow has use take every new access list of a file, until the program stops.
func (p *program) follow(ctx context.Context, path string, now <-chan os.Signal, use func(*wire.Access)) {
	f := &accessFollower{
		path: path, manifest: p.manifest, current: p.access, use: use, check: p.listed, log: p.Log,
	}
	f.check.open(func() error { return nil })
	f.warnOfStrangers(f.current)
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { config.FollowAccess(ctx, f.path, now, f.changed) })
	p.ends = append(p.ends, func() { cancel(); following.Wait() })
}

func (f *accessFollower) changed(list *config.Access, err error) {
	var next *wire.Access
	if err == nil {
		next, err = list.Wire()
	}
	if err != nil {
		f.log.Error("access list not read; the one from before stays in use", "file", f.path, "err", err)
		f.check.wait("the list from before is in use: " + err.Error())
		return
	}
	f.check.open(func() error { return nil })
	changes := next.Changes(f.current)
	if len(changes) == 0 {
		return
	}
	for _, c := range changes {
		level := slog.LevelInfo
		if c.TakesAway {
			level = slog.LevelWarn
		}
		f.log.Log(context.Background(), level, "access list changed: "+c.Text, "file", f.path)
	}
	f.warnOfStrangers(next)
	f.current = next
	f.use(next)
}

// warnOfStrangers finds revocations that mean nobody.
func (f *accessFollower) warnOfStrangers(a *wire.Access) {
	for _, who := range a.Strangers(f.manifest) {
		f.log.Warn("access list revokes a node that the manifest does not have", "node", who, "file", f.path)
	}
	for _, name := range a.Unlisted() {
		f.log.Warn("access list revokes a gateway that it does not have", "gateway", name, "file", f.path)
	}
}
