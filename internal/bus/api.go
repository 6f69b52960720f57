package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// api asks the JetStream API about something and reads the answer into one of
// jetstream's structures. Unlike jetstream itself it learns at once of a denied
// permission and of a lost connection, and says when the question went out and
// how long the answer took.
func (b *Bus) api(ctx context.Context, subject string, answer any) (asked time.Time, rtt time.Duration, err error) {
	ctx, done := b.flights.start(ctx, b.opt.AckTimeout, subject)
	defer done()
	asked = time.Now()
	m, err := b.nc.RequestWithContext(ctx, subject, nil)
	rtt = time.Since(asked)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return asked, rtt, fmt.Errorf("%s: %w", subject, err)
	}
	var refused struct {
		Error *jetstream.APIError `json:"error"`
	}
	err = json.Unmarshal(m.Data, &refused)
	if err == nil && refused.Error != nil {
		err = refused.Error
	}
	if err == nil {
		err = json.Unmarshal(m.Data, answer)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", subject, err)
	}
	return asked, rtt, err
}
