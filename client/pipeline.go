package client

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"
)

// doAll does the jobs 0..n-1, at most as many at a time as the client may have
// under way, and hands each checked result to take; a job without one was given up. Calls
// of take do not overlap. After an error no further job starts, and those under way are
// waited for: what they produce exists. It returns the first error; if jobs were left
// without an answer, that is an *UnfinishedError.
func doAll[R any](ctx context.Context, c *Client, n int,
	do func(ctx context.Context, i int) (*R, error), take func(i int, r *R) error) error {
	jobs, going := errgroup.WithContext(ctx)
	jobs.SetLimit(c.width)
	var mu sync.Mutex
	var open []string
	for i := range n {
		jobs.Go(func() error {
			if going.Err() != nil { // a job failed, or ctx ended
				return ctx.Err()
			}
			r, err := do(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			if left, ok := errors.AsType[*openError](err); ok {
				open = append(open, left.job)
			}
			if r == nil {
				return err // else r says itself what it lacks
			}
			return take(i, r)
		})
	}
	return unfinished(ctx, jobs.Wait(), open)
}

// unfinished says of a request that ended early which of its jobs are open.
func unfinished(ctx context.Context, err error, open []string) error {
	left, noAnswer := errors.AsType[*openError](err)
	switch {
	case err == nil || ctx.Err() == nil && !noAnswer:
		return err
	case noAnswer:
		err = left.why // all of them are named
	}
	return &UnfinishedError{Open: open, Err: err}
}

// waitJob waits for a job that was just started, or not.
func waitJob[R any](ctx context.Context, c *Client, h *Handle[R], err error) (*R, error) {
	if err != nil {
		return nil, err
	}
	defer c.unregister(h.p)
	return h.Wait(ctx)
}
