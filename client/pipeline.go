package client

import (
	"context"
	"sync"
)

// pipeline runs the jobs 0..n-1, at most width at a time and in order of their
// start. After an error no further job starts, and those under way are waited
// for: what they produce exists. It returns the first error.
func pipeline(ctx context.Context, n, width int, run func(ctx context.Context, i int) error) error {
	var (
		wg     sync.WaitGroup
		once   sync.Once
		first  error
		failed = make(chan struct{})
		places = make(chan struct{}, width)
	)
	fail := func(err error) { once.Do(func() { first = err; close(failed) }) }
	for i := range n {
		select {
		case places <- struct{}{}:
		case <-failed:
		case <-ctx.Done():
			fail(ctx.Err())
		}
		select {
		case <-failed:
			wg.Wait()
			return first
		default:
		}
		wg.Go(func() {
			defer func() { <-places }()
			if err := run(ctx, i); err != nil {
				fail(err)
			}
		})
	}
	wg.Wait()
	return first
}
