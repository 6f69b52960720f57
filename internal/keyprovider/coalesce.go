package keyprovider

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// Coalescer has many digests signed with few calls. While one call to the
// device is under way, further digests wait; the next call signs the root of a
// tree over all of them. So calls follow the device's speed, not the number of
// messages.
//
// It is the one place where signatures are repeated: a call that failed is made
// again after a pause, with all that wait by then, for as long as somebody does.
type Coalescer[A any] struct {
	// SignOnce is one call to the device. It returns once its context has ended.
	SignOnce func(ctx context.Context, digest [32]byte) ([]byte, error)
	// Digest is what one call signs for its leaves.
	Digest func(leaves [][32]byte) [32]byte
	// Prove makes of one signature what each leaf is given, in their order.
	Prove func(leaves [][32]byte, signature []byte) []A
	// Signed is told how many leaves a signature served. May be nil.
	Signed func(leaves int)
	// Begin is told about each call before it is made, with the contexts of those
	// it serves, and returns what is told how it ended. May be nil.
	Begin func(served []context.Context) (end func(error))

	took atomic.Int64 // the latest call that succeeded

	mu      sync.Mutex
	waiting []*request[A]
	busy    bool
}

type request[A any] struct {
	ctx   context.Context
	leaf  [32]byte
	done  chan struct{}
	proof A

	failed atomic.Pointer[error] // why it is not done yet: the latest call's error
}

// MaxLeaves bounds one tree, and with it the length of a path.
const MaxLeaves = 1 << 10

// The pause after a failed call, doubling.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// Sign waits for the proof that the device signed leaf, for as long as ctx
// lasts: it fails only then, and says why the device has not signed.
func (c *Coalescer[A]) Sign(ctx context.Context, leaf [32]byte) (proof A, err error) {
	if err := ctx.Err(); err != nil {
		return proof, err
	}
	r := &request[A]{ctx: ctx, leaf: leaf, done: make(chan struct{})}
	c.mu.Lock()
	lead := !c.busy // nobody waits
	if c.busy = true; !lead {
		c.waiting = append(c.waiting, r)
	}
	c.mu.Unlock()
	if lead {
		c.lead(r)
	}
	select {
	case <-r.done:
		return r.proof, nil
	case <-ctx.Done():
		if failed := r.failed.Load(); failed != nil {
			return proof, errors.Join(ctx.Err(), *failed)
		}
		return proof, ctx.Err()
	}
}

// Took is how long the latest successful call to the device took.
func (c *Coalescer[A]) Took() time.Duration { return time.Duration(c.took.Load()) }

// lead makes a call for one leaf where it is asked for: most are, and two goroutines would be woken
// for it. Those that came meanwhile are served on another, also if the call panics: whoever asked
// may go on after that, and the others must not wait for it.
func (c *Coalescer[A]) lead(r *request[A]) {
	defer c.handOver()
	alone := []*request[A]{r}
	if err := c.call(r.ctx, alone); err != nil {
		c.putBack(alone, err)
		_ = backoff.Sleep(r.ctx, minPause)
	}
}

// handOver has those served that wait.
func (c *Coalescer[A]) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy = len(c.waiting) > 0; c.busy {
		go c.serve() // until nobody waits
	}
}

// serve signs until nobody waits.
func (c *Coalescer[A]) serve() {
	pause := backoff.Backoff{Min: minPause, Max: maxPause}
	for {
		batch := c.take()
		if batch == nil {
			return
		}
		ctx, stop := whileOneLasts(batch)
		err := c.call(ctx, batch)
		if err == nil {
			pause.Reset()
		} else {
			c.putBack(batch, err)
			_ = pause.Wait(ctx)
		}
		stop()
	}
}

// whileOneLasts returns a context that ends with the last of those that wait:
// a call serves them all.
func whileOneLasts[A any](batch []*request[A]) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	var left atomic.Int64
	left.Store(int64(len(batch)))
	hooks := make([]func() bool, len(batch))
	for i, r := range batch {
		hooks[i] = context.AfterFunc(r.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, unhook := range hooks {
			unhook()
		}
		cancel()
	}
}

// call signs once, for all of the batch.
func (c *Coalescer[A]) call(ctx context.Context, batch []*request[A]) error {
	leaves, served := make([][32]byte, len(batch)), make([]context.Context, len(batch))
	for i, r := range batch {
		leaves[i], served[i] = r.leaf, r.ctx
	}
	end := func(error) {}
	if c.Begin != nil {
		end = c.Begin(served)
	}
	start := time.Now()
	signature, err := c.SignOnce(ctx, c.Digest(leaves))
	end(err)
	if err != nil {
		return err
	}
	c.took.Store(int64(time.Since(start)))
	proofs := c.Prove(leaves, signature)
	if c.Signed != nil {
		c.Signed(len(leaves))
	}
	for i, r := range batch {
		r.proof = proofs[i]
		close(r.done)
	}
	return nil
}

// take returns those that wait, without those that gave up meanwhile.
func (c *Coalescer[A]) take() []*request[A] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(r *request[A]) bool { return r.ctx.Err() != nil })
	n := min(len(c.waiting), MaxLeaves)
	if n == 0 {
		c.waiting, c.busy = nil, false
		return nil
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return batch
}

// putBack has a batch wait for the next call, before those that came later.
func (c *Coalescer[A]) putBack(batch []*request[A], why error) {
	for _, r := range batch {
		r.failed.Store(&why)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(slices.Clone(batch), c.waiting...)
}
