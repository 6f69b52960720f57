// Package worker runs one node: it feeds the machine of internal/protocol with
// what the bus, the key provider and the keystore return, and does what the
// machine asks for.
//
//	bus -> protocol.Node -> key provider, keystore -> bus
//
// internal/machine runs the machine; this package performs the effects of a node:
// it publishes (publish.go), keeps batches (store.go) and starts where the last
// run stopped (start.go). Order matters in one place only: a batch is stored, then
// the HSM signs its certificate, then the certificate is published.
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
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/presence"
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
	Manifest *wire.Manifest
	Access   *wire.Access
	Index    int
	Storage  string // directory of the keystore
	// AuditPath is the folder of the audit log; "": the node has none.
	AuditPath string
	Provider  *keyprovider.Supervised
	Policy    *policy.Policy // what this node signs; nil: whatever its clients ask for
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

// Worker is one running node.
type Worker struct {
	cfg       Config
	log       *slog.Logger
	run       *machine.Runner[*node]
	node      *node // the runner's; Judge may be called beside a step
	store     *keystore.Store
	attester  *attester
	sessions  *sessions
	beat      *presence.Beat
	audit     *audit.Writer // nil: none
	badTasks  badTasks
	twin      atomic.Pointer[presence.TwinError] // why this process ends
	access    atomic.Pointer[wire.Access]
	granted   atomic.Pointer[grant]
	obedience obedience

	serving   func()                // ends ServeHoldings; nil before
	keysID    string                // the incarnation of KEYS that the cursor belongs to
	ticks     int                   // since the start; owned by the clock
	unwritten atomic.Pointer[error] // why the keystore did not take the last write
	ledger    *policy.Ledger        // the machine's, until it is stopped; nil without a policy
	unsaved   atomic.Pointer[error] // why its last state is not stored
	rules     atomic.Pointer[rules]
	ruling    sync.Mutex // whoever replaces them
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
	w := &Worker{cfg: cfg, log: cfg.Log}
	w.access.Store(cfg.Access)
	w.granted.Store(newGrant())
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	w.run = machine.New(machine.Config[*node]{
		Machine: w.node, Lineage: wire.NewLineage(cfg.Manifest), Bus: cfg.Bus, Log: cfg.Log, Tracer: cfg.Tracer, Spans: []tracing.Attribute{tracing.Node(cfg.Index)},
		Observe: w.report, Start: w.start, Perform: w.perform, Tick: w.tick,
	})
	w.attester = newAttester(cfg.Manifest, cfg.Provider.SignOnce, cfg.Observe.ProviderCoalesced)
	if cfg.Tracer != nil {
		w.attester.Begin = w.deviceCall
	}
	w.sessions = newSessions(cfg.Manifest, cfg.Index, w.attester)
	w.sessions.unleased = true
	w.beat = w.newBeat()
	if err := w.openAudit(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Run works until ctx ends, or the worker can't go on, and stops as
// internal/machine does: intake, computations, publishes, and then the keystore.
// The one call to the key provider that may be under way is told to end; the
// provider's Close waits for it.
func (w *Worker) Run(ctx context.Context) error {
	w.cfg.Provider.OnChange(w.deviceChanged)
	w.auditStart()
	err := w.run.Run(ctx)
	if w.run.Started() {
		w.saveCursor()
		w.keepFreezes()
	}
	err = errors.Join(err, w.auditStop())
	w.leave()
	return errors.Join(err, w.Close())
}

// Close ends a worker that was never run.
func (w *Worker) Close() error {
	if w.serving != nil {
		w.serving()
	}
	w.run.Step(protocol.Stop{})
	w.sessions.wipe()
	return errors.Join(w.audit.Close(), w.closeLedger(), w.store.Close())
}
