package keyprovider

import (
	"context"
	"time"
)

// Operations that are counted and timed.
const (
	OpSign      = "sign"       // with the identity key
	OpDerive    = "derive"     // with the derivation key
	OpPublicKey = "public_key" // the identity key's public half
	OpDescribe  = "describe"   // what a key is and whether it works
	OpLogin     = "login"      // to a token
)

// Operations lists them all.
var Operations = []string{OpSign, OpDerive, OpPublicKey, OpDescribe, OpLogin}

// A Call is one call that a device got, as the provider saw it: the unit that
// AWS bills. One Sign may be several, with retries and regions.
type Call struct {
	Provider  string // aws-kms, pkcs11, software
	Operation string // one of Operations
	Took      time.Duration
	Err       error
}

// An Observer receives what providers and decorators do, for metrics. It is
// called concurrently and must not block.
type Observer interface {
	ProviderCall(Call)
	// ProviderState reports why the device begins to fail, and nil when it works
	// again.
	ProviderState(err error)
	// ProviderCached reports whether Derive was answered from memory.
	ProviderCached(hit bool)
	// ProviderCoalesced reports how many digests one signature served.
	ProviderCoalesced(digests int)
}

// NopObserver ignores everything.
type NopObserver struct{}

func (NopObserver) ProviderCall(Call)     {}
func (NopObserver) ProviderState(error)   {}
func (NopObserver) ProviderCached(bool)   {}
func (NopObserver) ProviderCoalesced(int) {}

// A Prober can check whether the device and the identity key work without using
// the key: the cheapest call that notices a key that was disabled or a token
// that was pulled.
type Prober interface {
	Probe(ctx context.Context) error
}

// A Describer can describe its keys to people.
type Describer interface {
	Describe(ctx context.Context) ([]Fact, error)
}

// A Fact is one line of a description. Warning says why an operator should
// mind; it is empty if all is well.
type Fact struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Warning string `json:"warning,omitempty"`
}
