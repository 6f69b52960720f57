package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// SavedJob is a keygen job that was or will be published. Its payload is what it takes to
// have its keys, proven, after a crash and from another process, for as long as the fleet
// stores its result (24 h): the job itself is stored nowhere once it is done.
type SavedJob struct {
	ID      string
	Chain   string
	Count   int
	Expires time.Time
	Payload string // byte for byte as it is signed
}

// ParseSavedJob reads the payload of a keygen job.
func ParseSavedJob(payload string) (SavedJob, error) {
	job, err := parseSaved(wire.SignedJob{Kind: wire.KindKeygen, Payload: []byte(payload)})
	if err != nil {
		return SavedJob{}, err
	}
	return savedJob(&prepared{SignedJob: wire.SignedJob{Payload: []byte(payload)}, job: *job}), nil
}

func savedJob(j *prepared) SavedJob {
	return SavedJob{ID: j.job.ID, Chain: j.job.Chain, Count: j.job.Count, Expires: j.job.Expires,
		Payload: string(j.Payload)}
}

// parseSaved checks a job as it was when it was published.
func parseSaved(signed wire.SignedJob) (*wire.Job, error) {
	var when struct {
		Expires      time.Time `json:"expires"`
		ApproveUntil time.Time `json:"approve_until"`
		ExpiresAfter int       `json:"expires_after"`
	}
	if len(signed.Payload) > wire.MaxJobSize || json.Unmarshal(signed.Payload, &when) != nil {
		return nil, errors.New("client: the payload is not that of a job")
	}
	over := (&wire.Job{Expires: when.Expires, ApproveUntil: when.ApproveUntil, ExpiresAfter: when.ExpiresAfter}).Over()
	job, refusal := signed.Parse(over.Add(-time.Second))
	if refusal != nil {
		return nil, fmt.Errorf("client: the payload is not that of a %s job: %s: %s", signed.Kind, refusal.Code,
			refusal.Reason)
	}
	return job, nil
}

// repeat signs a payload again. The signature is the same, so this is the same job.
func (c *Client) repeat(kind wire.Kind, payload string) (*prepared, error) {
	p := &prepared{SignedJob: c.sign(kind, []byte(payload))}
	job, err := parseSaved(p.SignedJob)
	if err != nil {
		return nil, err
	}
	p.job, p.digest = *job, p.Digest(c.manifest)
	return p, nil
}

// FetchKeygen returns the keys of a job that was published before, checked as Keygen checks
// them, from the result that the fleet stores for 24 hours. It publishes nothing and waits
// for nothing. Errors: as Handle.Wait, and ErrNoResult.
func (c *Client) FetchKeygen(ctx context.Context, saved SavedJob) (*KeygenResult, error) {
	j, err := c.repeat(wire.KindKeygen, saved.Payload)
	if err != nil {
		return nil, err
	}
	return fetch(ctx, c, j, c.checkKeygen, nil)
}

// SavedItems reads the items of a sign job's payload. They have no public keys: fill them in
// for FetchSign.
func SavedItems(payload string) ([]SignItem, error) {
	job, err := parseSaved(wire.SignedJob{Kind: wire.KindSign, Payload: []byte(payload)})
	if err != nil {
		return nil, err
	}
	items := make([]SignItem, len(job.Items))
	for i, it := range job.Items {
		items[i] = SignItem{Key: it.Key, Path: pathOf(it), Message: it.Message, ScriptRoot: it.ScriptRoot}
	}
	return items, nil
}

func pathOf(it wire.JobItem) string {
	if it.Path == nil {
		return ""
	}
	return *it.Path
}

// is reports whether an item is the one that a job has, whatever key is expected of it.
func (it SignItem) is(saved wire.JobItem) bool {
	return it.Key == saved.Key && it.Path == pathOf(saved) && bytes.Equal(it.Message, saved.Message) &&
		bytes.Equal(it.ScriptRoot, saved.ScriptRoot)
}

// FetchSign is FetchKeygen for a sign job: its signatures, checked as Sign checks them. The
// items are those of SavedItems. Where the fleet refused some of them, the error is a
// *ItemsError, and the result has the signatures of all others.
func (c *Client) FetchSign(ctx context.Context, payload string, items []SignItem) (*SignResult, error) {
	j, err := c.repeat(wire.KindSign, payload)
	if err != nil {
		return nil, err
	}
	own := j.job.Items
	if len(items) != len(own) {
		return nil, fmt.Errorf("client: %d items for a job of %d: take those of SavedItems", len(items), len(own))
	}
	for i, it := range items {
		if !it.is(own[i]) { // else a gateway would be blamed for it
			return nil, fmt.Errorf("client: item %d is not that of the job: take those of SavedItems", i)
		}
		if err := it.checkExpected(i); err != nil { // what else is wrong with an item, the fleet has said
			return nil, err
		}
	}
	keys := outputKeys(c.branches, items)
	return fetch(ctx, c, j, func(_ *prepared, a *answer) (*SignResult, error) {
		return c.checkSignatures(items, keys, a)
	}, (*SignResult).short)
}

// fetch reads a job's stored result.
func fetch[R any](ctx context.Context, c *Client, j *prepared, check func(*prepared, *answer) (*R, error),
	short func(*R) error) (*R, error) {
	ctx, span := c.begin(ctx, j)
	p, err := c.lookUp(ctx, j)
	if err != nil {
		finish(span, err)
		return nil, err
	}
	if !p.answered() {
		c.unregister(p)
		if err = p.unknown(); err == nil {
			err = p.explain(ErrNoResult)
		}
		if waits := p.waiting(); waits != nil {
			err = waits
		}
		finish(span, err)
		return nil, err
	}
	return (&Handle[R]{p: p, span: span, check: check, short: short}).Wait(ctx)
}

// lookUp registers a job and reads its stored result, if there is one.
func (c *Client) lookUp(ctx context.Context, j *prepared) (*pending, error) {
	p, err := c.register(j)
	if err == nil {
		p.poll(ctx)
	}
	return p, err
}

// resumeKeygen returns the keys of a job that may have been published before, or nil if the
// fleet gave it up or never got it: another job must be made then. A job that has not
// expired is published again; one that has may still be answered for a while. Where the
// stored result can't be read, or is that of another job, that is an error: the keys may be
// there, and what was saved of the job is not what was published.
func (c *Client) resumeKeygen(ctx context.Context, saved SavedJob) (*KeygenResult, error) {
	j, err := c.repeat(wire.KindKeygen, saved.Payload)
	if err != nil {
		return nil, err
	}
	spanned, span := c.begin(ctx, j)
	p, err := c.lookUp(spanned, j)
	if err == nil && !p.answered() && time.Now().Before(j.job.Expires) {
		c.unregister(p)
		p, err = c.submit(spanned, j, true)
	}
	if err != nil {
		finish(span, err)
		return nil, err
	}
	got, err := waitJob(ctx, c, &Handle[KeygenResult]{p: p, span: span, check: c.checkKeygen}, nil)
	if doubt := p.doubtful(); doubt != nil && errors.Is(err, ErrNoAnswer) {
		return nil, doubt
	}
	failed, ok := errors.AsType[*JobError](err)
	if ok && failed.Code == CodeJobIDReused {
		return nil, fmt.Errorf("client: what was saved of a job is not what was published: %w", err)
	}
	if ok || errors.Is(err, ErrNoAnswer) {
		c.log.Info("a job that was resumed has no keys, others are made", "job", saved.ID, "error", err)
		return nil, nil
	}
	return got, err
}
