package protocol

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Children sign with the shares of their roots: nodes and gateways compute the offsets
// from the path that the client signed, and take them from nobody (docs/protocol.md,
// section 10).

// maxBranches is how many parents of children are held decoded: two megabytes.
const maxBranches = 4096

// child is an item of a sign job whose offsets are still to be computed.
type child struct {
	item       int
	transcript [32]byte // of its key's batch
}

// offsetsOf returns the offsets on the path of a job's item, which names a key of a
// batch of that transcript.
func offsetsOf(
	branches *derive.Cache, it *wire.JobItem, key *frost.Key, transcript [32]byte,
) ([][frost.ScalarSize]byte, *wire.JobError) {
	path, err := derive.ParsePath(*it.Path)
	if err != nil {
		return nil, badPath(it, err)
	}
	id, err := wire.ParseKeyID(it.Key)
	if err != nil {
		return nil, wire.Refuse(wire.CodeUnknownKey, "%v", err)
	}
	root := derive.Key{Suite: key.Suite, PublicKey: key.PublicKey, ChainCode: wire.ChainCode(transcript, id.Index)}
	offsets, err := branches.Offsets(root, path)
	if err != nil {
		return nil, badPath(it, err)
	}
	return offsets, nil
}

func badPath(it *wire.JobItem, err error) *wire.JobError {
	return wire.Refuse(wire.CodeBadPath, "path %.100q of key %s: %v", *it.Path, it.Key, err)
}
