package launch

import (
	"context"
	"errors"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Gateway runs a gateway until ctx ends, with the embedded bus in front of it
// if its file asks for one.
func Gateway(ctx context.Context, g *config.Gateway, o Options) error {
	o.setLevel(g.Log.Level)
	o.Log = o.Log.With("gateway", g.Gateway.Name)
	p := newProgram(o, telemetry.RoleGateway, g.Gateway.Name)
	var errManifest, errAccess error
	p.manifest, errManifest = g.LoadManifest()
	p.access, errAccess = LoadAccess(g.Gateway.Access)
	key, errKey := config.LoadKey(g.Gateway.KeyFile)
	if err := errors.Join(errManifest, errAccess, errKey); err != nil {
		return err
	}
	defer clear(key)
	defer p.stop()
	log, err := p.auditLog(g.Gateway.AuditPath)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the gateway does, if it runs
	works, compared, audits := waiting("gateway", "starting"), waiting("register", notYet), waiting("audit", notYet)
	serves, checks := waiting("http", notYet), waiting("crosscheck", notYet)
	audits.open(log.Err)
	gates := []*gate{works, p.connected, p.streams, audits, checks, p.lag, p.agrees, p.reloads, compared}
	if g.HTTPOn() {
		gates = append(gates, serves)
	}
	if err := p.start(ctx, g.Server, gates...); err != nil {
		return err
	}
	if g.Bus.Embedded {
		p.connected.wait("opening the embedded NATS server's store: the log says which stream it is at")
	}
	shutdown, err := p.embed(ctx, g.Bus)
	if err != nil {
		return err
	}
	p.ends = append(p.ends, shutdown)
	if g.Bus.Embedded {
		p.metrics.Disk("bus", g.Bus.StorePath)
	}
	var lineage *wire.Lineage
	if err := p.connect(ctx, g.Bus, func(conn *bus.Bus) (err error) {
		lineage, err = p.prepare(ctx, conn, g)
		return err
	}); err != nil {
		return err
	}
	observe, memory := p.remember(g)
	var gw *gateway.Gateway
	known, err := p.openDirectory(ctx, g, log, func() *gateway.Gateway { return gw })
	if err != nil {
		return err
	}
	cfg := gateway.Config{
		Manifest: p.manifest, Lineage: lineage, Access: p.access, Name: p.name, Key: key,
		Bus: p.conn, Log: p.Log, Observe: observe, Tracer: p.tracer, Offset: p.watcher.Offset,
		Build: command.Version(), Audit: log, CompactEntries: g.Gateway.CompactEntries,
	}
	if known != nil {
		cfg.Directory = known
	}
	gw = gateway.New(cfg)
	if known != nil {
		p.runDirectory(known)
	}
	things, err := p.serveHTTP(ctx, g, gw, log, memory, known, serves)
	if err != nil {
		return err
	}
	p.reload(ctx, append(append(p.busTLS(ctx, g.Bus.Files), things...), p.gatewaySettings(g),
		accessList(g.Gateway.Access, func() []*wire.Manifest { return gw.Lineage().Chain() }, p.access, gw.SetAccess))...)
	telemetry.Gauge(p.registry, "jobs_in_work", "Jobs that this gateway is working on.",
		func() float64 { jobs, _ := gw.Stats(); return float64(jobs) })
	telemetry.Gauge(p.registry, "keys", "Keys in this gateway's directory.",
		func() float64 { _, keys := gw.Stats(); return float64(keys) })
	p.registerMetrics(gw)
	p.metrics.Demand(gw.Demand)
	p.metrics.Freezes(gw.Frozen)
	p.metrics.CrossCheck(gw.CrossCheck())
	p.metrics.Presence(gw.Manifests, gw.Heard)
	p.metrics.Resharing(gw.Resharing)
	p.metrics.Fork(func() error { return forkOf(gw.Lineage()) })
	p.metrics.Audit(log.Stats)
	p.metrics.AuditRewound(gw.AuditRewound)
	p.followLineage(ctx, gw, g.Bus.Embedded)
	works.open(gw.Ready)
	compared.open(reconciled(gw))
	checks.open(gw.CrossCheck().Stopped)
	ready := gw.Ready
	if g.HTTPOn() {
		ready = func() error { return errors.Join(gw.Ready(), serves.Fail()) }
	}
	defer whenReady(ctx, ready, p.Ready)()
	return gw.Run(ctx)
}

// auditLog opens a gateway's, if its file names a folder for one.
func (p *program) auditLog(dir string) (*audit.Writer, error) {
	if dir == "" {
		p.Log.Info("no audit log: [gateway] audit_path names no folder for one")
		return nil, nil
	}
	return audit.Open(audit.Config{
		Dir: dir, By: p.name, Role: p.role, Manifest: manifestHash(p.manifest), Log: p.Log,
	})
}

// prepare makes the streams on a bus of the gateway's own. On any other the
// administrator does (frostctl bus apply); only the streams in memory, which
// a restarted server forgets, are put back. It returns the manifests that KEYS has reasons for.
func (p *program) prepare(ctx context.Context, conn *bus.Bus, g *config.Gateway) (*wire.Lineage, error) {
	if g.Bus.Embedded {
		if err := p.applyEmbedded(ctx, conn); err != nil {
			return nil, err
		}
	} else {
		if err := conn.Restore(ctx); err != nil {
			p.Log.Warn("memory streams not restored", "err", err)
		}
		if err := p.awaitStreams(ctx, conn.CheckServing); err != nil {
			return nil, err
		}
	}
	lineage, err := readLineage(ctx, conn, p.manifest, p.Log)
	if err == nil && g.Bus.Embedded {
		err = grow(ctx, conn, lineage)
	}
	return lineage, err
}
