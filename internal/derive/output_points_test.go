package derive

import (
	"bytes"
	"errors"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Output keys at once are those that frost.OutputKey has one by one, and where there is none
// there is an error.
func TestOutputPoints(t *testing.T) {
	t.Parallel()
	c, root := NewCache(4), roots(t)[0]
	root.PublicKey[0] ^= 1 // with an odd y, if it was even; both are among the children
	plain, scripts := frost.Tweak{Mode: frost.TweakBIP86}, frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte{7}}
	var of []Descendant
	var tweaks []frost.Tweak
	for i := range uint32(8) {
		of = append(of, Descendant{root, Path{0, i}}, Descendant{root, nil}, Descendant{root, Path{i}})
		tweaks = append(tweaks, plain, scripts, []frost.Tweak{plain, scripts}[i%2])
	}
	good := len(of)
	none := Key{Suite: frost.Secp256k1TR, PublicKey: append([]byte{2}, bytes.Repeat([]byte{255}, 32)...)}
	for _, d := range []Descendant{{none, nil}, {none, Path{1}}, {root, Path{MaxIndex + 1}}, {roots(t)[1], nil},
		{roots(t)[1], Path{1}}, {Key{}, nil}} {
		of, tweaks = append(of, d), append(tweaks, plain)
	}
	points, errs := c.OutputPoints(of, tweaks)
	for i := range of {
		if i >= good {
			if errs[i] == nil || !points[i].IsIdentity() {
				t.Errorf("%d: a point %v, %v of what is no key", i, points[i], errs[i])
			}
			continue
		}
		child, err := of[i].Root.Child(of[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := frost.OutputKey(frost.Secp256k1TR, child.PublicKey, tweaks[i])
		if err != nil {
			t.Fatal(err)
		}
		if x := points[i].X(); errs[i] != nil || !bytes.Equal(x[:], want) {
			t.Errorf("%d: %x, %v, want %x", i, x, errs[i], want)
		}
	}
}

func TestPlainOutputKeys(t *testing.T) {
	t.Parallel()
	b, err := NewBranch(roots(t)[0], Path{0})
	if err != nil {
		t.Fatal(err)
	}
	public, err := b.PublicKeys(0, 9)
	if err != nil {
		t.Fatal(err)
	}
	public[3], public[6] = nil, append([]byte{4}, public[6][1:]...)
	keys, errs := PlainOutputKeys(public)
	for i := range public {
		want, err := frost.OutputKey(frost.Secp256k1TR, public[i], frost.Tweak{Mode: frost.TweakBIP86})
		if (err == nil) != (errs[i] == nil) || err == nil && !bytes.Equal(keys[i][:], want) {
			t.Errorf("%d: %x, %v, want %x, %v", i, keys[i], errs[i], want, err)
		}
	}
	if !errors.Is(errs[3], ErrKey) || !errors.Is(errs[6], ErrKey) {
		t.Errorf("what is no key: %v, %v", errs[3], errs[6])
	}
}
