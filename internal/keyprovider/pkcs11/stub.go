//go:build !cgo

package pkcs11

import (
	"context"
	"crypto/ecdsa"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Provider can't be opened in this build: PKCS#11 libraries are C.
type Provider struct{}

var (
	_ keyprovider.Provider  = (*Provider)(nil)
	_ keyprovider.Prober    = (*Provider)(nil)
	_ keyprovider.Describer = (*Provider)(nil)
)

var errNoCgo = &keyprovider.Error{Reason: keyprovider.Other, Provider: name, Action: "load",
	Remedy: "this program was built without cgo, and PKCS#11 libraries are C: use a release binary, or build it with a C compiler (apt-get install gcc libc6-dev) and CGO_ENABLED=1 make build"}

// Open says what to do.
func Open(context.Context, Options) (*Provider, error) { return nil, errNoCgo }

// Provision says what to do.
func Provision(context.Context, Options) ([]keyprovider.Fact, error) { return nil, errNoCgo }

// Identity says what to do.
func (*Provider) Identity(context.Context) (*ecdsa.PublicKey, error) { return nil, errNoCgo }

// Sign says what to do.
func (*Provider) Sign(context.Context, [32]byte) ([]byte, error) { return nil, errNoCgo }

// Derive says what to do.
func (*Provider) Derive(context.Context, []byte) ([32]byte, error) { return [32]byte{}, errNoCgo }

// Probe says what to do.
func (*Provider) Probe(context.Context) error { return errNoCgo }

// Describe says what to do.
func (*Provider) Describe(context.Context) ([]keyprovider.Fact, error) { return nil, errNoCgo }

// Close does nothing.
func (*Provider) Close() error { return nil }
