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
// permission or a lost connection, and returns when the question went out and
// how long the answer took.
func (b *Bus) Ask(ctx context.Context, subject string, answer any) (asked time.Time, rtt time.Duration, err error) {
	asked = time.Now()
	came, err := b.ask(ctx, subject, nil, answer)
	return asked, came.Sub(asked), err
}

// ask is Ask with a question; it returns when the answer came.
func (b *Bus) ask(ctx context.Context, subject string, question []byte, answer any) (came time.Time, err error) {
	m, err := b.nc.Ask(ctx, subject, question)
	came = time.Now()
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
	return came, err
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
