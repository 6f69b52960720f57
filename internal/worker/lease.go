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
func (m *member) newBeat() *presence.Beat {
	manifest, index := m.cfg.Manifest, m.cfg.Index
	opener := wire.NewOpener(manifest, m.cfg.Access)
	return presence.New(presence.Config{
		Board: m.cfg.Bus, Manifest: manifest, Build: m.cfg.Build, Log: m.log,
		Subject: manifest.NodePresence(index), Twin: manifest.TwinPresence(index),
		Seal: func(_ context.Context, subject string, body []byte) ([]byte, error) {
			return m.sessions.sealHeartbeat(subject, body)
		},
		Open: func(msg wire.LogMessage) (*wire.Heartbeat, error) {
			opener.SetAccess(m.host.access.Load())
			opener.SetTime(clock.Now())
			_, h, err := opener.Heartbeat(msg)
			return h, err
		},
		Load: func(h *wire.Heartbeat) {
			m.run.With(func(n *node) {
				dealing, nonces := n.Sessions()
				h.InFlight, h.Holdings = uint32(dealing+nonces), n.Holdings().Root()
			})
			h.Backlog = uint32(m.run.Waiting())
			h.Audit, h.Policy = wire.AuditHead(m.host.audit.Head()), m.host.PolicyHash()
			h.Approval = m.approved()
			if m.cfg.DeviceUse != nil {
				h.Device = m.cfg.DeviceUse()
			}
		},
		Lost: m.lost,
	})
}

// takeLease lets the node speak once no other process does as this node.
func (m *member) takeLease(ctx context.Context) {
	if m.beat.Take(ctx) == nil {
		m.sessions.lease()
		m.beat.Start()
	}
}

// lost ends this process at once: another one runs as this node. What it has sealed must not
// leave any more, so there is nothing to wait for.
func (m *member) lost(twin *presence.TwinError) {
	m.twin.Store(twin)
	m.sessions.end()
	m.run.Abandon(twin)
}

// leaveTime is how long the last heartbeat may take.
const leaveTime = 2 * time.Second

// leave says that this process has ended, so that the next need not wait.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	m.beat.Stop(ctx)
}
