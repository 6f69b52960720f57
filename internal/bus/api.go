package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Ask puts a question to the JetStream API and reads the answer into one of
// jetstream's structures. Unlike jetstream itself it fails at once on a denied
// permission or a lost connection.
func (b *Bus) Ask(ctx context.Context, subject string, question []byte, answer any) error {
	m, err := b.nc.Ask(ctx, subject, question)
	var refused struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &refused)
	}
	if err == nil && refused.Error != nil {
		err = refused.Error
	}
	if err == nil {
		err = json.Unmarshal(m.Data, answer)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", subject, err)
	}
	return err
}

// Ping is the time of a round trip to the server.
func (b *Bus) Ping(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	start := time.Now()
	if err := b.nc.FlushWithContext(ctx); err != nil { // a ping and its pong
		return 0, err
	}
	return time.Since(start), nil
}
