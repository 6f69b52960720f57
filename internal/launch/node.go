package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// Node runs a worker until ctx ends. What this machine alone can tell is checked
// before anything is dialed. The HTTP server answers from the beginning, so that
// /readyz says what a node waits for.
func Node(ctx context.Context, n *config.Node, o Options) (err error) {
	o.setLevel(n.Log.Level)
	o.Log = o.Log.With("node", n.Node.Index)
	p := newProgram(o, telemetry.RoleWorker, fmt.Sprintf("worker-%d", n.Node.Index))
	var errManifest, errAccess error
	p.manifest, errManifest = n.LoadManifest()
	p.access, errAccess = LoadAccess(n.Node.Access)
	rules, errPolicy := loadPolicy(n)
	if err := errors.Join(requireDerivationKey(n), errManifest, errAccess, errPolicy); err != nil {
		return err
	}
	if err := worker.CheckFreezes(worker.StorageOf(n.Node.StoragePath, p.manifest), p.manifest); err != nil {
		return err
	}
	defer p.stop()
	opens, stores := waiting("key_provider", "opening"), waiting("keystore", notYet)
	audits, checks := waiting("audit", notYet), waiting("crosscheck", notYet)
	works, follows := waiting("worker", "starting"), waiting("lineage", notYet)
	gates := []*gate{opens, p.connected, p.streams, stores, audits, checks, p.lag, p.agrees, follows, p.reloads, works}
	if err := p.start(ctx, n.Server, gates...); err != nil {
		return err
	}
	if n.Exit.Allow {
		p.Log.Warn("[exit] allow = true: the shares of this node may be exported while its worker is stopped; take it out "+
			"once that is done", "recipient", n.Exit.Recipient)
	}
	if rules != nil {
		p.metrics.Rules(rules.Rules())
	}
	p.metrics.ForProvider(n.Node.KeyProvider.Backend, n.Node.KeyProvider.Section.Charges())
	device, err := p.device(ctx, n, opens)
	if err != nil {
		return err
	}
	p.ends = append(p.ends, func() { err = errors.Join(err, device.Close()) })
	var w *worker.Worker
	if err := p.connect(ctx, n.Bus, func(conn *bus.Bus) (err error) {
		w, err = worker.New(ctx, worker.Config{
			Manifest: p.manifest, Access: p.access, Index: n.Node.Index, Storage: n.Node.StoragePath,
			AuditPath: AuditPath(n), Policy: rules,
			Provider: device, DeviceUse: p.metrics.DeviceUse, Bus: conn, Log: p.Log, Observe: p.Observe, Tracer: p.tracer,
			Build: command.Version(), Clock: func() (at, stream time.Time, ok bool) { return p.watcher.StreamTime() },
		})
		if err != nil {
			return err
		}
		// An administrator who makes the streams asks first what nodes hold.
		if err = w.ServeHoldings(); err == nil {
			err = p.awaitStreams(ctx, conn.CheckStreams)
		}
		if err != nil {
			return errors.Join(err, w.Close())
		}
		return nil
	}); err != nil {
		return err
	}
	things := append(p.busTLS(ctx, n.Bus.Files), p.nodeSettings(n),
		accessList(n.Node.Access, w.Known, p.access, w.SetAccess))
	if rules != nil { // a node that starts without a policy has none until it starts again
		p.Log.Info("policy in force", "file", n.Node.Policy, "hash", hashText(w.PolicyHash()))
		things = append(things, policyOf(n, w.PolicyHash(), func(next *policy.Policy) error {
			p.metrics.Rules(next.Rules())
			return w.SetPolicy(next)
		}))
	}
	p.reload(ctx, things...)
	works.open(w.Ready)
	follows.open(w.Lineage)
	stores.open(w.Keystore)
	audits.open(w.Audit().Err)
	checks.open(w.CrossCheck().Stopped)
	p.nodeMetrics(w, n.Node.StoragePath)
	defer whenReady(ctx, w.Ready, p.Ready)()
	return w.Run(ctx)
}

// AuditPath is the folder of a node's audit log, in its storage_path.
func AuditPath(n *config.Node) string { return filepath.Join(n.Node.StoragePath, "audit") }

// device opens a node's, and waits for one that may come back.
func (p *program) device(ctx context.Context, n *config.Node, opens *gate) (_ *keyprovider.Supervised, err error) {
	p.Observe.ProviderState(keyprovider.ErrClosed) // down, and not because of the device
	back := p.Device
	if back == nil {
		back, err = OpenProvider(ctx, n, ProviderOptions{
			Options: keyprovider.Options{
				Pinned: p.manifest.Identity(n.Node.Index), Observe: p.Observe.ProviderCall, Log: p.Log, AskPIN: p.PIN,
			},
			Waiting: func(err error) { opens.wait(err.Error()); p.Observe.ProviderState(err) },
		})
	}
	if err != nil {
		return nil, err
	}
	p.Observe.ProviderState(nil)
	supervised := keyprovider.Supervise(back, Policy(n), p.Observe)
	opens.open(supervised.Ready)
	return supervised, nil
}

// nodeMetrics registers what only a running worker can tell.
func (p *program) nodeMetrics(w *worker.Worker, storage string) {
	p.metrics.Disk("storage", storage)
	p.metrics.Keystore(filepath.Join(worker.StorageOf(storage, p.manifest), keystore.FileName))
	p.metrics.Nonces(w.NonceCounts)
	p.metrics.Audit(w.Audit().Stats)
	p.metrics.Freezes(w.Frozen)
	p.metrics.CrossCheck(w.CrossCheck())
	telemetry.Gauge(p.registry, "keys", "Keys that this node holds a share of.",
		func() float64 { _, keys, _, _ := w.Stats(); return float64(keys) })
	p.metrics.Fork(w.Fork)
	telemetry.Gauge(p.registry, "manifests", "Manifests that this process has a node of.",
		func() float64 { return float64(w.Manifests()) })
	telemetry.Gauge(p.registry, "batches_in_work", "Batches that this node is dealing in.",
		func() float64 { _, _, dealing, _ := w.Stats(); return float64(dealing) })
	telemetry.Gauge(p.registry, "nonces_held", "Signing sessions for which this node holds nonces.",
		func() float64 { _, _, _, nonces := w.Stats(); return float64(nonces) })
	telemetry.Gauge(p.registry, "session_key_expires_timestamp_seconds",
		"Until when this node speaks with its session key, unless that is renewed; 0 while it has none.",
		func() float64 {
			until := w.SpeaksUntil()
			if until.IsZero() {
				return 0
			}
			return float64(until.UnixMilli()) / 1000
		})
}
