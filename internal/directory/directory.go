package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what a directory is made of.
//
// A program that runs a gateway opens it once it is connected, hands it to the gateway as its
// Config.Directory, calls Run beside the gateway's own Run with a context that ends after that
// (it gives what it verifies to the directory), and Close after both. Its Known is the gateway's
// Lineage and its Access the list as it is reloaded: functions, as the gateway is made later.
type Config struct {
	Path     string // of the file, which is made where there is none
	Bus      *bus.Bus
	Manifest *wire.Manifest          // the configured one: all of the fleet's have its name and network
	Known    func() wire.ManifestSet // the manifests that the program goes by: gateway.Lineage
	Access   func() *wire.Access     // whose results count
	Audit    *audit.Writer           // of who changed labels; nil: none is written
	Log      *slog.Logger            //
	Now      func() time.Time        // the program's clock; nil: the machine's
}

// Directory answers from its file. All methods may be called concurrently.
type Directory struct {
	cfg     Config
	id      identity
	file    atomic.Pointer[store]
	changes chan change
	watch   watchers
	index   indexer
	given   given
	entries entries

	mu       sync.Mutex
	applied  map[bus.Stream]position // in the file
	progress chan struct{}           // closed with each commit, and made anew
	failing  error                   // why nothing can be written
	caught   map[bus.Stream]bool     // all was read that was stored at the start

	keys, jobs atomic.Int64
}

// position is how far a stream was read.
type position struct {
	ID  string `json:"id"` // of the stream, by its creation
	Seq uint64 `json:"seq"`
}

// Open opens the directory of a fleet. A file that is damaged, of another fleet or of another
// format is deleted, and made anew as if there was none.
func Open(ctx context.Context, cfg Config) (*Directory, error) {
	keys, err := cfg.Bus.StreamID(ctx, bus.Keys)
	if err != nil {
		return nil, err
	}
	return openFor(cfg, keys)
}

// openFor is Open for an incarnation of KEYS.
func openFor(cfg Config, keys string) (*Directory, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	id := cfg.Manifest.FleetID()
	d := &Directory{
		cfg: cfg, changes: make(chan change, maxQueued), progress: make(chan struct{}),
		id: identity{formatVersion, fmt.Sprintf("%x", id), cfg.Manifest.Network, keys},
	}
	d.watch.init()
	d.index.init()
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

// open opens the file, and reads from it how far it is.
func (d *Directory) open() error {
	s, err := openStore(d.cfg.Path, d.id, d.cfg.Log)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.caught = map[bus.Stream]bool{}
	if err := d.resume(s); err != nil {
		return errors.Join(err, s.close())
	}
	d.file.Store(s)
	return nil
}

// Close closes the file. Nothing may be called any more.
func (d *Directory) Close() error {
	d.watch.close()
	return d.file.Load().close()
}

// Ready returns what keeps the directory from answering for everything: nil once it has read
// all that was stored when it was opened.
func (d *Directory) Ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return fmt.Errorf("the directory's file can't be written: %w", d.failing)
	}
	for _, s := range append([]bus.Stream{bus.Keys}, followed...) {
		if !d.caught[s] {
			return fmt.Errorf("%w: %s", ErrBehind, s)
		}
	}
	if d.entries.behind() {
		return fmt.Errorf("%w: %s", ErrBehind, bus.Keys)
	}
	return nil
}

// Stats are the directory's figures, for metrics.
type Stats struct {
	Keys, Jobs int
	Bytes      int64 // of the file
	Waiting    int   // messages that were read and are not in the file yet
	Unindexed  int   // batches whose addresses are not
}

// Stats is how much there is.
func (d *Directory) Stats() Stats {
	return Stats{
		Keys: int(d.keys.Load()), Jobs: int(d.jobs.Load()), Bytes: d.file.Load().size(),
		Waiting: len(d.changes), Unindexed: int(d.index.todo.Load()),
	}
}
