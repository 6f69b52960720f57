package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What one job holds at most. Keygen and Sign cut larger requests into
// several jobs.
const (
	MaxJobKeys  = wire.MaxJobKeys
	MaxJobItems = wire.MaxJobItems
)

const (
	// defaultLife is how long the fleet works on a job that says nothing else.
	defaultLife = 30 * time.Minute
	// maxItemsSize leaves room, below the 1 MiB of a stored message, for the
	// headers and the other fields.
	maxItemsSize = wire.MaxJobSize - 8<<10
)

// prepared is a job that is signed and found right, ready to be published any
// number of times.
type prepared struct {
	wire.SignedJob
	job    wire.Job
	digest [32]byte
}

// size is how many keys or signatures the job asks for, at most.
func (j *prepared) size() int { return sizeOf(&j.job) }

func sizeOf(job *wire.Job) int { return max(job.Count, len(job.Items), tx.Size(job.Request())) }

// prepare completes the job with an id and an expiry where it has none, signs
// it, and refuses what the fleet would refuse, unless only because the job is over.
func (c *Client) prepare(job wire.Job) (p *prepared, err error) {
	aside(sizeOf(&job), func() { p, err = c.prepareHere(job) })
	return p, err
}

func (c *Client) prepareHere(job wire.Job) (*prepared, error) {
	payload, err := complete(&job)
	if err != nil {
		return nil, err
	}
	p := &prepared{SignedJob: c.sign(job.Kind, payload), job: job}
	p.digest = p.Digest(c.manifest)
	if _, refusal := p.Parse(lastly(&job)); refusal != nil {
		return nil, &JobError{Job: job.ID, Code: Code(refusal.Code), Message: refusal.Reason}
	}
	return p, nil
}

// lastly is when a job is judged that may be over: while it was not.
func lastly(job *wire.Job) time.Time {
	now := time.Now()
	if before := job.Over().Add(-time.Second); before.Before(now) {
		return before
	}
	return now
}

// complete gives a job an id and an expiry where it has none, and returns its payload.
func complete(job *wire.Job) ([]byte, error) {
	if job.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("client: job id: %w", err)
		}
		job.ID = id.String()
	}
	if job.Expires.IsZero() && !job.Waits() {
		job.Expires = time.Now().Add(defaultLife).Truncate(time.Second)
	}
	job.Expires, job.ApproveUntil = job.Expires.UTC(), job.ApproveUntil.UTC()
	payload, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("client: job: %w", err)
	}
	return payload, nil
}

// errOneJob says why a request with a job id can't be cut.
var errOneJob = errors.New("client: a request with JobID must fit one job: leave JobID empty, or ask for less")

// cutItems cuts items into jobs by number and by encoded size: job i has the
// items from cuts[i] to cuts[i+1].
func cutItems(items []SignItem) (cuts []int) {
	cuts = []int{0}
	start, size := 0, 0
	for i, it := range items {
		n := encodedSize(it)
		if i > start && (i-start == MaxJobItems || size+n > maxItemsSize) {
			cuts = append(cuts, i)
			start, size = i, 0
		}
		size += n
	}
	return append(cuts, len(items))
}

// encodedSize is at least what an item takes in a job's JSON, in bytes.
func encodedSize(it SignItem) int {
	const names = len(`{"key":"","path":"","message":"","script_root":""},`)
	return names + len(it.Key) + len(it.Path) + 2*len(it.Message) + 2*len(it.ScriptRoot)
}
