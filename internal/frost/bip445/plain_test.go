package bip445

import (
	"bytes"
	"errors"
	"testing"
	"testing/quick"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// ApplyPlain is Apply for each tweak in turn: the context that comes out is the same,
// also where x-only tweaks came before, and go on after it.
func TestApplyPlain(t *testing.T) {
	check := func(secret [32]byte, tweaks [][32]byte, xonlyFirst bool) bool {
		one, err := NewTweakContext(secp.NewIdentityPoint().ScalarBaseMult(wrap(&secret)).CompressedBytes())
		if err != nil {
			return true // of the secret 0
		}
		tweaks = tweaks[:min(len(tweaks), 9)]
		for i := range tweaks {
			tweaks[i] = [32]byte(wrap(&tweaks[i]).Bytes())
		}
		if xonlyFirst {
			if one, err = one.Apply(secret[:], true); err != nil {
				return true
			}
		}
		all, errs := ApplyPlain([]*TweakContext{nil, one}, [][][32]byte{nil, tweaks})
		if all[0] != nil || errs[0] != nil || errs[1] != nil {
			t.Fatal(all, errs)
		}
		for _, tweak := range tweaks {
			if one, err = one.Apply(tweak[:], false); err != nil {
				t.Fatal(err)
			}
		}
		return equalContexts(t, all[1], one)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func equalContexts(t *testing.T, a, b *TweakContext) bool {
	t.Helper()
	return a.q == b.q && a.gacc.Equal(b.gacc) == 1 && a.tacc.Equal(b.tacc) == 1
}

func TestApplyPlainRefuses(t *testing.T) {
	five := secp.NewScalarFromUint64(5)
	key, err := NewTweakContext(secp.NewIdentityPoint().ScalarBaseMult(five).CompressedBytes())
	if err != nil {
		t.Fatal(err)
	}
	minus := [32]byte(secp.NewScalar().Negate(five).Bytes())
	over := [32]byte(bytes.Repeat([]byte{255}, 32))
	fine := [32]byte{31: 1}
	out, errs := ApplyPlain([]*TweakContext{key, key, key, key},
		[][][32]byte{{fine}, {minus}, {fine, over}, {fine, minus, [32]byte{31: 3}}})
	for i, want := range []error{nil, TweakToInfinity, BadTweak, nil} {
		if !errors.Is(errs[i], want) || (out[i] == nil) != (want != nil) {
			t.Errorf("key %d: %v, %v; want %v", i, out[i], errs[i], want)
		}
	}
	if same, err := key.Apply(fine[:], false); err != nil || !equalContexts(t, out[0], same) {
		t.Errorf("a failure beside it changes a key: %v", err)
	}
}
