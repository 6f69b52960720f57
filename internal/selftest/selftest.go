// Package selftest checks what a program reads before it runs, and a node's key
// provider step by step. Of each step it says what passed, what failed and how
// to fix it.
//
// First what this machine alone can tell, which is all that Check does:
//
//	config         the configuration file
//	bus files      credentials, certificates and keys that it names
//	manifest file  the fleet's manifest, and that the configuration agrees
//	access list    whom the fleet listens to
//	storage        the directory can be written to
//	keys           the key provider's settings, files and environment
//
// Then, of a node, what only its device can tell:
//
//	load           the library that talks to the device
//	reach          the device answers
//	describe       what the keys are, with warnings
//	identity       the identity key's public half
//	sign           a fresh digest is signed, and the signature verifies
//	derive         one label gives the same twice, another one something else
//	time sign      20 signatures
//	time derive    20 derivations
//	manifest       the keys are the ones that the fleet's manifest has for the node;
//	               the identity key alone where the device does not derive
//	session        the device vouches for a session key, and what that key seals
//	               is accepted under the manifest
//
// It talks to the back end itself, without retries and without a cache, so
// that what it sees is what the device does. It publishes nothing and leaves
// the node's storage alone.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Calls is how many calls of each kind are timed.
const Calls = 20

// Options of a test. All may be left out.
type Options struct {
	Enrolling bool                  // the fleet has no manifest yet: it is skipped if it is missing, and so is the access list
	PIN       pin.Source            // asks for a token's PIN where the file names none
	Done      func(Step)            // called with each step as it ends
	Progress  func(done, total int) // called with how far the timed calls are

	open func(context.Context, *config.Node, launch.ProviderOptions) (keyprovider.Provider, error)
}

// test is one walk.
type test struct {
	path string
	o    Options

	node     *config.Node
	provider keyprovider.Provider
	unopened error          // why there is no provider, if the device is to blame
	manifest *wire.Manifest // nil without a good one
	noGood   error          // why the manifest is not
	derives  bool           // the device does
	timed    int            // calls so far
	report   *Report
}

// deviceSteps follow the local ones. Before those pass that the device depends
// on, it is not asked: it would count a PIN that a file has wrong.
func (t *test) deviceSteps() []step {
	return []step{
		{"load", []string{"config", "keys"}, t.load},
		{"reach", []string{"load"}, t.reach},
		{"describe", []string{"reach"}, t.describe},
		{"identity", []string{"reach"}, t.check("identity", t.identified)},
		{"sign", []string{"identity"}, t.check("sign", t.signed)},
		{"derive", []string{"reach"}, t.check("derive", t.derived)},
		{"time sign", []string{"sign"}, t.time(keyprovider.OpSign, t.signDistinct)},
		{"time derive", []string{"derive"}, t.time(keyprovider.OpDerive, t.deriveDistinct)},
		{"manifest", []string{"identity"}, t.checkManifest},
		{"session", []string{"sign", "manifest"}, t.session},
	}
}

// Run tests the provider of the node whose configuration file is at path.
// What goes wrong is in the report.
func Run(ctx context.Context, path string, o Options) *Report {
	if o.open == nil {
		o.open = launch.OpenProvider
	}
	t := &test{path: path, o: o, report: &Report{Config: path}}
	walk(ctx, t.report, append(t.localSteps(), t.deviceSteps()...), o.Done)
	if t.provider != nil {
		_ = t.provider.Close() // all that was to be learnt is in the report
	}
	return t.report
}

// within bounds so many calls.
func (t *test) within(ctx context.Context, calls int, what string, do func(context.Context) error) error {
	timeout := 5 * time.Second
	if own := launch.Policy(t.node).Timeout; own > 0 {
		timeout = own
	}
	return bounded(ctx, time.Duration(calls)*timeout, what, do)
}

// bounded gives up on a call that takes too long. A back end returns once its
// context has ended (package conformance); if it has no words of its own, these are.
func bounded(ctx context.Context, timeout time.Duration, what string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := call(ctx)
	if _, own := errors.AsType[*keyprovider.Error](err); own || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &keyprovider.Error{
		Reason: keyprovider.Timeout, Provider: "key provider", Action: what, Err: err,
		Remedy: fmt.Sprintf("no answer within %s: look at the device and the way to it, or raise timeout", timeout),
	}
}
