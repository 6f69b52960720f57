package keyprovider

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Coalescer has many digests signed with few calls. While one call to the
// device is under way, further digests wait; the next call signs the root of a
// tree over all of them. So calls follow the device's speed, not the number of
// messages. After a failure the next call waits a while, whoever asks: a device
// in trouble is not hammered.
type Coalescer[A any] struct {
	// Sign is one call to the device.
	Sign func(ctx context.Context, digest [32]byte) ([]byte, error)
	// Digest is what one call signs for its leaves.
	Digest func(leaves [][32]byte) [32]byte
	// Prove makes of one signature what each leaf is given, in their order.
	Prove func(leaves [][32]byte, signature []byte) []A
	// Life is the context of the calls: they serve many waiters, so they end
	// with the node and not with one of them.
	Life context.Context
	// Signed hears how many leaves a signature served. May be nil.
	Signed func(leaves int)
	// Begin hears each call begin, with the contexts of those it serves, and
	// gives what hears it end. May be nil.
	Begin func(served []context.Context) (end func(error))

	mu      sync.Mutex
	waiting []*request[A]
	busy    bool
}

type request[A any] struct {
	ctx   context.Context
	leaf  [32]byte
	done  chan struct{}
	proof A
	err   error
}

// MaxLeaves bounds one tree, and with it the length of a path.
const MaxLeaves = 1 << 10

// coalescedTime bounds one call with all its repetitions. One that hangs for
// longer is given up, and tried again.
const coalescedTime = 30 * time.Second

// The pause after a failed call, doubling.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// Attest waits for the proof that the device signed leaf, or for the failure
// of the call that was to give it.
func (c *Coalescer[A]) Attest(ctx context.Context, leaf [32]byte) (proof A, err error) {
	if err := ctx.Err(); err != nil {
		return proof, err
	}
	r := &request[A]{ctx: ctx, leaf: leaf, done: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, r)
	lead := !c.busy
	c.busy = true
	c.mu.Unlock()
	if lead {
		go c.serve() // a call under way at the end is the provider's to wait for
	}
	select {
	case <-r.done:
		return r.proof, r.err
	case <-ctx.Done():
		return proof, ctx.Err()
	}
}

// serve signs for whoever waits until nobody does.
func (c *Coalescer[A]) serve() {
	for pause := minPause; ; {
		batch := c.take()
		if batch == nil {
			return
		}
		if err := c.call(batch); err == nil {
			pause = minPause
			continue
		}
		sleep(c.Life, pause)
		pause = min(2*pause, maxPause)
	}
}

// call signs once, for all of the batch.
func (c *Coalescer[A]) call(batch []*request[A]) error {
	leaves := make([][32]byte, len(batch))
	for i, r := range batch {
		leaves[i] = r.leaf
	}
	ctx, cancel := context.WithTimeout(c.Life, coalescedTime)
	defer cancel()
	end := c.begin(batch)
	signature, err := c.Sign(ctx, c.Digest(leaves))
	end(err)
	var proofs []A
	if err == nil {
		proofs = c.Prove(leaves, signature)
		if c.Signed != nil {
			c.Signed(len(leaves))
		}
	}
	for i, r := range batch {
		if r.err = err; err == nil {
			r.proof = proofs[i]
		}
		close(r.done)
	}
	return err
}

func (c *Coalescer[A]) begin(batch []*request[A]) (end func(error)) {
	if c.Begin == nil {
		return func(error) {}
	}
	served := make([]context.Context, len(batch))
	for i, r := range batch {
		served[i] = r.ctx
	}
	return c.Begin(served)
}

// take gives those who wait, without those who gave up meanwhile.
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

// sleep waits until d is over or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
