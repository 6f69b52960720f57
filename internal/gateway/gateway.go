// Package gateway runs one gateway: it takes jobs from JOBS, has the machine of
// internal/protocol cut them into tasks and aggregate what the workers publish,
// and stores the results. internal/machine runs the machine; this package performs
// the effects of a gateway (finish.go, answer.go) and holds the jobs (jobs.go).
//
// A job belongs to the gateway that JetStream delivered it to. It is kept in
// progress until its result is stored, and acknowledged then; if the gateway
// dies, JetStream hands the job to another, which finds in the log how far it
// got.
package gateway

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/crosscheck"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what a gateway is made of. The gateway closes the audit log, and nothing else.
type Config struct {
	Manifest *wire.Manifest
	Lineage  *wire.Lineage // that KEYS has; nil: the manifest alone
	Access   *wire.Access
	Name     string
	Key      ed25519.PrivateKey
	Bus      *bus.Bus
	Offset   func() time.Duration // this machine's clock minus the NATS server's; nil: none
	Log      *slog.Logger
	Build    string // this program's version, for its heartbeats
	Observe  Observer
	Tracer   *tracing.Tracer // nil: no spans
	Audit    *audit.Writer   // nil: none is written
	// CompactEntries is as in protocol.CoordinatorConfig.
	CompactEntries bool

	Directory Directory // is given what the gateway reads and computes anyway; nil: there is none
}

// Directory is a *directory.Directory. Its functions don't wait.
type Directory interface {
	// Entry takes a verified head of KEYS, which came in a message, in the order of KEYS.
	Entry(*wire.Entry, bus.Message)
	// EntriesRead says that all was given that KEYS held at the start.
	EntriesRead()
	// Computed takes keys with addresses that this gateway has computed.
	Computed([]wire.Key)
}

// noDirectory is that of a gateway without one.
type noDirectory struct{}

func (noDirectory) Entry(*wire.Entry, bus.Message) {}
func (noDirectory) EntriesRead()                   {}
func (noDirectory) Computed([]wire.Key)            {}

// Observer is called with what a gateway did, for metrics.
type Observer interface {
	Report(protocol.Report)
	Round(protocol.Round)
	JobDone(protocol.JobEnd)
}

// Tuning of the machine.
const (
	maxBatches = 4                // in work at a time
	maxBulk    = 6                // sign jobs of up to 1,000 items in work at a time
	progress   = 2 * time.Second  // how often a job that is held for longer is kept from redelivery
	readTime   = 5 * time.Second  // for one look at a stored result
	minPause   = time.Second / 10 // between attempts, doubling
	maxPause   = 5 * time.Second
	letterTime = time.Minute     // for a dead letter, before its job ends without
	backDelay  = time.Second / 2 // before a job that is given back comes again
)

// intake is a consumer of jobs.
type intake struct {
	stream  bus.Stream
	durable string
	most    int // deliveries that are handled at once
}

// Gateways share these consumers. JOBS gives as many deliveries as may be handled; of
// BULK's there may be more.
var (
	keygens    = intake{bus.Jobs, bus.GatewaysDurable(string(wire.KindKeygen)), 1024}
	signatures = intake{bus.Jobs, bus.GatewaysDurable(string(wire.KindSign)), 2048}
	bulk       = intake{bus.Bulk, bus.BulkDurable, 512}
	approvals  = intake{bus.Approvals, bus.ApprovalsDurable, 128}
)

// Gateway is one running gateway.
type Gateway struct {
	cfg         Config
	log         *slog.Logger
	run         *machine.Runner[*protocol.Coordinator]
	coordinator *protocol.Coordinator // the runner's; JudgeTask may be called beside a step
	held        deliveries
	endings     endings
	access      atomic.Pointer[wire.Access]
	changed     atomic.Pointer[chan struct{}] // closed with the next change of access
	turns       *turns                        // of suspicious jobs
	pace        pace                          // of each client's large jobs
	runs        runs                          // of each job that waits for approvals
	waits       seldom                        // that jobs wait for RESULTS
	strays      seldom                        // that something pulls jobs and drops them
	askers      askers
	beat        *presence.Beat
	oracle      *crosscheck.Checker
	heads       heads         // of others' audit logs
	blocked     string        // what keeps keys from moving, as it was logged; owned by the clock
	outlive     time.Duration // outliveTime
}

// New returns a gateway that does nothing until Run.
func New(cfg Config) *Gateway {
	if cfg.Lineage == nil {
		cfg.Lineage = wire.NewLineage(cfg.Manifest)
	}
	if cfg.Directory == nil {
		cfg.Directory = noDirectory{}
	}
	if cfg.Offset == nil {
		cfg.Offset = func() time.Duration { return 0 }
	}
	g := &Gateway{cfg: cfg, log: cfg.Log, turns: newTurns(), outlive: outliveTime, oracle: crosscheck.New(cfg.Log)}
	g.askers.begin = g.newAsker
	g.access.Store(cfg.Access)
	g.changed.Store(new(make(chan struct{})))
	g.coordinator = protocol.NewCoordinator(protocol.CoordinatorConfig{
		Name: cfg.Name, Manifest: cfg.Manifest, Lineage: cfg.Lineage, Access: cfg.Access,
		Address: chain.Address, Descriptor: chain.Descriptor,
		MaxBatches: maxBatches, MaxBulk: maxBulk, CompactEntries: cfg.CompactEntries, Oracle: g.oracle,
		Each: func(n int, do func(int)) { g.run.Each(n, do) },
	})
	g.run = machine.New(machine.Config[*protocol.Coordinator]{
		Machine: g.coordinator, Lineage: cfg.Lineage, Bus: cfg.Bus, Log: cfg.Log, Tracer: cfg.Tracer,
		Observe: g.report, Start: g.start, Perform: g.perform, Entry: cfg.Directory.Entry,
		Tick: func() { g.lookAtHeads(); g.tellResharing() },
	})
	g.beat = g.newBeat()
	return g
}

// Run works until ctx ends, and then stops as internal/machine does: intake, with
// the jobs under way given back, computations, stores.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.leave()
	g.auditStart()
	checking, stop := context.WithCancel(ctx)
	defer stop()
	go g.oracle.Run(checking)
	err := g.run.Run(ctx)
	return errors.Join(err, g.auditStop())
}

// Ready returns what keeps the gateway from working; nil if nothing does.
func (g *Gateway) Ready() error {
	if err := g.heard(); err != nil {
		return err
	}
	return g.run.Ready()
}

// CrossCheck is what another implementation says of what this gateway made for ed25519.
func (g *Gateway) CrossCheck() *crosscheck.Checker { return g.oracle }

// SetAccess replaces the access list. What it takes away ends at once.
func (g *Gateway) SetAccess(a *wire.Access) {
	g.auditAccess(a, g.access.Swap(a))
	close(*g.changed.Swap(new(make(chan struct{}))))
	g.run.Step(protocol.AccessChanged{Access: a})
}

// Access is the access list that counts now.
func (g *Gateway) Access() *wire.Access { return g.access.Load() }

// Demand tells how much waits.
func (g *Gateway) Demand() (demand protocol.Demand) {
	g.run.With(func(c *protocol.Coordinator) { demand = c.Demand() })
	return demand
}

// Stats counts the jobs in work and the keys in the directory.
func (g *Gateway) Stats() (jobs, keys int) {
	g.run.With(func(c *protocol.Coordinator) { jobs, keys = c.Jobs(), c.Keys() })
	return jobs, keys
}

// Frozen is what this gateway knows to be frozen.
func (g *Gateway) Frozen() *wire.Frozen { return g.coordinator.Frozen() }
