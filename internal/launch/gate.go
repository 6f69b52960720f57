package launch

import (
	"errors"
	"sync/atomic"
)

// gate is a check of readiness for a part that does not run yet: until the part
// is there, the check fails with what the program waits for.
type gate struct {
	name string
	fail atomic.Pointer[func() error]
}

// waiting gives a gate that fails for a reason.
func waiting(name, reason string) *gate {
	g := &gate{name: name}
	g.wait(reason)
	return g
}

// wait changes the reason.
func (g *gate) wait(reason string) {
	err := errors.New(reason)
	g.open(func() error { return err })
}

// open hands the check over to the part itself.
func (g *gate) open(fail func() error) { g.fail.Store(&fail) }

// Fail implements telemetry.Check.
func (g *gate) Fail() error { return (*g.fail.Load())() }
