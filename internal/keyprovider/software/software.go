// Package software is the key provider for development: both keys are in a
// JSON file of mode 0600, in the clear. Who reads the file has the node's
// shares, so it is refused on mainnet unless the operator insists.
//
// The identity key is P-256 and signs with crypto/ecdsa (hedged nonces).
// Derive is HMAC-SHA256 with the file's derivation secret over the label, the
// function that AWS KMS (GenerateMac, HMAC_SHA_256) and PKCS#11
// (CKM_SHA256_HMAC) compute too.
package software

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// ErrMainnet says that real coins are not guarded by a file.
var ErrMainnet = errors.New("key provider software keeps keys in a plain file and is refused on mainnet: " +
	"use aws-kms or pkcs11, or set allow_insecure = true under [node.key_provider] if nothing of value is at stake")

// Options says which file to open, and for what.
type Options struct {
	Path          string // the key file, made by Generate
	Network       string // mainnet, testnet, signet, regtest
	AllowInsecure bool   // open it on mainnet all the same
	Observe       func(keyprovider.Call)
}

// Provider implements keyprovider.Provider.
type Provider struct {
	path    string
	observe func(keyprovider.Call)

	mu     sync.RWMutex // held for writing by Close only
	public *ecdsa.PublicKey
	keys   *keys // nil once closed
}

var (
	_ keyprovider.Provider  = (*Provider)(nil)
	_ keyprovider.Describer = (*Provider)(nil)
)

// Open reads a key file. Every network but the three test networks counts as
// mainnet.
func Open(opt Options) (*Provider, error) {
	if !opt.AllowInsecure && !slices.Contains([]string{"testnet", "signet", "regtest"}, opt.Network) {
		return nil, ErrMainnet
	}
	k, err := readFile(opt.Path)
	if err != nil {
		return nil, err
	}
	public := k.identity().PublicKey
	return &Provider{path: opt.Path, observe: opt.Observe, public: &public, keys: k}, nil
}

// Identity implements keyprovider.Provider.
func (p *Provider) Identity(ctx context.Context) (public *ecdsa.PublicKey, err error) {
	err = p.use(ctx, func(*keys) error {
		key := *p.public
		public = &key
		return nil
	})
	return public, err
}

// Sign implements keyprovider.Provider.
func (p *Provider) Sign(ctx context.Context, digest [32]byte) (sig []byte, err error) {
	defer p.report(keyprovider.OpSign, time.Now(), &err)
	err = p.use(ctx, func(k *keys) (err error) {
		sig, err = ecdsa.SignASN1(rand.Reader, k.identity(), digest[:])
		return err
	})
	return sig, err
}

// Derive implements keyprovider.Provider.
func (p *Provider) Derive(ctx context.Context, label []byte) (out [32]byte, err error) {
	if err := keyprovider.CheckLabel(label); err != nil {
		return out, err
	}
	defer p.report(keyprovider.OpDerive, time.Now(), &err)
	err = p.use(ctx, func(k *keys) error {
		out = keyprovider.HMAC(k.derivation, label)
		return nil
	})
	return out, err
}

// Describe implements keyprovider.Describer.
func (p *Provider) Describe(context.Context) ([]keyprovider.Fact, error) {
	return []keyprovider.Fact{
		{Name: "key file", Value: p.path, Warning: inTheClear},
		{Name: "identity key", Value: "P-256, ECDSA"},
		{Name: "derivation key", Value: "HMAC-SHA256"},
	}, nil
}

func (p *Provider) report(operation string, start time.Time, err *error) {
	if p.observe != nil {
		p.observe(keyprovider.Call{Provider: Type, Operation: operation, Took: time.Since(start), Err: *err})
	}
}

// Close implements keyprovider.Provider.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys != nil {
		p.keys.wipe()
		p.keys = nil
	}
	return nil
}

// use calls with the keys, which Close leaves alone meanwhile.
func (p *Provider) use(ctx context.Context, call func(*keys) error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.keys == nil {
		return keyprovider.ErrClosed
	}
	err := ctx.Err()
	if err == nil {
		err = call(p.keys)
	}
	if err != nil {
		return fmt.Errorf("key provider software: %w", err)
	}
	return nil
}

// Format implements fmt.Formatter: a provider prints as its name.
func (*Provider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("software key provider")) }

// LogValue implements slog.LogValuer.
func (*Provider) LogValue() slog.Value { return slog.StringValue("software key provider") }

// keys are the two keys, where no printing verb finds them.
type keys struct {
	identity   func() *ecdsa.PrivateKey
	derivation *secret.Bytes
}

func newKeys(identity *ecdsa.PrivateKey, derivation []byte) *keys {
	return &keys{identity: func() *ecdsa.PrivateKey { return identity }, derivation: secret.New(derivation)}
}

// wipe overwrites what Go lets it: the identity key's inner form is dropped.
func (k *keys) wipe() {
	k.derivation.Wipe()
	k.identity = nil
}
