// Package launch makes running programs out of configuration files. The
// binaries, frostctl dev and the tests all start workers and gateways here.
package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
)

// Options are what a configuration file does not say.
type Options struct {
	Log      *slog.Logger
	Embedded *bus.EmbeddedServer  // connect within the process instead of by URL
	Ready    func()               // called once, when the program is ready
	PIN      pin.Source           // asks whoever started a node for its token's PIN, if the file has none
	Device   keyprovider.Provider // of a node, opened already; Node closes it. Nil: Node opens what its file names
	// Unobserved leaves metrics unmoved and the bus unwatched, for a benchmark of
	// what they cost.
	Unobserved bool
}

// closeTime bounds how long a program that stops waits for the bus and for
// HTTP requests.
const closeTime = 10 * time.Second

// LoadManifest reads and validates a manifest file.
func LoadManifest(path string) (*protocol.Manifest, error) {
	data, err := readBounded(path, protocol.MaxJobSize)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w: get the fleet's manifest.json from its operators, or make a fleet with frostctl fleet init", err)
	}
	m, err := protocol.ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// connect reaches the bus and checks that its streams are as declared.
func connect(ctx context.Context, b config.Bus, fleet, name string, o Options, observe bus.Observer, gateway bool) (*bus.Bus, error) {
	conn, err := bus.Connect(ctx, bus.Options{
		Fleet: fleet, URL: b.URL, Name: name, Credentials: b.Credentials,
		TLSCA: b.TLSCA, TLSCert: b.TLSCert, TLSKey: b.TLSKey,
		Embedded: o.Embedded, Logger: o.Log, Observe: observe, RestoreMemory: gateway, WatchStreams: gateway, Replicas: b.Replicas,
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// awaitStreams waits for the streams to be there: whoever applies them may
// start a moment later than the workers.
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
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// listen starts the server of a [server] section; port 0 is none.
func listen(s config.Server, registry *prometheus.Registry, checks []telemetry.Check, log *slog.Logger) (func(), error) {
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

// whenReady calls f once fail gives nil. The returned function ends the wait;
// after it, f is not called any more.
func whenReady(ctx context.Context, fail func() error, f func()) (stop func()) {
	if f == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for fail() != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		f()
	}()
	return func() { cancel(); <-done }
}
