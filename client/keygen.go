package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// MaxRequestKeys is how many keys one Keygen generates at most: its result
// holds all of them, with their certificates.
const MaxRequestKeys = 1_000_000

// KeygenRequest asks for keys.
type KeygenRequest struct {
	Chain string // bitcoin or solana
	Count int    // Keygen takes 1 to MaxRequestKeys, SubmitKeygen 1 to MaxJobKeys

	// Expires is when the fleet gives up; 30 minutes after the job was made if
	// zero, an hour at most.
	Expires time.Time
	// JobID makes a request repeatable: with the same id, chain, count and
	// expiry it is the same job, and is answered with the first result, for as long as
	// that is stored (24 h). A UUID; only for requests that fit one
	// job.
	JobID string

	// JobKeys is how many keys Keygen puts into one job, MaxJobKeys if 0.
	// Smaller jobs give finer progress.
	JobKeys int
	// Progress, if set, is called after each job with the number of keys that
	// are done, and Count. Calls do not overlap.
	Progress func(done, total int)
	// OnProof, if set, is called with each job's proof as soon as it is checked,
	// in order of arrival, for instance to save it. Calls do not overlap. An
	// error ends the request.
	OnProof func(Proof) error
}

// Key is one key of the fleet. Nobody has its private half.
type Key struct {
	ID        string // names it in sign jobs
	Chain     string
	PublicKey []byte // bitcoin: internal key, 33 bytes compressed; solana: 32 bytes
	Address   string // on the manifest's network
}

// KeygenResult is what was generated, in the request's order, and what proves
// it to others and later: one Proof per job.
type KeygenResult struct {
	Keys   []Key
	Proofs []Proof
}

// Keygen generates keys, in as many jobs as it takes, and returns them once
// every one is proven. While the fleet is busy it waits. After an error the
// result holds what was generated before it; those keys are good.
func (c *Client) Keygen(ctx context.Context, req KeygenRequest) (*KeygenResult, error) {
	size, jobs, err := req.cut()
	if err != nil {
		return &KeygenResult{}, err
	}
	parts := make([]*KeygenResult, jobs)
	done := 0
	err = doAll(ctx, c, jobs, func(ctx context.Context, i int) (*Handle[KeygenResult], error) {
		return c.startKeygen(ctx, req.job(min(size, req.Count-i*size)), true)
	}, func(i int, part *KeygenResult) error {
		parts[i] = part
		done += len(part.Keys)
		if req.OnProof != nil {
			if err := req.OnProof(part.Proofs[0]); err != nil {
				return err
			}
		}
		if req.Progress != nil {
			req.Progress(done, req.Count)
		}
		return nil
	})
	all := &KeygenResult{}
	for _, part := range parts {
		if part != nil {
			all.Keys = append(all.Keys, part.Keys...)
			all.Proofs = append(all.Proofs, part.Proofs...)
		}
	}
	return all, err
}

// SubmitKeygen publishes one keygen job and returns once it is stored. If the
// fleet is busy it says so at once, with a *BusyError.
func (c *Client) SubmitKeygen(ctx context.Context, req KeygenRequest) (*Handle[KeygenResult], error) {
	return c.startKeygen(ctx, req.job(req.Count), false)
}

func (req KeygenRequest) job(count int) wire.Job {
	return wire.Job{ID: req.JobID, Kind: wire.KindKeygen, Expires: req.Expires, Chain: req.Chain, Count: count}
}

// cut says into how many jobs of what size a request is cut; the last job may
// be smaller. A count below one is one job, which is refused in the usual way.
func (req KeygenRequest) cut() (size, jobs int, err error) {
	if req.Count > MaxRequestKeys {
		return 0, 0, fmt.Errorf("client: %d keys in one request: ask for at most %d, and again for more", req.Count,
			MaxRequestKeys)
	}
	size = req.JobKeys
	if size <= 0 || size > MaxJobKeys {
		size = MaxJobKeys
	}
	if req.JobID != "" && req.Count > size {
		return 0, 0, errOneJob
	}
	return size, max(1, (req.Count+size-1)/size), nil
}

func (c *Client) startKeygen(ctx context.Context, job wire.Job, patient bool) (*Handle[KeygenResult], error) {
	return submitJob(ctx, c, job, patient, func(j *prepared, a *answer) (*KeygenResult, error) {
		proof := Proof{Client: c.name, Job: string(j.Payload), Result: json.RawMessage(a.raw)}
		keys, err := proof.verify(c.manifest, &a.result)
		if err != nil {
			return nil, err
		}
		return &KeygenResult{Keys: keys, Proofs: []Proof{proof}}, nil
	})
}
