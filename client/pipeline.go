package client

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// doAll does the jobs 0..n-1, at most as many at a time as the client may have
// under way, and hands each checked result to take. Calls of take do not
// overlap. After an error no further job starts, and those under way are waited
// for: what they produce exists. It returns the first error.
func doAll[R any](ctx context.Context, c *Client, n int,
	start func(ctx context.Context, i int) (*Handle[R], error), take func(i int, r *R) error) error {
	jobs, going := errgroup.WithContext(ctx)
	jobs.SetLimit(c.width)
	var taking sync.Mutex
	for i := range n {
		jobs.Go(func() error {
			if going.Err() != nil { // a job failed, or ctx ended
				return ctx.Err()
			}
			h, err := start(ctx, i)
			if err != nil {
				return err
			}
			defer c.unregister(h.p)
			r, err := h.Wait(ctx)
			if r == nil {
				return err // else r says itself what it lacks
			}
			taking.Lock()
			defer taking.Unlock()
			return take(i, r)
		})
	}
	return jobs.Wait()
}
