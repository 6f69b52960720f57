package keyprovider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// faulty is a provider in memory that fails as a test tells it to.
type faulty struct {
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	faults map[string]func(context.Context) error // by operation, "probe" among them
	calls  map[string]int
	closed bool
	under  sync.WaitGroup
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{key: key, faults: map[string]func(context.Context) error{}, calls: map[string]int{}}
}

// fail has an operation end in f's error; nil: it works again.
func (p *faulty) fail(operation string, f func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[operation] = f
}

// refuse has an operation fail for a reason.
func (p *faulty) refuse(operation string, r Reason) {
	p.fail(operation, func(context.Context) error { return because(r) })
}

func because(r Reason) error {
	return &Error{Reason: r, Provider: "faulty", Action: "Sign", Key: "key-1", Remedy: "mend it"}
}

func (p *faulty) count(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[operation]
}

func (p *faulty) begin(ctx context.Context, operation string) error {
	p.mu.Lock()
	p.calls[operation]++
	fault, closed := p.faults[operation], p.closed
	if !closed {
		p.under.Add(1)
		defer p.under.Done()
	}
	p.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if fault != nil {
		return fault(ctx)
	}
	return ctx.Err()
}

func (p *faulty) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	return &p.key.PublicKey, p.begin(ctx, OpPublicKey)
}

func (p *faulty) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	if err := p.begin(ctx, OpSign); err != nil {
		return nil, err
	}
	return ecdsa.SignASN1(rand.Reader, p.key, digest[:])
}

func (p *faulty) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if err := p.begin(ctx, OpDerive); err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(label), nil
}

func (p *faulty) Probe(ctx context.Context) error { return p.begin(ctx, "probe") }

func (p *faulty) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.under.Wait()
	return nil
}

// sleeps is a fault of latency only.
func sleeps(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error { return backoff.Sleep(ctx, d) }
}

// hangs does not answer until the test lets it, or its context ends.
func hangs(release <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heard is an observer that remembers.
type heard struct {
	mu     sync.Mutex
	states []Reason
	open   []bool
	hits   []bool
}

func (h *heard) ProviderCall(Call)     {}
func (h *heard) ProviderCoalesced(int) {}

func (h *heard) ProviderState(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, CauseOf(err))
	h.open = append(h.open, ReasonOf(err) == CircuitOpen)
}

func (h *heard) ProviderCached(hit bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hits = append(h.hits, hit)
}

func (h *heard) want(t *testing.T, states []Reason, open []bool) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.states, states) || !slices.Equal(h.open, open) {
		t.Errorf("observer heard %v, circuit open %v; want %v, %v", h.states, h.open, states, open)
	}
}

// sign is a call whose result nobody needs.
func sign(t *testing.T, p Provider) error {
	_, err := p.Sign(t.Context(), [32]byte{1})
	return err
}

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	if ReasonOf(err) != want {
		t.Errorf("got %v (%s), want reason %s", err, ReasonOf(err), want)
	}
}

func wantSince(t *testing.T, start time.Time, low, high time.Duration) {
	t.Helper()
	if d := time.Since(start); d < low || d > high {
		t.Errorf("took %s, want %s to %s", d, low, high)
	}
}

var errBroken = errors.New("broken")
