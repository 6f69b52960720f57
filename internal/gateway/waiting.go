package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Jobs that wait for approvals stand in PENDING, with the approvals that came. Gateways know
// no approver's key, so they judge none: each approval that comes is put beside its job, and
// the delivery of the approval is then one of the job, which is run as if it had arrived.
// Whether the approvals are enough, nodes say.

// errChanged says that a job in PENDING changed while it was being changed.
var errChanged = errors.New("the job that waits was changed by another gateway")

// pendingJob is a job in PENDING.
type pendingJob struct {
	wire.PendingJob
	stored time.Time // when it came there, or its last approval did
	seq    uint64
}

// waiting reads a job in PENDING; nil if there is none.
func (g *Gateway) waiting(ctx context.Context, client, id string) (*pendingJob, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	m, found, err := g.cfg.Bus.LastAtLeader(ctx, bus.Pending, wire.PendingSubject(client, id))
	if err != nil || !found {
		return nil, err
	}
	return &pendingJob{wire.ReadPending(client, m.Data, m.Header), m.Time, m.Seq}, nil
}

// checked is waiting, with what the job's own bytes say. A job under another's subject is
// none.
func (g *Gateway) checked(ctx context.Context, client, id string) (*pendingJob, *protocol.CheckedJob, error) {
	there, err := g.waiting(ctx, client, id)
	if err != nil || there == nil {
		return nil, nil, err
	}
	job := protocol.CheckJob(g.cfg.Manifest, g.access.Load(), there.All(), there.stored)
	if job.ID != id {
		return there, nil, nil
	}
	return there, job, nil
}

// put stores a job in PENDING in the place of what is there; last 0: nothing.
func (g *Gateway) put(ctx context.Context, job wire.PendingJob, last uint64) error {
	subject := wire.PendingSubject(job.Client, wire.PeekJobID(job.Payload))
	_, err := g.cfg.Bus.SwapWith(ctx, subject, job.Payload, job.Headers(), last)
	if errors.Is(err, bus.ErrConflict) {
		err = errChanged
	}
	return err
}

// handleApproval holds an approval until the job that it is for has been run with it.
func (g *Gateway) handleApproval(d bus.Delivery) {
	msg := d.Message()
	given, err := wire.DecodeGiven(msg.Subject, msg.Data)
	if err != nil {
		g.log.Warn("an approval can't be read", "subject", msg.Subject, "err", err)
		_ = d.Term("not an approval")
		return
	}
	held := &delivery{Delivery: d, done: make(chan struct{})}
	var job *protocol.CheckedJob
	g.run.Go(func() { // or it is stopping, which hold sees
		defer close(held.done)
		job, err = g.approved(held, given)
	})
	switch {
	case !g.hold(held): // given back
	case err != nil:
		_ = d.Nak(backDelay)
	case job == nil:
		g.acknowledge(held)
	default:
		g.handleJob(d, job)
	}
}

// approved returns the job that is to be run now that an approval has come; nil if none is:
// it does not wait any more, has the approval already, or is about to be run for another one.
func (g *Gateway) approved(d *delivery, given *wire.Given) (job *protocol.CheckedJob, err error) {
	again := d.Attempt() > 1 // then the gateway that put it there may not have run the job
	if err := g.insist(d, unread, func(ctx context.Context) (err error) {
		again, err = g.approve(ctx, given, again)
		return err
	}); err != nil || !again {
		return nil, err
	}
	ctx, cancel := d.context(g.run.Stopping())
	defer cancel()
	if first, err := g.runs.await(ctx, jobName{given.Client, given.Job}); !first {
		return nil, err
	}
	err = g.insist(d, unread, func(ctx context.Context) (err error) {
		_, job, err = g.checked(ctx, given.Client, given.Job)
		return err
	})
	return job, err
}

const unread = "approvals wait: PENDING can't be read or written"

// approve puts an approval beside its job, and reports whether the job is to be run: it waits
// and has a new approval, or there is another reason.
func (g *Gateway) approve(ctx context.Context, given *wire.Given, reason bool) (bool, error) {
	for {
		there, job, err := g.checked(ctx, given.Client, given.Job)
		if err != nil || job == nil {
			return false, err
		}
		if !job.MayCount(given.Approval, clock.Now()) {
			g.log.Info("an approval is dropped, whose time is ahead of this gateway's clock or past the job's",
				"client", given.Client, "job", given.Job, "approver", given.Approval.Name)
			return false, nil
		}
		list, changed := wire.ApprovedAgain(there.Given, given.Approval)
		if !changed || clock.Now().After(job.Over()) {
			return reason, nil
		}
		there.Given = list
		if err = g.put(ctx, there.PendingJob, there.seq); !errors.Is(err, errChanged) {
			return true, err
		}
	}
}

// pend has a job stand in PENDING, and tells its client.
func (g *Gateway) pend(e protocol.Pend) {
	if e.Flight != 0 {
		begin := time.Now()
		defer func() { g.run.Step(protocol.Finished{Flight: e.Flight, Took: time.Since(begin)}) }()
	}
	if g.heard() != nil {
		g.giveBack(e.Token)
		return
	}
	d := g.held.get(e.Token)
	if d == nil {
		d = givenBack()
	}
	var refusal *wire.JobError
	var stands wire.PendingJob
	err := g.insist(d, "jobs wait: they can't be stored in PENDING", func(ctx context.Context) (err error) {
		stands, refusal, err = g.standBy(ctx, e.Job)
		return err
	})
	switch {
	case err != nil, refusal == nil && lacked(d, e.Job, stands):
		g.giveBack(e.Token)
		return
	case g.endedMeanwhile(e, d):
		return
	}
	if refusal != nil {
		r := e.Result
		r.Status, r.Code, r.Error, r.Rejected = wire.StatusFailed, refusal.Code, refusal.Reason, e.Job.Signature
		g.reject(protocol.Reject{Token: e.Token, Job: e.Job, Result: r})
		return
	}
	payload := e.Result.Encode()
	headers := g.headers(e.Result.Client, e.Result.Job, payload, e.Job.Trace)
	if err := g.insist(d, "jobs wait: their clients can't be told", func(context.Context) error {
		return g.notify(e.Result.Client, e.Result.Job, payload, headers)
	}); err != nil {
		g.giveBack(e.Token)
		return
	}
	g.auditJob(e.Result, nil)
	if d := g.held.take(e.Token); d != nil {
		d.span.End(nil)
		g.acknowledge(d)
		close(d.done)
	}
}

// lacked reports whether a run went without approvals that stand beside the job, and that
// nobody will run it with: they came before it ended, and were run without those that it
// brought itself.
func lacked(d *delivery, ran wire.SignedJob, stands wire.PendingJob) bool {
	if d.job == nil || d.place().Approval { // an approval that came since has a delivery of its own
		return false
	}
	return slices.ContainsFunc(stands.Given, func(a wire.Approval) bool {
		return d.job.MayCount(a, clock.Now()) &&
			!slices.ContainsFunc(ran.Approvals, func(b wire.Approval) bool { return a.Name == b.Name })
	})
}

// endedMeanwhile answers a job that another run ended, which took it out of PENDING before
// this one put it there.
func (g *Gateway) endedMeanwhile(e protocol.Pend, d *delivery) bool {
	if d.job == nil {
		return false
	}
	existing, ok := g.existing(d)
	switch {
	case !ok:
		g.giveBack(e.Token)
		return true
	case existing == nil || !bytes.Equal(existing.Digest, e.Result.Digest):
		return false
	}
	g.replay(protocol.Replay{Token: e.Token, Client: e.Result.Client, Job: e.Result.Job})
	return true
}

// join gives a copy of a job that waits the approvals that stand beside the job. It is false
// if the gateway stops before, or if the delivery ends.
func (g *Gateway) join(d *delivery) bool {
	if !d.job.Waits() || d.place().Approval {
		return true
	}
	return nil == g.insist(d, unread, func(ctx context.Context) error {
		there, err := g.waiting(ctx, d.job.Signed.Client, d.job.ID)
		if err == nil && there != nil && there.Digest(g.cfg.Manifest) == d.job.Digest() {
			stands, _ := there.With(d.job.Signed.Approvals)
			d.job = d.job.WithApprovals(stands.All().Approvals)
		}
		return err
	})
}

// standBy puts a job into PENDING unless it stands there. It returns what stands there then,
// or why it may not.
func (g *Gateway) standBy(ctx context.Context, job wire.SignedJob) (stands wire.PendingJob, refusal *wire.JobError, err error) {
	id, digest := wire.PeekJobID(job.Payload), job.Digest(g.cfg.Manifest)
	for {
		there, err := g.waiting(ctx, job.Client, id)
		if err != nil {
			return stands, nil, err
		}
		last := uint64(0)
		switch {
		case there == nil:
			if refusal, err := g.room(ctx, job.Client); refusal != nil || err != nil {
				return stands, refusal, err
			}
			stands = wire.PendingJob{SignedJob: job}
			stands.Approvals = wire.NewestApprovals(job.Approvals, wire.MaxApprovals)
		case there.Digest(g.cfg.Manifest) != digest:
			return stands, wire.Refuse(wire.CodeJobIDReused, "job %s waits for approvals with other content: take a new id", id), nil
		default:
			var changed bool
			if stands, changed = there.With(job.Approvals); !changed {
				return stands, nil, nil
			}
			last = there.seq
		}
		switch err = g.put(ctx, stands, last); {
		case errors.Is(err, errChanged):
		case errors.As(err, new(*bus.BusyError)), errors.Is(err, bus.ErrTooLarge):
			if there != nil { // it waits on, as it did
				return there.PendingJob, nil, nil
			}
			return stands, wire.Refuse(wire.CodeTooManyPending, "the fleet has no room for another job that waits for approvals"), nil
		default:
			return stands, nil, err
		}
	}
}

// room refuses a client that has as many jobs in PENDING as it may have. Gateways that count
// at the same time may let a few more in.
func (g *Gateway) room(ctx context.Context, client string) (*wire.JobError, error) {
	subjects, err := g.cfg.Bus.Subjects(ctx, bus.Pending, wire.PendingSubject(client, "*"))
	if err != nil || len(subjects) < wire.MaxPending {
		return nil, err
	}
	return wire.Refuse(wire.CodeTooManyPending, "%d jobs of this client wait for approvals: it may have %d", len(subjects),
		wire.MaxPending), nil
}

// unpend takes a job that has ended out of PENDING. What is left is found by sweep.
func (g *Gateway) unpend(job *protocol.CheckedJob) {
	digest := job.Digest()
	for range 4 { // approvals may come meanwhile
		there, err := g.waiting(g.run.Life(), job.Signed.Client, job.ID)
		if err == nil && (there == nil || there.Digest(g.cfg.Manifest) != digest) {
			return
		}
		if err == nil {
			err = g.remove(there.seq)
		}
		if err != nil {
			g.log.Warn("a job that has ended is still among those that wait", "client", job.Signed.Client, "job", job.ID, "err", err)
		}
	}
}

func (g *Gateway) remove(seq uint64) error {
	return g.cfg.Bus.DeleteMessage(g.run.Life(), bus.Pending, seq)
}
