package derive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// said is a descendant and what is said of it.
type said struct {
	Descendant
	Internal
	lie string // what is wrong with it, if anything
}

// outputAlone finds an output key one step after the other.
func outputAlone(t testing.TB, s *said) (output []byte, offsets [][32]byte) {
	t.Helper()
	child, err := s.Root.Child(s.Path)
	if err != nil || s.Root.Suite != frost.Secp256k1TR || !bytes.Equal(child.PublicKey[1:], s.Key) {
		return nil, nil
	}
	if output, err = frost.OutputKey(frost.Secp256k1TR, child.PublicKey, s.Tweak); err != nil {
		t.Fatal(err)
	}
	if offsets, err = s.Root.Offsets(s.Path); err != nil {
		t.Fatal(err)
	}
	return output, offsets
}

// random is what is said of a random descendant of a root, every so often a lie.
func random(t testing.TB, root Key, i int) said {
	t.Helper()
	path := make(Path, rand.IntN(4))
	for j := range path {
		path[j] = rand.Uint32N(3)
	}
	s := said{Descendant: Descendant{Root: root, Path: path}}
	child, err := root.Child(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Key, s.Tweak.Mode = child.PublicKey[len(child.PublicKey)-32:], frost.TweakBIP86
	if i%2 == 0 {
		s.Tweak = frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte{byte(i)}}
	}
	switch i % 13 {
	case 3:
		s.lie, s.Key = "another key", slices.Clone(s.Key)
		s.Key[rand.IntN(32)] ^= 1
	case 5:
		s.lie, s.Key = "its 33 bytes", child.PublicKey
	case 7:
		s.lie, s.Path = "no index", Path{MaxIndex + 1}
	case 9:
		s.lie, s.Path = "too deep", make(Path, MaxDepth+1)
	case 11:
		s.lie, s.Root.PublicKey = "no root", s.Root.PublicKey[1:]
	}
	return s
}

// Output keys and offsets of many at once are those of each, of internal keys of both
// parities, and what is said of another key spoils no other.
func TestOutputs(t *testing.T) {
	t.Parallel()
	secp, edwards := roots(t)[0], roots(t)[1]
	negative := secp
	negative.PublicKey = slices.Clone(secp.PublicKey)
	negative.PublicKey[0] ^= 1
	for _, count := range []int{0, 1, 5, 300} { // alone, and on shared inversions
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			t.Parallel()
			var all []said
			for i := range count {
				all = append(all, random(t, []Key{secp, negative, secp, edwards}[rand.IntN(4)], i))
			}
			of, claims := make([]Descendant, count), make([]Internal, count)
			for i := range all {
				of[i], claims[i] = all[i].Descendant, all[i].Internal
			}
			parities := map[byte]bool{}
			outputs, offsets := NewCache(2).Outputs(of, claims)
			for i := range all {
				s := &all[i]
				want, steps := outputAlone(t, s)
				if !bytes.Equal(outputs[i], want) || !slices.Equal(offsets[i], steps) {
					t.Errorf("%s, %v, lie %q: %x by %x, want %x by %x",
						s.Root.Suite, s.Path, s.lie, outputs[i], offsets[i], want, steps)
				}
				if (want == nil) != (s.lie != "" || s.Root.Suite == frost.Ed25519) {
					t.Errorf("%s, %v, lie %q: %x", s.Root.Suite, s.Path, s.lie, want)
				}
				if want != nil {
					child, _ := s.Root.Child(s.Path)
					parities[child.PublicKey[0]] = true
				}
			}
			if count == 300 && len(parities) != 2 {
				t.Error("internal keys of one parity")
			}
		})
	}
}
