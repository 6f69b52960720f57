// Package awskms is the key provider over AWS KMS.
//
// The identity key (ECC_NIST_P256, SIGN_VERIFY) signs; the derivation key
// (HMAC_256, GENERATE_VERIFY_MAC) derives, with GenerateMac, HMAC_SHA_256.
// Credentials, region and certificate authorities come from the SDK's own
// chain. One call is one HTTP request: retries, timeouts, metrics are the
// business of the decorators above. Only the choice among regions is made
// here.
//
// # Names
//
// A key is named by ARN, id or alias. Open asks KMS for the ARN once and the
// provider keeps to it: an alias that is moved to another key does not change
// the key of a running node, only of its next start, where the public key that
// the manifest pins refuses it.
//
// # Several regions
//
// With Regions, the keys are multi-Region keys (mrk-), and each call goes to
// the first region of the list that has not failed within the last 30
// seconds. When a region fails in a way that may pass (no connection,
// throttled, 5xx, a damaged answer), the next is asked at once; when it is
// slow, the next is asked as well after HedgeAfter, the first good answer
// counts and the other call is cancelled. A region that failed or lost that
// race is left alone for 30 seconds.
//
// A refusal (denied, disabled, pending deletion, not found) by the first region
// of the list does not fail over. Replicas have states of their own, so the
// other region would often serve; but an operator who disables the key of a
// node wants the node to stop. A refusal by another region counts as a failure
// of that region: what the first one failed with decides whether the call is
// tried again. So that such a replica is not first noticed when it is needed,
// Open has every region that it reaches use both keys.
//
// # Answers
//
// A signature is verified under the identity key before it is handed out
// (some 50 µs), so that an answer damaged on its way is noticed and asked for
// again. A MAC can't be verified; TLS and its length have to do.
package awskms

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Options say which keys to use, how, and for which node.
type Options struct {
	Section
	keyprovider.Node
	keyprovider.Options

	reach  time.Duration // reachTime, but in tests
	source time.Duration // sourceTime, but in tests
}

const (
	defaultHedge = 500 * time.Millisecond
	// reachTime is how long Open waits for each of several regions. One that
	// does not answer is asked again when it is needed.
	reachTime = 5 * time.Second
)

// Provider implements keyprovider.Provider, Prober and Describer.
type Provider struct {
	opt        Options
	identity   *key
	derivation *key          // nil without one
	file       *secret.Bytes // with derivation = "file"; else nil
	public     *ecdsa.PublicKey
	publicFrom string // how the public key was come by, for people
	hangUp     func() // closes idle connections
	endSource  func() // ends a credential_process

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // under way
}

var (
	_ keyprovider.Provider  = (*Provider)(nil)
	_ keyprovider.Prober    = (*Provider)(nil)
	_ keyprovider.Describer = (*Provider)(nil)
)

// Identity implements keyprovider.Provider. It does not ask KMS.
func (p *Provider) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	public := *p.public
	return &public, nil
}

// Sign implements keyprovider.Provider.
func (p *Provider) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return ask(ctx, p, p.identity.replicas, func(ctx context.Context, at *replica) ([]byte, error) {
		return p.signAt(ctx, at, digest, p.public)
	})
}

// Derive implements keyprovider.Provider.
func (p *Provider) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if err := keyprovider.CheckLabel(label); err != nil {
		return [32]byte{}, err
	}
	end, err := p.begin(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	defer end()
	switch {
	case p.file != nil:
		return keyprovider.HMAC(p.file, label), nil
	case p.derivation == nil:
		return [32]byte{}, cannotDerive(p.identity, p.opt.Enrolled || p.opt.Pinned != nil)
	}
	return ask(ctx, p, p.derivation.replicas, func(ctx context.Context, at *replica) ([32]byte, error) {
		mac, _, err := p.macAt(ctx, at, label)
		return mac, err
	})
}

// Probe implements keyprovider.Prober with DescribeKey, which notices a key
// that was disabled. Where that was denied after the start, a signature tells
// whether the key works. It asks the preferred region even while calls avoid
// it.
func (p *Provider) Probe(ctx context.Context) error {
	end, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	_, err = askInOrder(ctx, p, p.identity.replicas[0], p.identity.replicas,
		func(ctx context.Context, at *replica) (struct{}, error) {
			_, err := p.describeAt(ctx, at)
			if keyprovider.ReasonOf(err) == keyprovider.Denied {
				err = p.signFresh(ctx, at)
			}
			return struct{}{}, err
		})
	return err
}

// Close implements keyprovider.Provider.
func (p *Provider) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.endSource() // calls may wait for it
	p.calls.Wait()
	p.hangUp()
	p.file.Wipe()
	return nil
}

// begin counts a call in unless there is a reason not to go on; the caller
// counts it out.
func (p *Provider) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("key provider %s: %w", Type, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, keyprovider.ErrClosed
	}
	p.calls.Add(1)
	return p.calls.Done, nil
}

// Format implements fmt.Formatter: a provider prints as its name.
func (*Provider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("aws-kms key provider")) }

// LogValue implements slog.LogValuer.
func (*Provider) LogValue() slog.Value { return slog.StringValue("aws-kms key provider") }
