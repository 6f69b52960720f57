package worker

import (
	"context"
	"sync"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// attester turns leaves into attestations. While one call to the key provider
// is under way, further leaves wait; the next call signs the root of a tree
// over all of them. So the calls follow the device's speed, not the number of
// messages.
type attester struct {
	manifest *protocol.Manifest
	sign     func(ctx context.Context, digest [32]byte) ([]byte, error)

	mu      sync.Mutex
	waiting []*request
	busy    bool
}

type request struct {
	leaf [32]byte
	done chan struct{}
	att  *protocol.Attestation
	err  error
}

// maxLeaves bounds one tree, and with it the length of a path.
const maxLeaves = 1 << 10

// attest waits for the device's signature over a leaf.
func (a *attester) attest(ctx context.Context, leaf [32]byte) (*protocol.Attestation, error) {
	r := &request{leaf: leaf, done: make(chan struct{})}
	a.mu.Lock()
	a.waiting = append(a.waiting, r)
	lead := !a.busy
	a.busy = true
	a.mu.Unlock()
	if lead {
		// The calls serve other waiters too, so they do not end with this ctx.
		go a.serve(context.WithoutCancel(ctx))
	}
	select {
	case <-r.done:
		return r.att, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve signs for whoever waits until nobody does.
func (a *attester) serve(ctx context.Context) {
	for {
		batch := a.take()
		if batch == nil {
			return
		}
		leaves := make([][32]byte, len(batch))
		for i, r := range batch {
			leaves[i] = r.leaf
		}
		signature, err := a.sign(ctx, protocol.AttestDigest(a.manifest, leaves))
		for i, r := range batch {
			if r.err = err; err == nil {
				r.att = protocol.NewAttestation(leaves, i, signature)
			}
			close(r.done)
		}
	}
}

func (a *attester) take() []*request {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.waiting), maxLeaves)
	if n == 0 {
		a.busy = false
		return nil
	}
	batch := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
	return batch
}
