package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	ackTimeout = 5 * time.Second        // one attempt to publish, or to read a stored result
	busyRetry  = 200 * time.Millisecond // the hint in a BusyError, and the first pause
	maxPause   = 5 * time.Second
	// defaultStarting is for a fleet that starts together with its client, and for
	// servers that elect a leader: it takes them up to 9 s, and 3 s to see that one hangs.
	defaultStarting = 20 * time.Second
)

// submit publishes a job and returns once it is stored. Patient, it also waits
// while the fleet is busy, and for a while if its streams are not there yet. An
// attempt of unknown outcome is repeated: the same job twice is the same job.
func (c *Client) submit(ctx context.Context, j *prepared, patient bool) (*pending, error) {
	p, err := c.register(j)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadline(ctx, j.job.Over())
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)()
	began := time.Now()
	maybe := false // it may be stored
	p.published = began
	for pause := (backoff.Backoff{Min: busyRetry, Max: maxPause}); ; {
		err := c.publish(ctx, j)
		if err == nil || p.answered() {
			return p, nil
		}
		var busy *BusyError
		switch {
		case errors.Is(err, natsconn.ErrUnknown):
			patient, maybe = true, true // "busy" would be misleading from here on
		case errors.Is(err, natsconn.ErrDisconnected), errors.As(err, &busy) && patient:
		case errors.Is(err, ErrNoStream) && patient && time.Since(began) < c.starting:
		default:
			c.unregister(p)
			return nil, err
		}
		if pause.Wait(ctx) != nil {
			c.unregister(p)
			ended := ctx.Err()
			if c.closed.Err() != nil {
				ended = ErrClosed
			}
			err = fmt.Errorf("publishing: %w (last attempt: %w)", ended, err)
			if maybe {
				return nil, &openError{j.job.ID, err}
			}
			return nil, fmt.Errorf("job %s: %w", j.job.ID, err)
		}
	}
}

// publish makes one attempt. What its failure means is in the errors of this
// package.
func (c *Client) publish(ctx context.Context, j *prepared) error {
	subject, there := wire.SizedJobSubject(j.Kind, c.name, len(j.Payload)), &c.jobsThere
	if subject != wire.JobSubject(j.Kind, c.name) {
		there = &c.bulkThere
	}
	m := &nats.Msg{
		Subject: wire.FleetSubject(c.manifest.Fleet, subject),
		Header:  nats.Header{},
		Data:    j.Payload,
	}
	m.Header.Set(wire.HeaderClient, c.name)
	m.Header.Set(wire.HeaderSignature, j.SignatureHeader())
	for _, a := range j.Approvals {
		m.Header.Add(wire.HeaderApproval, a.Header())
	}
	inject(ctx, m.Header)
	_, err := c.nc.Store(ctx, m)
	if err == nil {
		there.Store(true)
		return nil
	}
	err = natsconn.Classify(err)
	if busy, ok := errors.AsType[*natsconn.BusyError](err); ok {
		return &BusyError{RetryAfter: busyRetry, Reason: busy.Reason}
	}
	if errors.Is(err, ErrNoStream) && there.Load() {
		return &BusyError{RetryAfter: busyRetry, Reason: "the stream of jobs is away: it may have no leader now"}
	}
	if errors.Is(err, natsconn.ErrClosed) {
		err = ErrClosed
	}
	return fmt.Errorf("publishing to %s: %w", m.Subject, err)
}
