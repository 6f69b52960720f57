package conformance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

func selfCheck(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error { return keyprovider.Check(ctx, p) })
}

// identities opens providers, and asks each twice for its key.
func identities(
	ctx context.Context, openers ...func() (keyprovider.Provider, error),
) (keys []*ecdsa.PublicKey, err error) {
	for _, open := range openers {
		err = errors.Join(err, with(open, func(p keyprovider.Provider) error {
			first, err := p.Identity(ctx)
			second, again := p.Identity(ctx)
			keys = append(keys, first, second)
			return errors.Join(err, again)
		}))
	}
	return keys, err
}

// identityStable: one key within a provider and across a restart.
func identityStable(ctx context.Context, s Subject) error {
	keys, err := identities(ctx, s.Open, s.Open)
	if err == nil && slices.ContainsFunc(keys, func(k *ecdsa.PublicKey) bool { return !k.Equal(keys[0]) }) {
		return errors.New("Identity gave two keys")
	}
	return err
}

// otherKeys: another provider has another identity.
func otherKeys(ctx context.Context, s Subject) error {
	keys, err := identities(ctx, s.Open, s.OpenOther)
	if err == nil && keys[0].Equal(keys[2]) {
		return errors.New("two providers have the same identity key")
	}
	return err
}

// signVerifies: signatures are of the digest that was asked for, whatever its
// bits, and of no other.
func signVerifies(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error {
		key, err := p.Identity(ctx)
		if err != nil {
			return err
		}
		digests := [][32]byte{{}, [32]byte(bytes.Repeat([]byte{0xff}, 32)), sha256.Sum256([]byte("conformance"))}
		for i, digest := range digests {
			sig, err := p.Sign(ctx, digest)
			if err != nil {
				return fmt.Errorf("Sign(%x): %w", digest, err)
			}
			if !ecdsa.VerifyASN1(key, digest[:], sig) {
				return fmt.Errorf("signature of %x does not verify", digest)
			}
			if other := digests[(i+1)%len(digests)]; ecdsa.VerifyASN1(key, other[:], sig) {
				return fmt.Errorf("signature of %x verifies for %x", digest, other)
			}
		}
		return nil
	})
}

// derived opens providers, and derives the same with each.
func derived(
	ctx context.Context, openers ...func() (keyprovider.Provider, error),
) (values [][32]byte, err error) {
	for _, open := range openers {
		err = errors.Join(err, with(open, func(p keyprovider.Provider) error {
			value, err := p.Derive(ctx, []byte("conformance/one"))
			values = append(values, value)
			return err
		}))
	}
	return values, err
}

// deriveDeterministic: the same bytes for one label across a restart.
func deriveDeterministic(ctx context.Context, s Subject) error {
	values, err := derived(ctx, s.Open, s.Open)
	if err == nil && values[0] != values[1] {
		return errors.New("Derive gave other bytes after reopening")
	}
	return err
}

// otherDerivation: another provider derives other bytes.
func otherDerivation(ctx context.Context, s Subject) error {
	values, err := derived(ctx, s.Open, s.OpenOther)
	if err == nil && values[0] == values[1] {
		return errors.New("two providers derive the same bytes")
	}
	return err
}

// deriveLabels: every length is taken, every byte counts, and lengths outside
// the contract are refused.
func deriveLabels(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error {
		long := bytes.Repeat([]byte{'x'}, keyprovider.MaxLabel)
		last := append(bytes.Clone(long[1:]), 'y')
		seen := map[[32]byte]int{}
		for i, label := range [][]byte{{0}, {0, 0}, {1}, []byte("a"), []byte("ab"), []byte("b"), long, last, long[1:]} {
			kept := bytes.Clone(label)
			out, err := p.Derive(ctx, label)
			if err != nil {
				return fmt.Errorf("Derive of a label of %d bytes: %w", len(label), err)
			}
			if !bytes.Equal(kept, label) {
				return errors.New("Derive changed its label")
			}
			if j, dup := seen[out]; dup {
				return fmt.Errorf("labels %d and %d gave the same bytes", j, i)
			}
			seen[out] = i
		}
		for _, label := range [][]byte{nil, append(bytes.Clone(long), 'x')} {
			if _, err := p.Derive(ctx, label); !errors.Is(err, keyprovider.ErrLabel) {
				return fmt.Errorf("Derive of a label of %d bytes gave %v, not ErrLabel", len(label), err)
			}
		}
		return nil
	})
}

// cannotDerive: a provider without a derivation key says so in the way that
// callers ask for.
func cannotDerive(ctx context.Context, s Subject) error {
	_, err := derived(ctx, s.Open)
	if s.CannotDerive != errors.Is(err, keyprovider.ErrCannotDerive) {
		return fmt.Errorf("CannotDerive is %t, and Derive gave %v", s.CannotDerive, err)
	}
	return nil
}

// concurrent: many callers at once, each with its own digest and label.
func concurrent(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error {
		key, err := p.Identity(ctx)
		if err != nil {
			return err
		}
		const callers = 8
		failed := make([]error, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() { failed[i] = oneCaller(ctx, p, key, s.CannotDerive, byte(i)) })
		}
		all.Wait()
		return errors.Join(failed...)
	})
}

func oneCaller(ctx context.Context, p keyprovider.Provider, key *ecdsa.PublicKey, cannotDerive bool, i byte) error {
	label := []byte{'c', i}
	var first [32]byte
	for round := range 3 {
		digest := sha256.Sum256([]byte{i, byte(round)})
		sig, err := p.Sign(ctx, digest)
		if err != nil {
			return err
		}
		if !ecdsa.VerifyASN1(key, digest[:], sig) {
			return errors.New("a concurrent caller got another's signature")
		}
		if cannotDerive {
			continue
		}
		out, err := p.Derive(ctx, label)
		if err != nil {
			return err
		}
		if round > 0 && out != first {
			return errors.New("a concurrent caller got another's bytes")
		}
		first = out
	}
	return nil
}

// An operation is one of a provider's.
type operation struct {
	name string
	call func(context.Context) error
}

// operations lists what every provider does.
func operations(p keyprovider.Provider) []operation {
	return []operation{
		{"Identity", func(ctx context.Context) error { _, err := p.Identity(ctx); return err }},
		{"Sign", func(ctx context.Context) error { _, err := p.Sign(ctx, [32]byte{1}); return err }},
		{"Derive", func(ctx context.Context) error { _, err := p.Derive(ctx, []byte("c")); return err }},
	}
}

// failWith wants operations to fail with an error. A provider that can't derive
// may say that.
func (s Subject) failWith(ctx context.Context, operations []operation, want error, when string) error {
	for _, o := range operations {
		err := o.call(ctx)
		if !errors.Is(err, want) && !(s.CannotDerive && errors.Is(err, keyprovider.ErrCannotDerive)) {
			return fmt.Errorf("%s %s gave %v, not %w", o.name, when, err, want)
		}
	}
	return nil
}

// cancelled: a context that has ended ends the call, with its own error.
func cancelled(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error {
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.failWith(over, operations(p), context.Canceled, "with a cancelled context"); err != nil {
			return err
		}
		_, err := p.Sign(ctx, [32]byte{1})
		return err // still alive
	})
}

// returnTime is how long a call may go on after its context has ended.
const returnTime = 3 * time.Second

// contextEnds: every operation returns when its context ends, whatever the
// device does, with an error that wraps the context's; and works again after
// that. Nobody above a provider abandons its calls.
func contextEnds(ctx context.Context, s Subject) error {
	return with(s.Open, func(p keyprovider.Provider) error {
		release := func() {}
		if s.Hang != nil {
			release = s.Hang()
		}
		all := operations(p)
		if prober, ok := p.(keyprovider.Prober); ok {
			all = append(all, operation{"Probe", prober.Probe})
		}
		if d, ok := p.(keyprovider.Describer); ok {
			all = append(all, operation{"Describe", func(ctx context.Context) error { _, err := d.Describe(ctx); return err }})
		}
		var err error
		for _, o := range all {
			err = errors.Join(err, o.returns(ctx))
		}
		release()
		if err != nil {
			return err
		}
		return eventually(ctx, func() error { _, err := p.Sign(ctx, [32]byte{1}); return err })
	})
}

// returns makes a call whose context ends soon. A call that needs no device may
// succeed, and one that is not made fails for a reason of its own.
func (o operation) returns(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- o.call(ctx) }()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%s gave %v when its context ended, which does not wrap %w", o.name, err, ctx.Err())
		}
		return nil
	case <-time.After(50*time.Millisecond + returnTime):
		return fmt.Errorf("%s did not return after its context had ended", o.name)
	}
}

// eventually repeats a call that a device may need a moment for.
func eventually(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil {
			return nil
		}
		if backoff.Sleep(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("after it hung, the device does not work again: %w", err)
		}
	}
}

// closing: nothing works after Close, and a second Close is harmless.
func closing(ctx context.Context, s Subject) error {
	p, err := s.Open()
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	if err := p.Close(); err != nil {
		return fmt.Errorf("second Close: %w", err)
	}
	return s.failWith(ctx, operations(p), keyprovider.ErrClosed, "after Close")
}
