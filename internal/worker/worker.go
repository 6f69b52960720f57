// Package worker runs a node: it feeds the machine of internal/protocol with what the
// bus, the key provider and the keystore return, and does what the machine asks for.
//
//	bus -> protocol.Node -> key provider, keystore -> bus
//
// internal/machine runs the machine; this package performs the effects of a node:
// it publishes (publish.go), keeps batches (store.go) and starts where the last
// run stopped (start.go). Order matters in one place only: a batch is stored, then
// the HSM signs its certificate, then the certificate is published.
//
// A fleet changes by another manifest, and for a while its keys are under both. So a
// Worker, which is a process, runs a member (member.go) for each manifest that has a node
// with its device's keys: that of its configuration, and those that follow (hosting.go).
// Members share the key provider, the bus, the access list, the audit log, and the policy
// with its ledger. For that one's sake their machines take one lock (ADR 30).
package worker

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
	"github.com/frostfleet/frostfleet/internal/crosscheck"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// StandbyDelay is how long a signer of the second rank waits before it offers
// itself, beside the time that the first rank's devices may need: twice what the
// own one took.
const StandbyDelay = 100 * time.Millisecond

// Config is what a worker is made of. The worker closes none of it.
type Config struct {
	Manifest *wire.Manifest // that the file names; those that follow it come from KEYS
	Access   *wire.Access
	Index    int
	Storage  string // directory of the node: StorageOf is a manifest's part of it
	// AuditPath is the folder of the audit log; "": the node has none.
	AuditPath string
	Provider  *keyprovider.Supervised
	DeviceUse func() wire.DeviceUse // of Provider, for heartbeats; nil: they don't tell
	Policy    *policy.Policy        // what this node signs; nil: whatever its clients ask for
	Bus       *bus.Bus
	// Clock is what the clock of the server that leads WORK showed when this machine's
	// showed at. Nil: nobody measures, and no work is dropped for being late.
	Clock   func() (at, stream time.Time, ok bool)
	Build   string // this program's version, for its heartbeats
	Log     *slog.Logger
	Observe Observer
	Tracer  *tracing.Tracer // nil: no spans
}

// Observer is called with what a worker did, for metrics.
type Observer interface {
	Report(protocol.Report)
	ProviderCoalesced(digests int) // that one signature of the device served
}

// Worker is a process: the member of its configured manifest, and those of manifests that
// follow.
type Worker struct {
	*member // of the configured manifest
	cfg     Config

	lock     sync.Mutex // of all members' machines: they share the ledger
	audit    *audit.Writer
	badTasks badTasks
	access   atomic.Pointer[wire.Access]
	granted  atomic.Pointer[grant]

	rules   atomic.Pointer[rules]
	ruling  sync.Mutex            // whoever replaces them
	ledger  *policy.Ledger        // the machines', until they are stopped; nil without a policy
	unsaved atomic.Pointer[error] // why its last state is not stored

	hosting hosting
	oracle  *crosscheck.Checker // of all members
}

// openTime bounds what a worker asks of its key provider before it runs.
const openTime = time.Minute

// New checks the key provider against the manifest and opens the keystore.
func New(ctx context.Context, cfg Config) (*Worker, error) {
	if cfg.Index < 0 || cfg.Index >= cfg.Manifest.N {
		return nil, fmt.Errorf("node index %d: the manifest has nodes 0 to %d", cfg.Index, cfg.Manifest.N-1)
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := keyprovider.Check(ctx, cfg.Provider); err != nil {
		return nil, fmt.Errorf("key provider: %w", err)
	}
	if err := CheckCard(ctx, cfg.Provider, cfg.Manifest, cfg.Index); err != nil {
		return nil, err
	}
	w := &Worker{cfg: cfg, oracle: crosscheck.New(cfg.Log)}
	w.access.Store(cfg.Access)
	w.granted.Store(newGrant())
	w.member = newMember(w, cfg.Manifest, cfg.Index)
	kept, err := foundingFreezes(cfg.Storage, cfg.Manifest)
	if err != nil {
		cfg.Log.Error("what the founding manifest's member kept of freezes can't be read; CONTROL tells", "err", err)
		kept = nil
	}
	if err := w.open(ctx, kept); err != nil {
		return nil, err
	}
	if err = w.openAudit(); err == nil {
		err = w.openPolicy()
	}
	if err == nil {
		err = w.begin()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// openPolicy puts the policy in force, with the ledger of the last run.
func (w *Worker) openPolicy() error {
	r, err := w.withKeys(w.cfg.Policy)
	if err == nil {
		err = w.openLedger()
	}
	if err == nil && w.cfg.Policy != nil {
		w.rules.Store(r)
	}
	return err
}

// Run works until ctx ends, or the worker can't go on, and stops as
// internal/machine does: intake, computations, publishes, and then the keystore.
// The one call to the key provider that may be under way is told to end; the
// provider's Close waits for it.
func (w *Worker) Run(ctx context.Context) error {
	w.cfg.Provider.OnChange(func(err error) {
		for _, m := range w.all() {
			m.deviceChanged(err)
		}
	})
	w.auditStart()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go w.oracle.Run(ctx)
	hosted := make(chan struct{})
	go func() { defer close(hosted); w.hostAll(ctx) }()
	err := w.runMember(ctx)
	cancel()
	<-hosted
	err = errors.Join(err, w.auditStop())
	w.leave()
	return errors.Join(err, w.Close())
}

// Close ends a worker that was never run.
func (w *Worker) Close() error {
	w.stop()
	return errors.Join(w.audit.Close(), w.closeLedger(), w.store.Close())
}
