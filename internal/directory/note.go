package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Note publishes a remark to LABELS, and returns once it is stored there and in the directory.
// The audit log has it. ErrRemark: it is none that may be stored.
func (d *Directory) Note(ctx context.Context, r Remark) error {
	if err := r.check(); err != nil {
		return err
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	before := d.position(bus.Labels)
	seq, err := d.cfg.Bus.Publish(ctx, r.subject(), data, nil)
	if err != nil {
		return err
	}
	d.cfg.Audit.Append(audit.Record{
		Event: audit.EventLabel, Client: r.Client, Job: r.Job, Session: r.Key, Reason: r.said(),
	})
	return d.await(ctx, bus.Labels, before, seq)
}

// said is what the audit log has of a remark.
func (r Remark) said() string {
	return fmt.Sprintf("%s says %q, with %d pairs of metadata", r.By, r.Label, len(r.Metadata))
}

// Claim stores a request in REQUESTS. Where the job's id is taken, it returns the request that
// has it, and false. ErrRequest: it is none that may be stored.
func (d *Directory) Claim(ctx context.Context, r Request) (stands Request, mine bool, err error) {
	if err := r.check(); err != nil {
		return Request{}, false, err
	}
	data, err := r.encode()
	if err != nil {
		return Request{}, false, err
	}
	_, err = d.cfg.Bus.Publish(ctx, r.subject(), data, nil)
	if !errors.Is(err, bus.ErrExists) {
		return r, err == nil, err
	}
	m, found, err := d.cfg.Bus.LastAtLeader(ctx, bus.Requests, r.subject())
	if err != nil {
		return Request{}, false, err
	}
	if !found {
		return Request{}, false, fmt.Errorf("request for job %s of %s was taken and is gone: try again", r.Job, r.Client)
	}
	if bytes.Equal(m.Data, data) { // stored by an attempt whose answer was lost
		return r, true, nil
	}
	stands, err = decodeRequest(m.Subject, m.Data)
	return stands, false, err
}

// Result is the stored result of a job as its gateway signed it: the payload, and the headers
// Frost-Gateway and Frost-Signature. ErrNotFound: none is stored, or no longer.
func (d *Directory) Result(
	ctx context.Context, client, job string,
) (payload []byte, headers map[string][]string, err error) {
	if !wire.IsToken(client) || !wire.IsJobID(job) {
		return nil, nil, ErrNotFound
	}
	ref := wire.JobRef{Client: client, Job: job}
	for stream, subject := range map[bus.Stream]string{
		bus.Results: wire.StoredResultSubject(client, job), bus.Notices: wire.NoticeSubject(client, job),
	} {
		m, found, err := d.cfg.Bus.Last(ctx, stream, subject)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			continue
		}
		a, err := readAnswer(d.cfg.Manifest, d.cfg.Access(), ref, m)
		if err == nil && (stream == bus.Results || a.rank() == rankAnswered) {
			return m.Data, map[string][]string{
				wire.HeaderGateway: m.Header[wire.HeaderGateway], wire.HeaderSignature: m.Header[wire.HeaderSignature],
			}, nil
		}
	}
	return nil, nil, ErrNotFound
}
