package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

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

// read reads a job, and then opens its first attempt. As the offsets of children, that belongs to the job's turn.
func (s *signJobs) read(j *activeSign) {
	roots := j.roots
	run := func() Event {
		reading, items, refusal := readRequest(s.cfg.Manifest.Network, j.job, roots, s.keys.branches)
		return requestRead{j, reading, items, refusal}
	}
	if readInline(j.job) {
		s.onRead(run().(requestRead))
		return
	}
	s.out.do(Compute{Urgent: j.interactive(), Name: "read request", Trace: j.Signed.Trace, Run: run})
}

func (s *signJobs) onRead(e requestRead) {
	j := e.j
	if s.jobs[j.activeJob] != j || j.over() { // it ended meanwhile
		return
	}
	if e.refusal != nil {
		s.out.fail(j.activeJob, e.refusal)
		return
	}
	j.roots, j.reading, j.items = nil, e.reading, e.items
	j.wants(len(e.items))
	s.open(j)
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
