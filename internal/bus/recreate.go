package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// For the administrator who has a stream made anew.

// Config is a stream's configuration as it is, encoded; nil if there is no such stream.
func (b *Bus) Config(ctx context.Context, stream Stream) ([]byte, error) {
	have, err := b.streamConfig(ctx, b.names.stream(stream))
	if have == nil || err != nil {
		return nil, err
	}
	return json.Marshal(have)
}

// Create makes a stream with what Config returned. It is no error if it is there.
func (b *Bus) Create(ctx context.Context, stream Stream, config []byte) error {
	var c jetstream.StreamConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("configuration of stream %s: %w", stream, err)
	}
	if c.Name != b.names.stream(stream) {
		return fmt.Errorf("configuration of stream %q, and not of %s", clip(c.Name), b.names.stream(stream))
	}
	if err := b.createStream(ctx, c); !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return err
	}
	return nil
}

// Delete deletes a stream with all that it holds.
func (b *Bus) Delete(ctx context.Context, stream Stream) error {
	err := b.nc.JS.DeleteStream(ctx, b.names.stream(stream))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("deleting stream %s: %w", b.names.stream(stream), err)
	}
	return nil
}

// LastSeq is the sequence of the last message that a stream has stored.
func (b *Bus) LastSeq(ctx context.Context, stream Stream) (uint64, error) {
	info, err := b.state(ctx, stream)
	return info.last, err
}
