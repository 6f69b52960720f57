package selftest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// How long it may take to open a provider: it loads a library, logs in and
// looks for keys, and may ask a person for the PIN.
const (
	openTime = time.Minute
	askTime  = 5 * time.Minute
)

func (t *test) load(ctx context.Context, _ *Step) (err error) {
	options := launch.ProviderOptions{Options: keyprovider.Options{
		AskPIN: t.o.PIN, Enrolling: t.o.Enrolling,
	}}
	if t.manifest != nil {
		options.Pinned = t.manifest.Identity(t.node.Node.Index)
	}
	timeout := openTime
	if t.o.PIN != nil {
		timeout = askTime
	}
	err = bounded(ctx, timeout, "open", func(ctx context.Context) error {
		p, err := t.o.open(ctx, t.node, options)
		if err == nil {
			t.provider = p
		}
		return err
	})
	if device, ok := errors.AsType[*keyprovider.Error](err); ok && device.Action != "load" {
		t.unopened, err = err, nil // the configuration is good: reach tells the rest
	}
	return err
}

func (t *test) reach(ctx context.Context, s *Step) error {
	if t.unopened != nil {
		return t.unopened
	}
	prober, ok := t.provider.(keyprovider.Prober)
	if !ok {
		s.Detail = "there is no device: the keys are in a file"
		return nil
	}
	return t.within(ctx, 1, "probe", prober.Probe)
}

func (t *test) describe(ctx context.Context, s *Step) error {
	d, ok := t.provider.(keyprovider.Describer)
	if !ok {
		s.Detail = "nothing to tell"
		return nil
	}
	return t.within(ctx, 1, "describe", func(ctx context.Context) (err error) {
		s.Facts, err = d.Describe(ctx)
		return err
	})
}

// check returns the step of that name that every worker runs at its start.
func (t *test) check(name string, passed func(context.Context, *Step) error) func(context.Context, *Step) error {
	steps := keyprovider.Steps()
	run := steps[slices.IndexFunc(steps, func(s keyprovider.Step) bool { return s.Name == name })].Run
	return func(ctx context.Context, s *Step) error {
		if err := t.within(ctx, 4, name, func(ctx context.Context) error { return run(ctx, t.provider) }); err != nil {
			return err
		}
		return passed(ctx, s)
	}
}

func (t *test) identified(ctx context.Context, s *Step) error {
	return t.within(ctx, 1, "identity", func(ctx context.Context) error {
		key, err := t.provider.Identity(ctx)
		if err != nil {
			return err
		}
		point, err := key.Bytes()
		if err == nil {
			s.Detail = "P-256 " + hex.EncodeToString(point[:9]) + "..."
		}
		return err
	})
}

func (t *test) signed(_ context.Context, s *Step) error {
	s.Detail = "signed and verified"
	return nil
}

func (t *test) derived(_ context.Context, s *Step) error {
	t.derives = true
	s.Detail = "the same twice, different for another label"
	return nil
}

func (t *test) signDistinct(ctx context.Context, text []byte) error {
	_, err := t.provider.Sign(ctx, sha256.Sum256(text))
	return err
}

func (t *test) deriveDistinct(ctx context.Context, text []byte) error {
	value, err := t.provider.Derive(ctx, text)
	clear(value[:])
	return err
}

// time makes the calls one after the other, as a node's coalescer does, each with
// another text.
func (t *test) time(operation string, call func(context.Context, []byte) error) func(context.Context, *Step) error {
	return func(ctx context.Context, s *Step) error {
		var took []time.Duration
		for i := range Calls {
			start, text := time.Now(), fmt.Appendf(nil, "frostfleet selftest %d", i)
			if err := t.within(ctx, 1, operation, func(ctx context.Context) error { return call(ctx, text) }); err != nil {
				return fmt.Errorf("call %d of %d: %w", i+1, Calls, err)
			}
			took = append(took, time.Since(start))
			t.timed++
			if t.o.Progress != nil {
				t.o.Progress(t.timed, 2*Calls)
			}
		}
		timing := newTiming(operation, took)
		t.report.Timings = append(t.report.Timings, timing)
		s.Detail = fmt.Sprintf("%d calls, p50 %.1f ms, p99 %.1f ms", timing.Calls, timing.P50MS, timing.P99MS)
		return nil
	}
}
