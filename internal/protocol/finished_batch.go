package protocol

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// finishedBatch is what the directory knows of one generation of a batch: public parts only.
// It does not change.
type finishedBatch struct {
	wire.BatchRef
	view       *view // of the nodes that have its shares
	header     wire.BatchHeader
	origin     [32]byte // manifest that the batch was made under
	madeBy     [32]byte // transcript of generation 0, from which chain codes follow
	transcript [32]byte // of this generation
	root       [32]byte // wire.KeyRoot, the same in all generations
	first      [][]byte // certificates of generation 0, which the client gets; nil if they are not known
	public     *frost.Public
}

// newFinished is what a verified entry says, but for what follows from its deals.
func newFinished(v *view, e *wire.Entry) *finishedBatch {
	f := &finishedBatch{
		BatchRef: wire.BatchRef{ID: e.ID, Generation: e.Generation}, view: v, header: e.Header, origin: e.Origin,
		madeBy: e.MadeBy, transcript: e.Transcript, root: e.Root,
	}
	if e.Generation == 0 {
		f.first = e.Certificates
	}
	return f
}

// key is the gateway's view of one key: public parts only.
func (b *finishedBatch) key(index int) frost.Key {
	suite, m := frost.Suite(b.header.Suite), b.view.manifest
	size := m.T * suite.PointSize()
	return frost.Key{
		Suite: suite, N: m.N, T: m.T, PublicKey: b.public.PublicKeys[index],
		VSSCommitment: b.public.Commitments[index*size : (index+1)*size],
	}
}

// keys are what is certified of the batch's keys, in every generation.
func (b *finishedBatch) keys() []wire.EntryKey {
	return wire.EntryKeys(b.public.PublicKeys, b.header.Client, b.madeBy)
}

// continues reports whether an entry is of the same keys.
func (b *finishedBatch) continues(e *wire.Entry) bool {
	return b.ID == e.ID && b.madeBy == e.MadeBy && b.root == e.Root
}

var (
	errOtherKeys = errors.New("all nodes certified keys that do not follow from the deals")
	errNoDeals   = errors.New("all nodes certified deals that do not decode")
)

// sumUp computes a batch's public parts from its deals. It always answers: a summary
// that is lost would hold up the directory for ever.
func sumUp(m *wire.Manifest, h wire.BatchHeader, raw [][]byte) (public *frost.Public, err error) {
	defer func() {
		if recover() != nil {
			public, err = nil, errPanicked
		}
	}()
	deals, culprit := board.DecodeEntry(raw, h)
	if culprit >= 0 {
		return nil, errNoDeals
	}
	return frost.Summarize(h.Params(m), deals)
}

// sumUpLater is sumUp for a later generation, of keys that stay what they are.
func sumUpLater(r *wire.Reshare, source, next *wire.Manifest, keys, raw [][]byte) (public *frost.Public, err error) {
	defer func() {
		if recover() != nil {
			public, err = nil, errPanicked
		}
	}()
	return summarizeReshare(r, source, next, keys, raw)
}
