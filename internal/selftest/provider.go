package selftest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

func (t *test) load(ctx context.Context, s *Step) (err error) {
	options := launch.ProviderOptions{Options: keyprovider.Options{
		AskPIN: t.o.PIN, Log: t.o.Log, Enrolling: t.o.Enrolling,
	}}
	if t.manifest != nil {
		options.Pinned = t.manifest.Identity(t.node.Node.Index)
	}
	timeout := openTime
	if t.o.PIN != nil {
		timeout = askTime
	}
	p, err := bounded(ctx, timeout, "open", func(ctx context.Context) (keyprovider.Provider, error) {
		return t.o.open(ctx, t.node, options)
	})
	var device *keyprovider.Error
	switch {
	case err == nil:
		t.provider = p
	case errors.As(err, &device) && device.Action != "load":
		t.unopened = err // the configuration is good: reach tells the rest
	default:
		return err
	}
	return nil
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
	_, err := bounded(ctx, t.timeout(), "probe", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, prober.Probe(ctx)
	})
	return err
}

func (t *test) describe(ctx context.Context, s *Step) (err error) {
	d, ok := t.provider.(keyprovider.Describer)
	if !ok {
		s.Detail = "nothing to tell"
		return nil
	}
	s.Facts, err = bounded(ctx, t.timeout(), "describe", d.Describe)
	return err
}

func (t *test) identity(ctx context.Context, s *Step) error {
	if err := t.check(ctx, "identity"); err != nil {
		return err
	}
	key, err := bounded(ctx, t.timeout(), "identity", t.provider.Identity)
	if err != nil {
		return err
	}
	point, err := key.Bytes()
	if err != nil {
		return err
	}
	s.Detail = "P-256 " + hex.EncodeToString(point[:9]) + "..."
	return nil
}

func (t *test) sign(ctx context.Context, s *Step) error {
	err := t.check(ctx, "sign")
	if err == nil {
		s.Detail = "signed and verified"
	}
	return err
}

func (t *test) derive(ctx context.Context, s *Step) error {
	err := t.check(ctx, "derive")
	if err == nil {
		t.derives = true
		s.Detail = "the same twice, different for another label"
	}
	return err
}

// check runs the step of that name that every worker runs at its start.
func (t *test) check(ctx context.Context, name string) error {
	for _, step := range keyprovider.Steps() {
		if step.Name == name {
			_, err := bounded(ctx, 4*t.timeout(), name, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, step.Run(ctx, t.provider)
			})
			return err
		}
	}
	return fmt.Errorf("keyprovider has no step %s", name)
}

func (t *test) timeSign(ctx context.Context, s *Step) error {
	return t.time(ctx, s, keyprovider.OpSign, func(ctx context.Context, i int) error {
		_, err := t.provider.Sign(ctx, sha256.Sum256(fmt.Appendf(nil, "frostfleet selftest %d", i)))
		return err
	})
}

func (t *test) timeDerive(ctx context.Context, s *Step) error {
	return t.time(ctx, s, keyprovider.OpDerive, func(ctx context.Context, i int) error {
		value, err := t.provider.Derive(ctx, fmt.Appendf(nil, "frostfleet selftest %d", i))
		clear(value[:])
		return err
	})
}

// time makes the calls one after the other, as a node's coalescer does.
func (t *test) time(ctx context.Context, s *Step, operation string, call func(context.Context, int) error) error {
	var took []time.Duration
	for i := range Calls {
		start := time.Now()
		_, err := bounded(ctx, t.timeout(), operation, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, call(ctx, i)
		})
		if err != nil {
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
