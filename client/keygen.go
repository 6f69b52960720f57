package client

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
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
	// OnJob, if set, is called with each new job before it is published, for instance to
	// save it. An error ends the request: that job is not published, and OnJob is not called
	// again, so that nothing follows a line of a file that was cut off.
	OnJob func(SavedJob) error
	// Resume are jobs of an earlier request, as its OnJob got them. Count includes their
	// keys. Keygen asks for their results first, publishes those again that have none and
	// have not expired, and then generates what is missing to Count. All of their keys
	// count, so there may be more.
	Resume []SavedJob
	// Progress, if set, is called after each job with the number of keys that
	// are done, and Count.
	Progress func(done, total int)
	// OnKeys, if set, is called with each job's keys and proof as soon as they are
	// checked, in order of arrival, for instance to save them. Keygen's result is empty
	// then: its memory does not grow with Count. An error ends the request, and OnKeys is
	// not called again: keys that come later are those of a saved job.
	OnKeys func([]Key, Proof) error

	// Calls of each of these functions do not overlap.
}

// Key is one key of the fleet. Nobody has its private half.
type Key struct {
	ID        string // names it in sign jobs
	Chain     string
	PublicKey []byte // bitcoin: internal key, 33 bytes compressed; solana: 32 bytes
	Address   string // on the manifest's network
	ChainCode []byte // 32 bytes, public: with PublicKey the root of the key's children, see Account

	network string // where it was proven
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
	if _, _, err := req.cut(); err != nil {
		return &KeygenResult{}, err
	}
	seen := map[string]bool{}
	for _, job := range req.Resume {
		if seen[job.Payload] {
			return &KeygenResult{}, fmt.Errorf("client: job %s is to be resumed twice", job.ID)
		}
		seen[job.Payload] = true
	}
	k := &keygen{c: c, req: req}
	err := k.resume(ctx)
	if err == nil && (k.done < req.Count || len(req.Resume) == 0) {
		err = k.generate(ctx)
	}
	all := &KeygenResult{}
	for _, part := range k.parts {
		if part != nil {
			all.Keys = append(all.Keys, part.Keys...)
			all.Proofs = append(all.Proofs, part.Proofs...)
		}
	}
	return all, howFar(err, k.done, req.Count, "keys")
}

// keygen is a request in progress.
type keygen struct {
	c      *Client
	req    KeygenRequest
	saving sync.Mutex      // held in OnJob
	lost   error           // of OnJob: no further call, and so no further job
	taken  error           // of OnKeys: no further call
	done   int             // keys
	parts  []*KeygenResult // a job each, in the request's order; nil: there is none, or OnKeys has it
}

// resume asks for the results of jobs that may have been published before.
func (k *keygen) resume(ctx context.Context) error {
	k.parts = make([]*KeygenResult, len(k.req.Resume))
	return doAll(ctx, k.c, len(k.req.Resume), func(ctx context.Context, i int) (*KeygenResult, error) {
		return k.c.resumeKeygen(ctx, k.req.Resume[i])
	}, k.take(0))
}

// generate publishes new jobs for what is missing.
func (k *keygen) generate(ctx context.Context) error {
	rest := k.req
	rest.Count -= k.done
	size, jobs, err := rest.cut()
	if err != nil {
		return err
	}
	resumed := len(k.parts)
	k.parts = append(k.parts, make([]*KeygenResult, jobs)...)
	return doAll(ctx, k.c, jobs, func(ctx context.Context, i int) (*KeygenResult, error) {
		j, err := k.c.prepare(rest.job(min(size, rest.Count-i*size)))
		if err == nil {
			err = k.save(j)
		}
		if err != nil {
			return nil, err
		}
		h, err := submitJob(ctx, k.c, j, true, k.c.checkKeygen)
		return waitJob(ctx, k.c, h, err)
	}, k.take(resumed))
}

func (k *keygen) save(j *prepared) error {
	if k.req.OnJob == nil {
		return nil
	}
	k.saving.Lock()
	defer k.saving.Unlock()
	if k.lost == nil {
		k.lost = k.req.OnJob(savedJob(j))
	}
	return k.lost
}

// take takes the keys of jobs, of which the first is part number from.
func (k *keygen) take(from int) func(i int, part *KeygenResult) error {
	return func(i int, part *KeygenResult) error {
		switch {
		case k.req.OnKeys == nil:
			k.parts[from+i] = part
		case k.taken == nil:
			k.taken = k.req.OnKeys(part.Keys, part.Proofs[0])
		}
		if k.taken != nil {
			return k.taken
		}
		if k.done += len(part.Keys); k.req.Progress != nil {
			k.req.Progress(k.done, k.req.Count)
		}
		return nil
	}
}

// SubmitKeygen publishes one keygen job and returns once it is stored. If the
// fleet is busy it says so at once, with a *BusyError.
func (c *Client) SubmitKeygen(ctx context.Context, req KeygenRequest) (*Handle[KeygenResult], error) {
	made, err := c.Maker().Keygen(req)
	if err != nil {
		return nil, err
	}
	return Submit(ctx, c, made)
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
	if req.JobID != "" && (req.Count > size || len(req.Resume) > 0) {
		return 0, 0, errOneJob
	}
	return size, max(1, (req.Count+size-1)/size), nil
}

// checkKeygen makes keys of an answer that proves them.
func (c *Client) checkKeygen(j *prepared, a *answer) (*KeygenResult, error) {
	proof := Proof{Client: c.name, Job: string(j.Payload), Result: json.RawMessage(a.raw)}
	keys, err := proof.verify(c.manifest, &a.result, c.recheck)
	if err != nil {
		return nil, err
	}
	return &KeygenResult{Keys: keys, Proofs: []Proof{proof}}, nil
}
