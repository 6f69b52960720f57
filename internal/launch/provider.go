package launch

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// ProviderOptions are what a node's file does not say of its key provider.
// All of them may be left out.
type ProviderOptions struct {
	Pinned  *ecdsa.PublicKey       // the identity key of the manifest; nil before there is one
	Observe func(keyprovider.Call) // hears of every call to the device
	Log     *slog.Logger
	// Enrolling lets a secret outside the device be made (aws-kms, derivation =
	// "file"), while the node has no manifest.
	Enrolling bool

	// A token's PIN, where the file names none.
	PIN     pin.Source  // asks a person who is there now
	Unlock  bool        // for a worker: waits for its device, and for frost-worker unlock, now and whenever the PIN is missing
	Waiting func(error) // hears, with Unlock, why OpenProvider waits, at each try
	// AfterWrongPIN logs in to a token that was given a wrong PIN before: for
	// a person who is there to look.
	AfterWrongPIN bool
}

// OpenProvider opens the back end that a node's file names. It has neither
// patience nor a cache: see keyprovider.Harden and Policy.
func OpenProvider(ctx context.Context, n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	if o.Observe == nil {
		o.Observe = func(keyprovider.Call) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Waiting == nil {
		o.Waiting = func(error) {}
	}
	switch n.Node.KeyProvider.Type {
	case config.Software:
		return openSoftware(n, o)
	case config.AWSKMS:
		return openPatiently(ctx, o, func(ctx context.Context) (keyprovider.Provider, error) { return openAWSKMS(ctx, n, o) })
	case config.PKCS11:
		return openPKCS11(ctx, n, o)
	}
	return nil, fmt.Errorf("[node.key_provider] type = %q is none of software, aws-kms, pkcs11", n.Node.KeyProvider.Type)
}

// PinnedIdentity is the identity key that the node's manifest has for it; nil
// while there is no manifest, or another fleet's.
func PinnedIdentity(n *config.Node) *ecdsa.PublicKey {
	m, err := nodeManifest(n)
	if err != nil {
		return nil
	}
	return m.Identity(n.Node.Index)
}

// openTime bounds one try to open a device, if it asks nobody.
const openTime = 30 * time.Second

// Policy is what a node's file says of its patience with the device.
func Policy(n *config.Node) keyprovider.Policy {
	p := &n.Node.KeyProvider
	return keyprovider.Policy{Name: p.Type, Timeout: p.Timeout.Duration, Attempts: p.MaxAttempts}
}

func openSoftware(n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	p := &n.Node.KeyProvider
	provider, err := software.Open(software.Options{Path: p.KeyFile, Network: n.Network.Type, AllowInsecure: p.AllowInsecure})
	if err != nil {
		return nil, err
	}
	return &observed{provider, o.Observe, p.KeyFile}, nil
}

// observed is the software provider as its calls are counted and its keys
// described: it has no device that would do either.
type observed struct {
	keyprovider.Provider
	observe func(keyprovider.Call)
	path    string
}

func (p *observed) report(operation string, start time.Time, err error) {
	p.observe(keyprovider.Call{Provider: config.Software, Operation: operation, Took: time.Since(start), Err: err})
}

func (p *observed) Sign(ctx context.Context, digest [32]byte) (sig []byte, err error) {
	defer func(start time.Time) { p.report(keyprovider.OpSign, start, err) }(time.Now())
	return p.Provider.Sign(ctx, digest)
}

func (p *observed) Derive(ctx context.Context, label []byte) (key [32]byte, err error) {
	defer func(start time.Time) { p.report(keyprovider.OpDerive, start, err) }(time.Now())
	return p.Provider.Derive(ctx, label)
}

// Describe implements keyprovider.Describer.
func (p *observed) Describe(context.Context) ([]keyprovider.Fact, error) {
	return []keyprovider.Fact{
		{Name: "key file", Value: p.path, Warning: "private keys in the clear: for development only"},
		{Name: "identity key", Value: "P-256, ECDSA"},
		{Name: "derivation key", Value: "HMAC-SHA256"},
	}, nil
}
