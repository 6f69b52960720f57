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
	roots := make([]Root, 0, len(first.Keys))
	for i, k := range first.Keys {
		root, err := reconstruct(files, i)
		if err != nil {
			for i := range roots {
				roots[i].Wipe()
			}
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		roots = append(roots, Root{k, first.Network, root})
	}
	return roots, nil
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

// reconstruct makes the i-th key of files that agree.
func reconstruct(files []Named, i int) (*secret.Bytes, error) {
	k := files[0].Keys[i]
	shares := map[int]*secret.Bytes{}
	for _, f := range files {
		shares[f.Node] = secret.New(f.share(i))
	}
	root, err := frost.ReconstructRoot(&frost.Key{
		Suite: k.Suite, N: files[0].N, T: files[0].T, PublicKey: k.PublicKey, VSSCommitment: k.Commitments,
	}, shares)
	if wrong, ok := errors.AsType[*frost.WrongShareError](err); ok {
		at := slices.IndexFunc(files, func(f Named) bool { return f.Node == wrong.Index })
		return nil, fmt.Errorf("%s: %w: leave that file out, and have another node export", files[at].Name, err)
	}
	return root, err
}
