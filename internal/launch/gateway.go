package launch

import (
	"context"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// GatewayManifest loads the manifest, and wants the gateway's file to agree.
func GatewayManifest(g *config.Gateway) (*wire.Manifest, error) {
	m, err := config.LoadManifest(g.Gateway.Manifest)
	if err == nil && g.Network.Type != "" && g.Network.Type != m.Network {
		err = fmt.Errorf("[network] type = %q, and the manifest has network %q", g.Network.Type, m.Network)
	}
	return m, err
}

// Gateway runs a gateway until ctx ends, with the embedded bus in front of it
// if its file asks for one.
func Gateway(ctx context.Context, g *config.Gateway, o Options) error {
	log := o.Log.With("gateway", g.Gateway.Name)
	m, errManifest := GatewayManifest(g)
	access, errAccess := LoadAccess(g.Gateway.Access)
	key, errKey := config.LoadKey(g.Gateway.KeyFile)
	if err := errors.Join(errManifest, errAccess, errKey); err != nil {
		return err
	}
	defer clear(key)
	tracer, sendSpans, err := trace(ctx, "frost-gateway", g.Gateway.Name, log)
	if err != nil {
		return err
	}
	defer sendSpans()
	registry := telemetry.NewRegistry()
	metrics := telemetry.NewMetrics(registry, identity(m, telemetry.RoleGateway, g.Gateway.Name))
	busCheck, gatewayCheck := waiting("connecting to NATS"), waiting("starting")
	lagCheck, manifestCheck := waiting(notYet), waiting(notYet)
	stop, err := listen(g.Server, registry, []telemetry.Check{
		{Name: "gateway", Fail: gatewayCheck.Fail}, {Name: "bus", Fail: busCheck.Fail},
		{Name: "lag", Fail: lagCheck.Fail}, {Name: "manifest", Fail: manifestCheck.Fail},
	}, log)
	if err != nil {
		return err
	}
	defer stop()
	shutdown, err := o.embed(g.Bus)
	if err != nil {
		return err
	}
	defer shutdown()
	if g.Bus.Embedded {
		metrics.Disk("bus", g.Bus.StorePath)
	}
	observe := o.observer(metrics)
	conn, err := connect(ctx, g.Bus, m, g.Gateway.Name, o, observe, true)
	if err != nil {
		return err
	}
	defer closeBus(conn, log)
	busCheck.wait("waiting for the fleet's streams: frostctl bus apply")
	if err := prepare(ctx, conn, g, o); err != nil {
		return err
	}
	watcher := buswatch.New(conn, buswatch.Options{Log: log, AllStreams: true, Embedded: o.Embedded})
	defer o.watch(ctx, conn, watcher, m, metrics, manifestCheck)()
	gw := gateway.New(gateway.Config{
		Manifest: m, Access: access, Name: g.Gateway.Name, Key: key,
		Bus: conn, Log: log, Observe: observe, Tracer: tracer, Offset: watcher.Offset,
	})
	telemetry.Gauge(registry, "jobs_in_work", "Jobs that this gateway is working on.",
		func() float64 { jobs, _ := gw.Stats(); return float64(jobs) })
	telemetry.Gauge(registry, "keys", "Keys in this gateway's directory.",
		func() float64 { _, keys := gw.Stats(); return float64(keys) })
	busCheck.open(conn.Healthy)
	lagCheck.open(watcher.Lagging)
	gatewayCheck.open(gw.Ready)
	defer whenReady(ctx, gw.Ready, o.Ready)()
	return gw.Run(ctx)
}

// prepare makes the streams on a bus of the gateway's own. On any other the
// administrator does (frostctl bus apply); only the streams in memory, which
// a restarted server forgets, are put back.
func prepare(ctx context.Context, conn *bus.Bus, g *config.Gateway, o Options) error {
	if g.Bus.Embedded {
		return conn.Apply(ctx)
	}
	if err := conn.Restore(ctx); err != nil {
		o.Log.Warn("memory streams not restored", "err", err)
	}
	return awaitStreams(ctx, conn, o.Log)
}
