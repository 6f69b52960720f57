package keyprovider

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Backend is one kind of device: all that programs know about it. Package
// backends lists them; another one is another folder, and a line there.
type Backend struct {
	// Type is the value of type in a node's file, and a label of metrics.
	Type string
	// Section returns an empty section for a node's file to be decoded into.
	Section func() Section
	// Operations are those that the device of a node is sure to see: metrics
	// have series for them from the start.
	Operations []string
}

// A Section is what a node's file says about its device: the table
// [node.key_provider]. It is a pointer to a struct with a field for each key,
// tagged toml, and its methods are valid after Check found nothing wrong.
type Section interface {
	// Check fills in defaults and reports what is wrong. It uses nothing
	// outside the file but the environment variables that the file names.
	Check(Table, Node)
	// CanDerive returns an error that wraps ErrCannotDerive, and says what to
	// do, if the section names no derivation key. It asks no device.
	CanDerive(Node) error
	// CheckMachine finds what is wrong that this machine alone can tell: files and
	// environment. It asks no device. A node that enrols has no secrets yet.
	CheckMachine(n Node, enrolling bool) error
	// Policy returns what the section says about timeouts and attempts.
	Policy() Policy
	// Charges returns the prices and the number of the node's keys.
	Charges() Prices
	// Open opens the device, and asks for a PIN if there is a person to ask.
	Open(context.Context, Node, Options) (Provider, error)
	// DeviceKeys are the keys that the section names, with what destroys them.
	DeviceKeys(Node) []DeviceKey
	// Provision makes the keys that are missing, or says how to make them.
	Provision(context.Context, Node, Options) (*Provisioned, error)
}

// Node is the node that a section belongs to.
type Node struct {
	Index    int
	Network  string // mainnet, testnet, signet, regtest
	Storage  string // absolute path of the node's folder
	File     string // its configuration file, as it was given
	Enrolled bool   // it has a manifest, valid or not
}

// Options are what no file says. All of them may be left out.
type Options struct {
	Pinned    *ecdsa.PublicKey // the identity key in the manifest; nil before there is one
	Enrolling bool             // secrets outside the device may be made, unless the node is enrolled
	// Scratch is where a trial, which must not touch what the node has, keeps the
	// secrets outside the device that it makes; empty: it is no trial.
	Scratch string
	Observe func(Call) // called for each call to the device
	Log     *slog.Logger
	// AskPIN asks a person who is there now for the PIN, if the section names
	// none.
	AskPIN func(context.Context) (*secret.Bytes, error)
	// AfterWrongPIN logs in to a token that was given a wrong PIN before: a
	// person made sure of the PIN.
	AfterWrongPIN bool
	Role          string // for Provision: who may use the keys; by default a guess
}

// A Table is [node.key_provider] as Check sees it. Keys are given without the
// table's name. A key for which something failed already does not fail again.
type Table interface {
	// Has reports whether the file sets a key.
	Has(key string) bool
	// Fail reports what is wrong with a key: "is ...", for file:line: key.
	Fail(key, format string, args ...any)
	// Require wants a key that is set, and not empty.
	Require(key, value string)
	// OneOf wants one of the choices.
	OneOf(key, value string, choices ...string)
	// Between wants an integer that is set, within bounds.
	Between(key string, value, low, high int)
	// Absolute makes a path absolute, which counts from the file's folder.
	Absolute(path *string)
}

// Device has the keys that all back ends with a device have.
type Device struct {
	Timeout     Duration `toml:"timeout"`      // of one attempt; 0: the default
	MaxAttempts int      `toml:"max_attempts"` // of one call; 0: the default
	Prices      Prices   `toml:"prices"`
}

// Policy implements Section.
func (d *Device) Policy() Policy {
	return Policy{Timeout: d.Timeout.Duration, Attempts: d.MaxAttempts}
}

// maxTimeout is the longest timeout: a node waits no longer for a call with all
// of its attempts.
const maxTimeout = 30 * time.Second

// CheckDevice checks these keys, and fills in what the device costs by default.
func (d *Device) CheckDevice(t Table, costs Prices) {
	d.Timeout.Check(t, "timeout", maxTimeout)
	if t.Has("max_attempts") {
		t.Between("max_attempts", d.MaxAttempts, 1, 100)
	}
	d.Prices.check(t, costs)
}

// Prices is the table prices: what the owner of a device charges, for the
// estimate of costs. The zero value: nothing.
type Prices struct {
	Sign      float64 `toml:"sign"`       // USD per 10,000 calls, as the next three
	Derive    float64 `toml:"derive"`     //
	Describe  float64 `toml:"describe"`   //
	PublicKey float64 `toml:"public_key"` //
	KeyMonth  float64 `toml:"key_month"`  // USD per key and month
	Keys      int     `toml:"-"`          // of the node, replicas included
}

const maxPrice = 1e6

func (p *Prices) check(t Table, defaults Prices) {
	for _, price := range []struct {
		key             string
		value, standard *float64
	}{
		{"prices.sign", &p.Sign, &defaults.Sign}, {"prices.derive", &p.Derive, &defaults.Derive},
		{"prices.describe", &p.Describe, &defaults.Describe}, {"prices.public_key", &p.PublicKey, &defaults.PublicKey},
		{"prices.key_month", &p.KeyMonth, &defaults.KeyMonth},
	} {
		switch {
		case !t.Has(price.key):
			*price.value = *price.standard
		case !(*price.value >= 0 && *price.value <= maxPrice): // also refuses nan
			t.Fail(price.key, "is %g: use 0 to %g USD", *price.value, maxPrice)
		}
	}
}

// Duration is written as in Go: 500ms, 10s, 2m.
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	if d.Duration, err = time.ParseDuration(string(text)); err != nil {
		return fmt.Errorf("not a duration such as 500ms, 10s or 2m")
	}
	return nil
}

// Check wants a duration that is set to be from a millisecond to high.
func (d Duration) Check(t Table, key string, high time.Duration) {
	if t.Has(key) && (d.Duration < time.Millisecond || d.Duration > high) {
		t.Fail(key, "is %s: use 1ms to %s", d, high)
	}
}

// Secret is a value that is never printed.
type Secret struct{ *secret.Bytes }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error {
	s.Bytes = secret.New(append([]byte(nil), text...))
	return nil
}
