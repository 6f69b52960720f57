package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// attester turns leaves into attestations. While one call to the key provider
// is under way, further leaves wait; the next call signs the root of a tree
// over all of them. So the calls follow the device's speed, not the number of
// messages. After a failure the next call waits a while, whoever asks: a device
// in trouble is not hammered.
type attester struct {
	manifest *protocol.Manifest
	sign     func(ctx context.Context, digest [32]byte) ([]byte, error)
	// life is the context of the calls: they serve many waiters, so they end
	// with the worker and not with one of them.
	life context.Context

	mu      sync.Mutex
	waiting []*request
	busy    bool
}

type request struct {
	ctx  context.Context
	leaf [32]byte
	done chan struct{}
	att  *protocol.Attestation
	err  error
}

// maxLeaves bounds one tree, and with it the length of a path.
const maxLeaves = 1 << 10

// signTime bounds one call to the key provider. One that hangs for longer is
// given up, and tried again.
const signTime = 30 * time.Second

// The pause after a failed call, doubling.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// attest waits for the device's signature over a leaf, or for the failure of
// the call that was to give it.
func (a *attester) attest(ctx context.Context, leaf [32]byte) (*protocol.Attestation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &request{ctx: ctx, leaf: leaf, done: make(chan struct{})}
	a.mu.Lock()
	a.waiting = append(a.waiting, r)
	lead := !a.busy
	a.busy = true
	a.mu.Unlock()
	if lead {
		go a.serve() // a call under way at the end is the provider's to wait for
	}
	select {
	case <-r.done:
		return r.att, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve signs for whoever waits until nobody does.
func (a *attester) serve() {
	for pause := minPause; ; {
		batch := a.take()
		if batch == nil {
			return
		}
		if err := a.call(batch); err == nil {
			pause = minPause
			continue
		}
		sleep(a.life, pause)
		pause = min(2*pause, maxPause)
	}
}

// call signs once, for all of the batch.
func (a *attester) call(batch []*request) error {
	leaves := make([][32]byte, len(batch))
	for i, r := range batch {
		leaves[i] = r.leaf
	}
	ctx, cancel := context.WithTimeout(a.life, signTime)
	defer cancel()
	signature, err := a.sign(ctx, protocol.AttestDigest(a.manifest, leaves))
	for i, r := range batch {
		if r.err = err; err == nil {
			r.att = protocol.NewAttestation(leaves, i, signature)
		}
		close(r.done)
	}
	return err
}

// take gives those who wait, without those who gave up meanwhile.
func (a *attester) take() []*request {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = slices.DeleteFunc(a.waiting, func(r *request) bool { return r.ctx.Err() != nil })
	n := min(len(a.waiting), maxLeaves)
	if n == 0 {
		a.waiting, a.busy = nil, false
		return nil
	}
	batch := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
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
