package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// maxCreates is how often a stream is tried whose files the server could not make.
const maxCreates = 5

// createStream creates a stream. A server that is still removing the files of a stream of
// that name may fail to make those of the new one; a moment later it can.
func (b *Bus) createStream(ctx context.Context, config jetstream.StreamConfig) error {
	pause := newPause()
	for n := 1; ; n++ {
		_, err := b.nc.JS.CreateStream(ctx, config)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("creating stream %s: %w", config.Name, explainCreate(err))
		if api, ok := errors.AsType[*jetstream.APIError](err); !ok || !natsconn.NoFiles(api) || n == maxCreates {
			return err
		}
		if pause.Wait(ctx) != nil {
			return err
		}
	}
}

// explainCreate adds what to do where the server's words don't.
func explainCreate(err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	switch {
	case !ok:
		return err
	case natsconn.NoStorage(api):
		return fmt.Errorf("%w: raise max_memory_store and max_file_store in the jetstream section of the server "+
			"(or of the account)", err)
	case natsconn.NoFiles(api):
		return fmt.Errorf("%w: the server's log says which file of its store_dir it could not make", err)
	}
	return err
}
