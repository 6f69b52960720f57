package worker

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// One process runs as a node. Its heartbeats are its lease (package presence): until
// it has that it publishes nothing else, and when another process has it this one
// ends, before its next share leaves.

var errUnleased = errors.New("not sure yet that no other process runs as this node")

// newBeat makes this node's heartbeats.
func (w *Worker) newBeat() *presence.Beat {
	m, index := w.cfg.Manifest, w.cfg.Index
	opener := wire.NewOpener(m, w.cfg.Access)
	return presence.New(presence.Config{
		Board: w.cfg.Bus, Manifest: m, Build: w.cfg.Build, Log: w.log,
		Subject: m.NodePresence(index), Twin: m.TwinPresence(index),
		Seal: func(_ context.Context, subject string, body []byte) ([]byte, error) {
			return w.sessions.sealHeartbeat(subject, body)
		},
		Open: func(msg wire.LogMessage) (*wire.Heartbeat, error) {
			opener.SetAccess(w.access.Load())
			opener.SetTime(clock.Now())
			_, h, err := opener.Heartbeat(msg)
			return h, err
		},
		Load: func(h *wire.Heartbeat) {
			w.run.With(func(n *node) {
				dealing, nonces := n.Sessions()
				h.InFlight, h.Holdings = uint32(dealing+nonces), n.Holdings().Root()
			})
			h.Backlog = uint32(w.run.Waiting())
			h.Audit, h.Policy = wire.AuditHead(w.audit.Head()), w.PolicyHash()
		},
		Lost: w.lost,
	})
}

// takeLease lets the node speak once no other process does as this node.
func (w *Worker) takeLease(ctx context.Context) {
	if w.beat.Take(ctx) == nil {
		w.sessions.lease()
		w.beat.Start()
	}
}

// lost ends this process: another one runs as this node. What it has sealed must not
// leave any more.
func (w *Worker) lost(twin *presence.TwinError) {
	w.twin.Store(twin)
	w.sessions.end()
	w.run.Fail(twin)
}

// leaveTime is how long the last heartbeat may take.
const leaveTime = 2 * time.Second

// leave says that this process has ended, so that the next need not wait.
func (w *Worker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	w.beat.Stop(ctx)
}
