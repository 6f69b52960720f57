package worker

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// member is a node of one manifest: its machine, its keystore, its session key and its
// heartbeats.
type member struct {
	host *Worker
	cfg  Config // with this member's manifest, index and storage
	log  *slog.Logger

	keys     [3]*secret.Bytes // host, seed, seal: until the machine has them
	run      *machine.Runner[*node]
	node     *node // the runner's; Judge may be called beside a step
	store    *keystore.Store
	attester *attester
	sessions *sessions
	beat     *presence.Beat
	twin     atomic.Pointer[presence.TwinError] // why this member ends

	obedience  obedience
	heard      []byte                   // freezes that the process knew when the member began
	accepted   atomic.Pointer[accepted] // what its operator approved to follow; nil: nothing
	unapproved atomic.Pointer[error]    // why that can't be read
	undealt    atomic.Pointer[[32]byte] // to what no deal leaves: that it does is not kept
	learnt     chan struct{}            // closed once the lineage is read

	keptLineage *wire.Lineage         // on the disk; owned by the clock
	serving     func()                // ends ServeHoldings; nil before
	keysID      string                // the incarnation of KEYS that the cursor belongs to
	ticks       int                   // since the start; owned by the clock
	unwritten   atomic.Pointer[error] // why the keystore did not take the last write
}

func newMember(w *Worker, manifest *wire.Manifest, index int) *member {
	m := &member{host: w, cfg: w.cfg, log: w.cfg.Log, learnt: make(chan struct{})}
	m.cfg.Manifest, m.cfg.Index, m.cfg.Storage = manifest, index, StorageOf(w.cfg.Storage, manifest)
	if manifest != w.cfg.Manifest {
		m.log = m.log.With("manifest", shortHash(manifest.Hash()))
	}
	return m
}

// hosted reports whether the member is of a later manifest than the configured one.
func (m *member) hosted() bool { return m != m.host.member }

// begin builds what the member runs on its keystore, which is open.
func (m *member) begin() (err error) {
	lineage := m.ancestry()
	if m.node, err = m.machine(lineage); err != nil {
		return err
	}
	m.run = machine.New(machine.Config[*node]{
		Machine: m.node, Lock: &m.host.lock, Lineage: lineage, Manifest: m.cfg.Manifest, Bus: m.cfg.Bus,
		Log:    m.log,
		Tracer: m.cfg.Tracer, Spans: []tracing.Attribute{tracing.Node(m.cfg.Index)},
		Observe: m.report, Start: m.start, Perform: m.perform, Tick: m.tick,
	})
	m.attester = newAttester(m.cfg.Manifest, m.cfg.Provider.SignOnce, m.cfg.Observe.ProviderCoalesced)
	if m.cfg.Tracer != nil {
		m.attester.Begin = m.deviceCall
	}
	m.sessions = newSessions(m.cfg.Manifest, m.cfg.Index, m.attester)
	m.sessions.unleased = true
	m.beat = m.newBeat()
	return nil
}

// runMember works until ctx ends or the member can't go on.
func (m *member) runMember(ctx context.Context) error {
	err := m.run.Run(ctx)
	if m.run.Started() {
		m.saveCursor()
		m.keepLineage()
		m.keepFreezes()
	}
	return err
}

// stop ends a member but for its keystore.
func (m *member) stop() {
	if m.serving != nil {
		m.serving()
	}
	if m.run == nil { // it never began
		m.wipe()
		return
	}
	m.run.Step(protocol.Stop{})
	m.sessions.wipe()
}
