// Package launch makes running programs out of configuration files. The
// binaries, frostctl dev and the tests all start workers and gateways here.
package launch

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// Options are what a configuration file does not say.
type Options struct {
	Log      *slog.Logger
	Embedded natsconn.Server // connect within the process instead of by URL
	// Serve starts the NATS server that a gateway's file may ask for. Programs
	// without it (a worker's) don't link one: natsserver.Embed, or nil.
	Serve func(ctx context.Context, store string, port int, log *slog.Logger) (natsconn.Server, error)
	Ready func() // called once, when the program is ready
	// HTTP stands for the section [http] of Dev's gateway. Serves is called with the URL of
	// a gateway's HTTP API, once it listens.
	HTTP   func(g *config.Gateway) error
	Serves func(url string)
	// Level is the log's, which the configuration file then sets; nil: it is given.
	Level *slog.LevelVar
	// Reload has changed files taken at once; they are in any case, within seconds.
	Reload <-chan os.Signal
	PIN    pin.Source // asks the person who started a node for its token's PIN, if the file has none
	// Device is a node's, opened already; Node closes it. Nil: Node opens what its
	// file names.
	Device keyprovider.Provider
	// Observe is told in place of the metrics, and the bus is not watched: for a
	// benchmark of what they cost.
	Observe Observer
}

// embed starts the NATS server that a gateway's file asks for, unless there is
// one already. stop ends it.
func (o *Options) embed(ctx context.Context, b config.Bus) (stop func(), err error) {
	if !b.Embedded || o.Embedded != nil {
		return func() {}, nil
	}
	if o.Serve == nil {
		return nil, errors.New("[bus] embedded = true: this program has no NATS server in it; " +
			"frost-gateway and frostctl have one")
	}
	if o.Embedded, err = o.Serve(ctx, b.StorePath, b.Port, o.Log); err != nil {
		return nil, err
	}
	o.Log.Info("embedded NATS server started", "url", o.Embedded.URL())
	return o.Embedded.Shutdown, nil
}
