package launch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// Observer records what a program's parts report.
type Observer interface {
	bus.Observer
	gateway.Observer
	keyprovider.Observer
	worker.Observer
}

// program is what a worker and a gateway have in common. It starts in steps, and
// stop ends what has started, the last first.
type program struct {
	Options
	role, name string

	manifest *wire.Manifest
	access   *wire.Access

	tracer   *tracing.Tracer
	registry *prometheus.Registry
	metrics  *telemetry.Metrics
	conn     *bus.Bus
	watcher  *buswatch.Watcher
	ends     []func()

	connected, streams, lag, agrees, reloads *gate // checks of readiness
}

func newProgram(o Options, role, name string) *program {
	return &program{
		Options: o, role: role, name: name, connected: waiting("bus", notYet),
		streams: waiting("streams", notYet), lag: waiting("lag", notYet),
		agrees: waiting("manifest", notYet), reloads: waiting("reload", notYet),
	}
}

// manifests is the configured one.
func (p *program) manifests() []*wire.Manifest { return []*wire.Manifest{p.manifest} }

// closeTime bounds how long a program that stops waits for the bus and for
// HTTP requests, sendTime for its traces' collector.
const (
	closeTime = 10 * time.Second
	sendTime  = 5 * time.Second
)

// atEnd has stop close something that is called what.
func (p *program) atEnd(what string, limit time.Duration, stop func(context.Context) error) {
	p.ends = append(p.ends, func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := stop(ctx); err != nil {
			p.Log.Warn(what, "err", err)
		}
	})
}

func (p *program) stop() {
	for _, end := range slices.Backward(p.ends) {
		end()
	}
}

// start starts what tells of the rest: traces, metrics, and the server of a
// [server] section, which answers whether the gates are open. Port 0 is no server.
func (p *program) start(ctx context.Context, s config.Server, gates ...*gate) (err error) {
	if p.tracer, err = tracing.Start(ctx, "frost-"+p.role, p.name, command.Version(), p.Log); err != nil {
		return err
	}
	p.atEnd("tracing", sendTime, p.tracer.Stop)
	p.registry = telemetry.NewRegistry()
	p.metrics = telemetry.NewMetrics(p.registry, telemetry.Identity{
		Role: p.role, Name: p.name, Fleet: p.manifest.Fleet, Manifest: manifestHash(p.manifest),
		Version: command.Version(), Nodes: p.manifest.N, Threshold: p.manifest.T,
	})
	if p.Observe == nil {
		p.Observe = p.metrics
	}
	if s.Port == 0 {
		return nil
	}
	var checks []telemetry.Check
	for _, g := range gates {
		checks = append(checks, telemetry.Check{Name: g.name, Fail: g.Fail})
	}
	server, err := telemetry.Listen(s.Host, s.Port, p.registry, checks, p.Log)
	if err != nil {
		return err
	}
	p.Log.Info("listening", "address", server.Addr())
	p.atEnd("health server", closeTime, server.Shutdown)
	return nil
}

// connect reaches the bus, has prepare see to its streams, and watches it.
func (p *program) connect(ctx context.Context, b config.Bus, prepare func(*bus.Bus) error) (err error) {
	p.connected.wait("connecting to NATS")
	isGateway := p.role == telemetry.RoleGateway
	p.conn, err = bus.Connect(ctx, bus.Options{
		Fleet: p.manifest.Fleet, Nodes: p.manifest.N, URL: b.URL, InOrder: true, Name: p.name, Files: b.Files,
		Embedded: p.Embedded, Logger: p.Log,
		Waiting: func(err error) { p.connected.wait("connecting to NATS: " + err.Error()) },
		Observe: p.Observe, RestoreMemory: isGateway, Replicas: b.Replicas,
	})
	if err != nil {
		return err
	}
	p.atEnd("bus", closeTime, p.conn.Close)
	p.connected.wait("waiting for the fleet's streams: frostctl bus apply")
	if err := prepare(p.conn); err != nil {
		return err
	}
	p.connected.open(p.conn.Healthy)
	p.watcher = buswatch.New(p.conn, buswatch.Options{Log: p.Log, AllStreams: isGateway, Embedded: p.Embedded})
	p.streams.open(streamsCheck(p.conn, p.watcher))
	p.lag.open(p.watcher.Lagging)
	p.watch(ctx)
	return nil
}

// awaitStreams waits for the streams to be there: they may be applied a moment
// after the workers start.
func (p *program) awaitStreams(ctx context.Context, check func(context.Context) error) error {
	for tries := 0; ; tries++ {
		err := check(ctx)
		switch {
		case err == nil:
			return nil
		case tries == 0:
			p.Log.Info("waiting for the fleet's streams: the administrator runs frostctl bus apply")
		case tries%30 == 5:
			p.Log.Warn("still waiting for the fleet's streams", "err", err)
		}
		if ended := backoff.Sleep(ctx, time.Second); ended != nil {
			return errors.Join(err, ended)
		}
	}
}

// whenReady calls f once fail returns nil. The returned function ends the wait;
// f is not called after it.
func whenReady(ctx context.Context, fail func() error, f func()) (stop func()) {
	if f == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for fail() != nil {
			if backoff.Sleep(ctx, 5*time.Millisecond) != nil {
				return
			}
		}
		f()
	})
	return func() { cancel(); waiting.Wait() }
}
