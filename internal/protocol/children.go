package protocol

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Children sign with the shares of their roots: nodes and gateways compute the offsets
// from the path that the client signed, and take them from nobody (docs/protocol.md,
// section 10).

// maxBranches is how many parents of children are held decoded: five megabytes.
const maxBranches = 4096

// child is an item of a sign job whose offsets are still to be computed.
type child struct {
	item       int // in its job or session
	it         *wire.JobItem
	key        *frost.Key
	transcript [32]byte // of its key's batch
	index      int      // of its key in that batch
}

// offsetsOf returns the offsets on each child's path, or why there are none.
func offsetsOf(branches *derive.Cache, children []child) ([][][frost.ScalarSize]byte, []*wire.JobError) {
	if len(children) == 0 {
		return nil, nil
	}
	refused := make([]*wire.JobError, len(children))
	of, roots := make([]derive.Descendant, len(children)), rootFinder{}
	for i, c := range children {
		path, err := derive.ParsePath(*c.it.Path)
		if err != nil { // the empty path has no offsets
			refused[i] = badPath(c.it, err)
			continue
		}
		of[i] = derive.Descendant{Root: roots.of(&c), Path: path}
	}
	offsets, errs := branches.AllOffsets(of)
	for i, err := range errs {
		if err != nil {
			refused[i] = badPath(children[i].it, err)
		}
	}
	return offsets, refused
}

func badPath(it *wire.JobItem, err error) *wire.JobError {
	return wire.Refuse(wire.CodeBadPath, "path %.100q of key %s: %v", *it.Path, it.Key, err)
}

// rootFinder is the roots of children, by what their chain codes follow from: most
// children of a job have few roots.
type rootFinder map[rootID]derive.Key

type rootID struct {
	transcript [32]byte
	index      int
}

func (f rootFinder) of(c *child) derive.Key {
	id := rootID{c.transcript, c.index}
	root, ok := f[id]
	if !ok {
		root.ChainCode = wire.ChainCode(c.transcript, c.index)
		f[id] = root
	}
	root.Suite, root.PublicKey = c.key.Suite, c.key.PublicKey
	return root
}
