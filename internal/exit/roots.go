package exit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Named is a file with what people call it.
type Named struct {
	Name string
	*File
}

// Root is a key that is whole.
type Root struct {
	Key
	Network string
	Secret  *secret.Bytes // 32 bytes in the suite's encoding
}

// Wipe forgets the secret.
func (r *Root) Wipe() { r.Secret.Wipe() }

// Tree is what the key's children follow from.
func (r *Root) Tree() derive.Key {
	return derive.Key{Suite: r.Suite, PublicKey: r.PublicKey, ChainCode: r.ChainCode}
}

// Reconstruct makes the keys that files of t different nodes, or more, hold shares of. The
// files must agree in everything but the shares: fleet, manifest, generation, keys. Each
// share is checked against the commitments, and who gave a wrong one is named. What is
// public of a key is as trustworthy as the files are: no certificate is in them. The caller
// wipes the files, and the roots.
func Reconstruct(files []Named) ([]Root, error) {
	if len(files) == 0 {
		return nil, errors.New("no files")
	}
	files = slices.SortedFunc(slices.Values(files), func(a, b Named) int { return cmp.Compare(a.Node, b.Node) })
	first := files[0]
	for i, f := range files[1:] {
		if err := agree(first, f); err != nil {
			return nil, err
		}
		if before := files[i]; before.Node == f.Node {
			return nil, fmt.Errorf("%s and %s are both of node %d: one of each node counts", before.Name, f.Name, f.Node)
		}
	}
	if len(files) < first.T {
		return nil, fmt.Errorf("files of %d of the %d nodes that it takes: there is no key in less. Have other nodes export "+
			"the same keys", len(files), first.T)
	}
	if err := check(files); err != nil {
		return nil, err
	}
	return join(files[:first.T])
}

// agree compares all that two files say of fleet and keys.
func agree(a, b Named) error {
	differ := func(what string, in, other any) error {
		return fmt.Errorf("%s and %s do not belong together: %s is %v in one and %v in the other", a.Name, b.Name, what, in,
			other)
	}
	switch {
	case a.Network != b.Network:
		return differ("the network", a.Network, b.Network)
	case a.Fleet != b.Fleet:
		return differ("the fleet", a.Fleet, b.Fleet)
	case a.Manifest != b.Manifest:
		return differ("the manifest", fmt.Sprintf("%x", a.Manifest[:8]), fmt.Sprintf("%x", b.Manifest[:8]))
	case a.N != b.N || a.T != b.T:
		return differ("the threshold", fmt.Sprintf("%d of %d", a.T, a.N), fmt.Sprintf("%d of %d", b.T, b.N))
	case len(a.Keys) != len(b.Keys):
		return differ("the number of keys", len(a.Keys), len(b.Keys))
	}
	for i := range a.Keys {
		x, y := &a.Keys[i], &b.Keys[i]
		differ := func(what string, in, other any) error { return differ(what+" of key "+x.ID, in, other) }
		switch {
		case x.ID != y.ID:
			return fmt.Errorf("%s and %s do not belong together: one has key %s where the other has %s: export the same keys",
				a.Name, b.Name, x.ID, y.ID)
		case x.Generation != y.Generation:
			return differ("the generation", x.Generation, y.Generation)
		case x.Owner != y.Owner || x.Suite != y.Suite || !bytes.Equal(x.PublicKey, y.PublicKey) ||
			x.ChainCode != y.ChainCode:
			return differ("what is public", fmt.Sprintf("%.8x", x.PublicKey), fmt.Sprintf("%.8x", y.PublicKey))
		case !bytes.Equal(x.Commitments, y.Commitments):
			return fmt.Errorf("%s and %s have other commitments to key %s: one of them is not what its node holds", a.Name,
				b.Name, x.ID)
		}
	}
	return nil
}

// check names the first file that has a wrong share.
func check(files []Named) error {
	for _, f := range files {
		for i, k := range f.Keys {
			err := frost.CheckShare(&frost.Key{
				Suite: k.Suite, N: f.N, T: f.T, Index: f.Node, PublicKey: k.PublicKey, VSSCommitment: k.Commitments,
				Share: secret.New(f.share(i)),
			})
			if errors.Is(err, frost.ErrShare) {
				return fmt.Errorf("%s, key %s: %w: leave that file out, and have another node export", f.Name, k.ID, err)
			} else if err != nil {
				return fmt.Errorf("%s, key %s: %w", f.Name, k.ID, err)
			}
		}
	}
	return nil
}

// join makes the keys of t files that agree.
func join(files []Named) ([]Root, error) {
	var roots []Root
	for i, k := range files[0].Keys {
		var nodes []int
		var shares []*secret.Bytes
		for _, f := range files {
			nodes, shares = append(nodes, f.Node), append(shares, secret.New(f.share(i)))
		}
		key, err := frost.ReconstructPrivateKeys(k.Suite, files[0].N, files[0].T, [][]byte{k.PublicKey}, nodes, shares)
		if err != nil {
			for i := range roots {
				roots[i].Wipe()
			}
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		roots = append(roots, Root{k, files[0].Network, key})
	}
	return roots, nil
}
