package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a gateway does with a job that is read: the items that it wants signed, and the
// result with the signatures in their places.

// requestRead is a job that was read, or why it can't be.
type requestRead struct {
	j       *activeSign
	reading tx.Reading
	items   []frost.Item
	refusal *wire.JobError
}

func (requestRead) event() {}

// readJob returns a computation of what a job asks for.
func readJob(network string, branches *derive.Cache, j *activeSign) func() Event {
	roots := j.roots
	return func() Event {
		reading, items, refusal := readRequest(network, j.job, roots, branches)
		return requestRead{j, reading, items, refusal}
	}
}

// take has the job ask for what was read.
func (e requestRead) take() {
	from := make([]*finishedBatch, len(e.items))
	for i, asked := range e.reading.Intent().Signatures {
		from[i] = e.j.from[asked.Root]
	}
	e.j.roots, e.j.reading, e.j.items, e.j.from = nil, e.reading, e.items, from
	e.j.wants(len(e.items))
}

// keyOf is the key under which, or under a child of which, an item is to be signed.
func (s *activeSign) keyOf(item uint32) wire.KeyID {
	var name string
	if s.reading != nil {
		name = s.job.Keys[s.reading.Intent().Signatures[item].Root].Key
	} else {
		name = s.job.Items[item].Key
	}
	id, _ := wire.ParseKeyID(name) // Parse, or the look for it, saw to it
	return id
}

// wants has a job ask for so many signatures, none of which is made or refused.
func (s *activeSign) wants(n int) {
	s.sigs, s.refused, s.left = make([]frost.Signature, n), make([]*wire.JobError, n), make([]uint32, n)
	for i := range s.left {
		s.left[i] = uint32(i)
	}
}

// readResult puts the signatures of a job that was read into its result.
func (s *activeSign) readResult(res *wire.Result) error {
	in := s.reading.Intent()
	signatures := make([][]byte, len(in.Signatures))
	for i, asked := range in.Signatures {
		made := s.sigs[i]
		if !bytes.Equal(made.PublicKey, asked.PublicKey) {
			return fmt.Errorf("signature %d verifies under %x, and was to under %x", i, made.PublicKey, asked.PublicKey)
		}
		signatures[i] = made.Bytes
		res.Sigs = append(res.Sigs, wire.Signed{
			At: &asked.At, Key: s.job.Keys[asked.Root].Key, Path: asked.Path.String(),
			PublicKey: made.PublicKey, Signature: made.Bytes,
		})
	}
	for i := range in.Refused {
		r := &in.Refused[i]
		res.Sigs = append(res.Sigs, wire.Signed{At: &r.At, Code: wire.Code(r.Code), Error: r.Reason})
	}
	slices.SortStableFunc(res.Sigs, func(a, b wire.Signed) int { return *a.At - *b.At })
	if n := len(in.Refused); n > 0 {
		res.Status, res.Code, res.Error = wire.StatusPartial, wire.Code(in.Refused[0].Code), in.Refused[0].Reason
		if n > 1 {
			res.Error += fmt.Sprintf(" (and %d more inputs are refused)", n-1)
		}
	}
	finished, err := s.reading.Finish(signatures, s.job.Finalize)
	if err != nil {
		return fmt.Errorf("put the signatures into the %s: %w", in.Kind, err)
	}
	res.PSBT, res.MessageSignature = finished.PSBT, finished.Signature
	if len(finished.Transaction) > 0 && in.Kind == intent.PSBT {
		res.Transaction = hex.EncodeToString(finished.Transaction)
	} else {
		res.Transaction = base64.StdEncoding.EncodeToString(finished.Transaction)
	}
	return nil
}
