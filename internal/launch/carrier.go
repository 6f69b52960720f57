package launch

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/httpapi"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// carrier publishes what others have signed, for the HTTP API, by the gateway's connection.
type carrier struct {
	bus  *bus.Bus
	name string // of the gateway
}

// busyAfter is the hint to whoever the fleet has no room for.
const busyAfter = time.Second

// Job implements httpapi.Carrier.
func (c *carrier) Job(ctx context.Context, job wire.SignedJob) error {
	headers := job.Headers()
	for name, values := range tracing.Header(job.Trace) {
		headers[name] = values
	}
	return c.store(ctx, wire.SizedJobSubject(job.Kind, job.Client, len(job.Payload)), job.Payload, headers)
}

// Approval implements httpapi.Carrier.
func (c *carrier) Approval(ctx context.Context, approver string, given wire.Given) error {
	return c.store(ctx, wire.ApproveSubject(approver), wire.Encode(&given), nil)
}

// Freeze implements httpapi.Carrier. It leaves the message under the gateway's own subject, so
// that nobody who takes a gateway over fills what the administrator has room for.
func (c *carrier) Freeze(ctx context.Context, administrator string, message []byte) error {
	data, err := wire.EncodeCarried(administrator, message)
	if err != nil {
		return &client.JobError{Code: client.CodeTooLarge, Message: err.Error()}
	}
	return c.store(ctx, wire.CarriedSubject(c.name), data, nil)
}

// store stores a message. Everything that is carried is the same thing when it comes twice.
func (c *carrier) store(ctx context.Context, subject string, data []byte, headers map[string][]string) error {
	err := c.bus.Offer(ctx, subject, data, headers)
	if busy, ok := errors.AsType[*natsconn.BusyError](err); ok {
		return &client.BusyError{RetryAfter: busyAfter, Reason: busy.Reason}
	}
	if errors.Is(err, bus.ErrTooLarge) {
		return &client.JobError{Code: client.CodeTooLarge, Message: "with its headers it is too large for the stream"}
	}
	return err
}

// Pending implements httpapi.Carrier.
func (c *carrier) Pending(ctx context.Context, client string) (all []wire.PendingJob, err error) {
	if client == "" {
		client = "*"
	}
	subjects, err := c.bus.Subjects(ctx, bus.Pending, wire.PendingSubject(client, "*"))
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		ref, err := wire.ParsePending(subject)
		if err != nil {
			continue // nothing that a gateway would run
		}
		m, found, err := c.bus.Last(ctx, bus.Pending, subject)
		if err != nil {
			return all, err
		}
		if found { // it has not ended meanwhile
			all = append(all, wire.ReadPending(ref.Client, m.Data, m.Header))
		}
	}
	return all, nil
}

var _ httpapi.Carrier = (*carrier)(nil)
