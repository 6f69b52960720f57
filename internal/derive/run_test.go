package derive

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// A run has the keys that each path has on its own, whatever its length, and outputs
// that btcd computes.
func TestRuns(t *testing.T) {
	for _, root := range roots(t) {
		b, err := NewBranch(root, Path{1})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []struct {
			first uint32
			count int
		}{{0, 1}, {7, 15}, {100, 16}, {5, 300}, {MaxIndex - 599, 600}} {
			keys, err := b.PublicKeys(run.first, run.count)
			if err != nil || len(keys) != run.count {
				t.Fatal(err)
			}
			outputs, err := b.OutputKeys(run.first, run.count)
			if (err == nil) != (root.Suite == frost.Secp256k1TR) {
				t.Fatal(err)
			}
			for _, j := range []int{0, run.count / 2, rand.N(run.count), run.count - 1} {
				one, err := root.Child(Path{1, run.first + uint32(j)})
				if err != nil || !bytes.Equal(one.PublicKey, keys[j]) {
					t.Fatalf("child %d of %d from %d on: %x, alone %x, %v", j, run.count, run.first, keys[j], one, err)
				}
				if outputs == nil {
					continue
				}
				internal, err := btcec.ParsePubKey(keys[j])
				if err != nil {
					t.Fatal(err)
				}
				want := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))
				if !bytes.Equal(outputs[j][:], want) {
					t.Fatalf("output %d is %x, want %x", j, outputs[j], want)
				}
			}
		}
	}
}

func TestRunsRefuse(t *testing.T) {
	for _, root := range roots(t) {
		b, err := NewBranch(root, Path{1})
		if err != nil {
			t.Fatal(err)
		}
		deepest, err := NewBranch(root, make(Path, MaxDepth))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			b     *Branch
			first uint32
			count int
			want  error
		}{
			"none":            {b, 0, 0, ErrIndex},
			"fewer than none": {b, 0, -1, ErrIndex},
			"hardened":        {b, MaxIndex + 1, 1, ErrIndex},
			"over the end":    {b, MaxIndex, 2, ErrIndex},
			"far over it":     {b, 1, math.MaxInt &^ (1 << 31), ErrIndex},
			"too deep":        {deepest, 0, 1, ErrTooDeep},
		} {
			if keys, err := c.b.PublicKeys(c.first, c.count); !errors.Is(err, c.want) || keys != nil {
				t.Errorf("%s, %s: %v, %v", root.Suite, name, len(keys), err)
			}
			if root.Suite == frost.Secp256k1TR {
				if keys, err := c.b.OutputKeys(c.first, c.count); !errors.Is(err, c.want) || keys != nil {
					t.Errorf("%s, %s: %v, %v", root.Suite, name, len(keys), err)
				}
			}
		}
		if _, err := deepest.Offsets(0); !errors.Is(err, ErrTooDeep) {
			t.Errorf("offsets below the deepest: %v", err)
		}
		if offsets, err := b.Offsets(3); err != nil || len(offsets) != 2 {
			t.Errorf("%d offsets, %v", len(offsets), err)
		}
	}
}
