package directory

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Directory answers from its file. All methods may be called concurrently.
type Directory struct{}

// Key is the key with this id. ErrNotFound also where it is not client's; "" is any client.
func (d *Directory) Key(client, id string) (Key, error) { return Key{}, ErrNotFound }

// Keys is one page of the keys that q chooses. ErrCursor for a cursor that is none.
func (d *Directory) Keys(q KeyQuery) (KeyPage, error) { return KeyPage{}, nil }

// ByAddress is the key with this address itself; addresses of children are not looked up here.
func (d *Directory) ByAddress(client, address string) (Key, error) { return Key{}, ErrNotFound }

// Job is the job with this id.
func (d *Directory) Job(client, id string) (Job, error) { return Job{}, ErrNotFound }

// Jobs is one page of the jobs that q chooses.
func (d *Directory) Jobs(q JobQuery) (JobPage, error) { return JobPage{}, nil }

// Watch sends a job now and whenever its line changes, until ctx ends or it has ended; then
// it closes the channel. A slow reader gets the newest line and misses those between.
func (d *Directory) Watch(ctx context.Context, client, id string) (<-chan Job, error) {
	return nil, ErrNotFound
}

// Note publishes a remark to LABELS, and returns once it is stored there and in the directory.
func (d *Directory) Note(ctx context.Context, r Remark) error { return nil }

// Claim stores a request in REQUESTS. Where the job's id is taken, it returns the request that
// has it, and false.
func (d *Directory) Claim(ctx context.Context, r Request) (stands Request, mine bool, err error) {
	return r, true, nil
}

// Result is the stored result of a job as its gateway signed it: the payload, and the headers
// Frost-Gateway and Frost-Signature. ErrNotFound: none is stored, or no longer.
func (d *Directory) Result(ctx context.Context, client, job string) (payload []byte, headers map[string][]string, err error) {
	return nil, nil, ErrNotFound
}

// Ready returns what keeps the directory from answering for everything: nil once it has read
// all that was stored when it was opened.
func (d *Directory) Ready() error { return nil }

var _ = wire.KindSign
