package keyprovider

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// maxCalls bounds the calls that the device has at a time, and so the
// goroutines that a device costs which never answers.
const maxCalls = 64

// grace is what a back end gets, after its context has ended, to say in its
// own words what went wrong.
const grace = 100 * time.Millisecond

// bounded is one attempt. It has a goroutine of its own, as C code and drivers
// may ignore their context: after Policy.Timeout, or when the caller gives up,
// it is left behind. A panic in there is an error here.
func bounded[T any](caller context.Context, g *guarded, call func(context.Context) (T, error)) (none T, err error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(caller, g.policy.Timeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return none, g.gaveUp(ctx, start, fmt.Sprintf("the device has %d calls that do not end", maxCalls))
	}
	type result struct {
		out T
		err error
	}
	answer := make(chan result, 1)
	go func() {
		defer func() { <-g.slots }()
		var r result
		r.out, r.err = unpanicked(ctx, g.policy.Name, call)
		answer <- r
	}()
	select {
	case r := <-answer:
		return r.out, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-answer:
		return r.out, r.err
	case <-time.After(grace):
		return none, g.gaveUp(ctx, start, "the call was left behind; if this repeats, restart the device or its driver")
	}
}

// gaveUp is the error of an attempt whose context has ended.
func (g *guarded) gaveUp(ctx context.Context, start time.Time, remedy string) error {
	e := &Error{Reason: ReasonOf(ctx.Err()), Provider: g.policy.Name, Err: ctx.Err()}
	if e.Reason == Timeout {
		e.Remedy = fmt.Sprintf("no answer within %s: %s", time.Since(start).Round(time.Millisecond), remedy)
	}
	return e
}

func unpanicked[T any](ctx context.Context, provider string, call func(context.Context) (T, error)) (out T, err error) {
	defer func() {
		if recover() != nil { // not printed: it may have anything in it
			err = &Error{Reason: Other, Provider: provider, Remedy: "the back end panicked at " + origin() + "; please report this"}
		}
	}()
	return call(ctx)
}

// origin gives the function and line that panicked. A stack as Go prints it
// has arguments in it, and those may be secret.
func origin() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // not Callers, origin and the deferred function
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
	}
}
