package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// JetStream counts the deliveries of a job, and not who had them: whoever has a
// gateway's NATS credentials can pull a job and drop it, again and again. So before a
// gateway begins a suspicious job it notes that in WORK under its key, and the next
// one that has the job counts those which began it and are gone.

const (
	// maxEnded is how many gateways a job may have ended while it was suspicious.
	maxEnded = maxDeliveries - suspectAfter
	// outliveTime is how long a gateway that took a job is given to be heard once
	// another one has it: two heartbeats, and half of one for their way.
	outliveTime = 5 * presence.Every / 2
	outliveLook = presence.Every / 8
	noteTime    = 5 * time.Second // for one reading and one note
	// strayAfter is how many deliveries no gateway accounts for until an operator
	// is told: outages of NATS make some.
	strayAfter = 5
)

// errMoved says that another gateway noted the job meanwhile.
var errMoved = errors.New("another gateway has noted the job")

// suspect waits for a suspicious job's turn, and counts the gateways that it has ended.
// It is false if the gateway stops or the delivery ends before.
func (g *Gateway) suspect(d *delivery) (ended int, ok bool) {
	arrived := clock.Now()
	if !g.turns.await(g.run.Stopping(), d) {
		return 0, false
	}
	if ended, ok = g.note(d, arrived); ok {
		g.stray(d, ended)
	}
	return ended, ok
}

// note counts the gateways that a suspicious job has ended, and records that this one
// begins it, unless that is enough to give the job up. It is false if the gateway stops
// or the delivery ends before.
func (g *Gateway) note(d *delivery, arrived time.Time) (ended int, ok bool) {
	err := g.insist(d, "jobs wait: that they are begun can't be noted", func(ctx context.Context) (err error) {
		for err = errMoved; errors.Is(err, errMoved); {
			ended, err = g.noteOnce(ctx, d, arrived)
		}
		return err
	})
	return ended, err == nil
}

func (g *Gateway) noteOnce(ctx context.Context, d *delivery, arrived time.Time) (ended int, err error) {
	msg, subject := d.Message(), wire.TakenSubject(d.place())
	last, by, before, err := g.noted(ctx, subject)
	if err != nil {
		return 0, err
	}
	after := wire.Taken{Version: wire.TakenVersion, Stored: msg.Time.UnixNano(), Boot: g.beat.Boot()}
	if before != nil && before.Stored == after.Stored {
		after.Ended = before.Ended
		if before.Boot == after.Boot {
			return int(after.Ended), nil // it stands
		}
		outlived, err := g.outlived(ctx, by, before.Boot, arrived)
		if err != nil {
			return 0, err
		}
		if !outlived {
			after.Ended++
		}
		if after.Ended >= maxEnded {
			return int(after.Ended), nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, noteTime)
	defer cancel()
	sealed := wire.SealGateway(g.cfg.Key, g.cfg.Name, g.cfg.Manifest, subject, wire.Encode(&after))
	if _, err = g.cfg.Bus.Swap(ctx, subject, sealed, last); errors.Is(err, bus.ErrConflict) {
		err = errMoved
	}
	return int(after.Ended), err
}

// noted reads a job's note at the stream's leader; it is nil if a gateway of the access
// list sealed none. Last is the sequence of what stands there.
func (g *Gateway) noted(ctx context.Context, subject string) (last uint64, by string, t *wire.Taken, err error) {
	ctx, cancel := context.WithTimeout(ctx, noteTime)
	defer cancel()
	m, found, err := g.cfg.Bus.LastAtLeader(ctx, bus.Work, subject)
	if err != nil || !found {
		return 0, "", nil, err
	}
	by, t, err = wire.OpenTaken(g.cfg.Manifest, g.access.Load(), subject, m.Data)
	if err != nil {
		return m.Seq, "", nil, nil //nolint:nilerr // junk, which is replaced
	}
	return m.Seq, by, t, nil
}

// outlived reports whether a process that took a job is heard after the job had come
// here: then it is not the job that ended it.
func (g *Gateway) outlived(ctx context.Context, name string, boot [16]byte, since time.Time) (heard bool, err error) {
	for {
		g.run.With(func(c *protocol.Coordinator) { heard = c.GatewayHeard(name, boot, since) })
		if heard || clock.Now().Sub(since) > g.outlive {
			return heard, nil
		}
		if err := backoff.Sleep(ctx, outliveLook); err != nil {
			return false, err
		}
	}
}

// stray reports a job that was delivered more often than gateways account for. Each of
// the first suspectAfter deliveries may have ended one.
func (g *Gateway) stray(d *delivery, ended int) {
	n := g.held.attempt(d) - suspectAfter - ended
	if n <= strayAfter {
		return
	}
	g.cfg.Observe.Report(protocol.Report{What: protocol.ReportStray, Culprit: -1})
	if g.strays.due() {
		args := []any{"client", d.job.Signed.Client, "job", d.job.ID, "deliveries", d.Attempt(), "unaccounted", n}
		g.log.Warn("a job was delivered to something that neither finished nor kept it, and no gateway ended: "+
			"outages of NATS, or a gateway's credentials in other hands", tracing.Args(args, d.job.Signed.Trace)...)
	}
}
