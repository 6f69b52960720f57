// Package launch makes running programs out of configuration files. The
// binaries, frostctl dev and the tests all start workers and gateways here.
package launch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Options are what a configuration file does not say.
type Options struct {
	Log      *slog.Logger
	Embedded natsconn.Server // connect within the process instead of by URL
	// Serve starts the NATS server that a gateway's file may ask for. Programs
	// without it (a worker's) don't link one: natsserver.Embed, or nil.
	Serve func(store string, port int, log *slog.Logger) (natsconn.Server, error)
	Ready func()     // called once, when the program is ready
	PIN   pin.Source // asks the person who started a node for its token's PIN, if the file has none
	// Device is a node's, opened already; Node closes it. Nil: Node opens what its
	// file names.
	Device keyprovider.Provider
	// Unobserved leaves metrics unmoved and the bus unwatched, for a benchmark of
	// what they cost.
	Unobserved bool
}

// closeTime bounds how long a program that stops waits for the bus and for
// HTTP requests.
const closeTime = 10 * time.Second

// connect reaches the bus.
func connect(
	ctx context.Context, b config.Bus, m *wire.Manifest, name string, o Options, observe bus.Observer, gateway bool,
) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Options{
		Fleet: m.Fleet, Nodes: m.N, URL: b.URL, Name: name, Credentials: b.Credentials,
		TLSCA: b.TLSCA, TLSCert: b.TLSCert, TLSKey: b.TLSKey,
		Embedded: o.Embedded, Logger: o.Log, Observe: observe, RestoreMemory: gateway, Replicas: b.Replicas,
	})
}

// awaitStreams waits for the streams to be there: they may be applied a moment
// after the workers start.
func awaitStreams(ctx context.Context, conn *bus.Bus, log *slog.Logger) error {
	for tries := 0; ; tries++ {
		err := conn.Check(ctx)
		switch {
		case err == nil:
			return nil
		case tries == 0:
			log.Info("waiting for the fleet's streams")
		case tries%30 == 5:
			log.Warn("still waiting for the fleet's streams", "err", err)
		}
		if ended := backoff.Sleep(ctx, time.Second); ended != nil {
			return errors.Join(err, ended)
		}
	}
}

// embed starts the NATS server that a gateway's file asks for, unless there is
// one already. stop ends it.
func (o *Options) embed(b config.Bus) (stop func(), err error) {
	if !b.Embedded || o.Embedded != nil {
		return func() {}, nil
	}
	if o.Serve == nil {
		return nil, errors.New("[bus] embedded = true: this program has no NATS server in it; " +
			"frost-gateway and frostctl have one")
	}
	if o.Embedded, err = o.Serve(b.StorePath, b.Port, o.Log); err != nil {
		return nil, err
	}
	o.Log.Info("embedded NATS server started", "url", o.Embedded.URL())
	return o.Embedded.Shutdown, nil
}

// listen starts the server of a [server] section; port 0 is none.
func listen(s config.Server, registry *prometheus.Registry, checks []telemetry.Check,
	log *slog.Logger) (func(), error) {
	if s.Port == 0 {
		return func() {}, nil
	}
	server, err := telemetry.Listen(s.Host, s.Port, registry, checks, log)
	if err != nil {
		return nil, err
	}
	log.Info("listening", "address", server.Addr())
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Warn("health server", "err", err)
		}
	}, nil
}

func closeBus(conn *bus.Bus, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := conn.Close(ctx); err != nil {
		log.Warn("bus", "err", err)
	}
}

// whenReady calls f once fail returns nil. The returned function ends the wait;
// f is not called after it.
func whenReady(ctx context.Context, fail func() error, f func()) (stop func()) {
	if f == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for fail() != nil {
			if backoff.Sleep(ctx, 5*time.Millisecond) != nil {
				return
			}
		}
		f()
	}()
	return func() { cancel(); <-done }
}
