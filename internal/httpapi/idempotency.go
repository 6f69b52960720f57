package httpapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A request with an idempotency key is claimed in REQUESTS before its job is published. What
// the claim says makes the job, so that whoever repeats the request, at whichever gateway,
// publishes the same bytes, and the fleet answers them with the first result. The claim of a
// request without a key is a note for lists, stored beside its job unless that has ended
// before anybody could look: who repeats the request makes another job.

const (
	jobLife   = 30 * time.Minute // of a job that does not wait for approvals
	claimTime = 5 * time.Second  // for the claim to be stored
)

// wanted is what a request asks for.
type wanted struct {
	body  any // as it is decoded
	kind  wire.Kind
	count int
	// waits is how long the job may wait for approvals; 0: it does not.
	waits time.Duration
}

// claimed is the job that a request is.
type claimed struct {
	directory.Request
	client *client.Client
	keyed  bool // it is claimed
	again  bool // the same request was made before
}

// order has the job of a request done that a client signs whose key this gateway holds, and
// waits for its end at most so long.
func order[R any](ctx context.Context, s *Server, key string, wait time.Duration, w wanted,
	make func(*claimed) (*client.Made[R], error)) (job string, o outcome[R], err error) {
	cl, made, err := book(ctx, s, key, w, make)
	if err != nil {
		return "", o, err
	}
	o, err = perform(ctx, s, cl, made, wait)
	return cl.Job, o, err
}

// book makes and claims the job of a request. It is made before, so that what the fleet would
// refuse takes no key, and once more where the claim of an earlier request stands.
func book[R any](ctx context.Context, s *Server, key string, w wanted,
	make func(*claimed) (*client.Made[R], error)) (*claimed, *client.Made[R], error) {
	cl, err := s.propose(ctx, key, w)
	if err != nil {
		return nil, nil, err
	}
	made, err := make(cl)
	if err != nil {
		return nil, nil, s.fail(ctx, err)
	}
	if err := s.stake(ctx, key, cl); err != nil {
		return nil, nil, err
	}
	if cl.again {
		if made, err = make(cl); err != nil {
			return nil, nil, s.fail(ctx, err)
		}
	}
	return cl, made, nil
}

// propose is the job of a request as it is if nobody made the request before.
func (s *Server) propose(ctx context.Context, key string, w wanted) (*claimed, error) {
	p := s.principal(ctx)
	c, err := s.signer(p)
	if err != nil {
		return nil, err
	}
	digest, err := w.digest(requestOf(ctx).route)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	job := keyedJob(p.Client, key)
	if key == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		job = id.String()
	}
	life, now := jobLife, s.cfg.Now().UTC()
	if w.waits > 0 {
		life = w.waits
	}
	return &claimed{client: c, Request: directory.Request{
		Client: p.Client, Job: job, Kind: w.kind, Digest: digest, Count: w.count, By: p.Name,
		Expires: now.Add(life).Truncate(time.Second), Time: now,
	}}, nil
}

// stake stores the claim of a job that has a key, before it is published.
func (s *Server) stake(ctx context.Context, key string, cl *claimed) error {
	if key == "" {
		return nil
	}
	cl.keyed = true
	stands, mine, err := s.firstClaim(ctx, cl.Request)
	switch {
	case err != nil:
		return err
	case stands.Digest != cl.Digest || stands.Kind != cl.Kind:
		return problem("idempotency_key_reused", "take another key for another request")
	}
	cl.Request, cl.again = stands, !mine
	return nil
}

// firstClaim claims a job before it is published. Where that can't be known to have been
// done, nothing else is.
func (s *Server) firstClaim(ctx context.Context, r directory.Request) (directory.Request, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime)
	defer cancel()
	stands, mine, err := s.cfg.Directory.Claim(ctx, r)
	if err != nil {
		s.cfg.Log.Warn("an idempotency key is not claimed", "job", r.Job, "err", err)
		return stands, false, problem("busy", "the key can't be claimed now, and nothing was done: repeat the request").
			after(time.Second)
	}
	return stands, mine, nil
}

// noteClaim stores the claim of a job that has no key, so that it is listed before it ends.
func (s *Server) noteClaim(ctx context.Context, r directory.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime)
	defer cancel()
	if _, _, err := s.cfg.Directory.Claim(ctx, r); err != nil {
		s.cfg.Log.Warn("a job is not listed before it has ended", "job", r.Job, "err", err)
	}
}

// digest identifies the request: another one under its key is refused.
func (w wanted) digest(route string) (digest [32]byte, err error) {
	body, err := json.Marshal(w.body)
	if err != nil {
		return digest, err
	}
	return frost.Hash("frostfleet/http-request/v1", []byte(route), body), nil
}

// keyedJob is the id of the job of an idempotency key of a client: a UUID of version 8
// (RFC 9562, section 5.8).
func keyedJob(client, key string) string {
	id := uuid.UUID(first16(frost.Hash("frostfleet/http-job/v1", []byte(client), []byte(key))))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

func first16(sum [32]byte) [16]byte { return [16]byte(sum[:16]) }
