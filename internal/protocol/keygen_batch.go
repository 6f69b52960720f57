package protocol

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keygenBatch is one batch of a keygen job.
type keygenBatch struct {
	job       *activeJob
	view      *view // whose nodes make its keys
	part      int
	attempt   int
	context   [32]byte // of the attempt's batch
	id        string
	scheduled bool // counts in running
	dropped   bool // its job goes on without it, or has ended
	faults    int  // attempts that ended by somebody's fault
	paused    bool // the attempt was given up, the next begins in a while
	finished  *finishedBatch
	lastAbort *wire.JobError
}

func (b *keygenBatch) header() wire.BatchHeader {
	return b.job.job.PartHeader(b.view.manifest, b.job.Signed.Client, b.job.digest, b.part, b.attempt)
}

// blame notes why an attempt was given up, and returns the job's failure when
// that was too often.
func (b *keygenBatch) blame(end *ending) *wire.JobError {
	who, abort := fmt.Sprintf("node %d gave up: ", end.node), end.why
	if end.proven {
		who = "" // the reason names it
	}
	b.lastAbort = wire.Refuse(wire.CodeKeygenFailed, "part %d, attempt %d: %s%s: %s",
		b.part, b.attempt, who, abort.Code, abort.Reason)
	if abort.Code != wire.CodeRestarted {
		b.faults++
	}
	if b.faults >= maxFaults {
		return b.lastAbort
	}
	return nil
}

// pause is how long a batch waits before its next attempt.
func (b *keygenBatch) pause() time.Duration { return keygenPause(b.attempt) }

// Sizes in a result's JSON, at most.
const (
	maxResultSize   = 4<<20 - 4096
	certificateJSON = 1300
	keyJSON         = 456
)

// fitsResult is how many keys of a suite fit one result with their certificates, and with
// the successions that lead to their manifest.
func fitsResult(l *wire.Lineage, m *wire.Manifest, suite frost.Suite) int {
	size, room := wire.BatchSize(suite, m.N, m.T), maxResultSize
	if m.Successor() {
		for _, proof := range l.Proofs() {
			room -= base64.StdEncoding.EncodedLen(len(proof))
		}
	}
	return max(room, 0) / (m.N*certificateJSON + size*keyJSON) * size
}

// keygenResult makes the result of a job from its batches.
// It is computed outside the step: output keys and addresses take time in
// proportion to a job's items. What is read here does not change any more.
func keygenResult(cfg CoordinatorConfig, l *wire.Lineage, j *activeJob, batches []*keygenBatch) (*wire.Result, error) {
	res := j.answer()
	res.Chain, res.Suite = j.job.Chain, j.job.Suite().String()
	for _, b := range batches {
		f := b.finished
		if f.first == nil {
			return nil, fmt.Errorf("batch %s was resharded, and KEYS lacks the entry that it was made with", b.id)
		}
		proof := wire.Batch{ID: b.id, Part: uint32(b.part), Attempt: uint32(b.attempt), Count: f.header.K}
		if m := b.view.manifest; m.Successor() {
			hash := m.Hash()
			proof.Manifest = hash[:]
			res.Successions = nil
			for _, succession := range l.Proofs() {
				res.Successions = append(res.Successions, succession)
			}
		}
		for _, cert := range f.first {
			proof.Certificates = append(proof.Certificates, cert)
		}
		res.Batches = append(res.Batches, proof)
		res.Attempts = max(res.Attempts, b.attempt+1)
		keys, err := resultKeys(cfg, j.job.Chain, f)
		if err != nil {
			return nil, err
		}
		res.Keys = append(res.Keys, keys...)
	}
	return res, nil
}

// resultKeys is what a result says of a batch's keys.
func resultKeys(cfg CoordinatorConfig, chain string, b *finishedBatch) ([]wire.Key, error) {
	keys, errs := make([]wire.Key, len(b.public.PublicKeys)), make([]error, len(b.public.PublicKeys))
	cfg.Each.chunks(len(keys), func(from, to int) {
		for i := from; i < to; i++ {
			keys[i], errs[i] = resultKey(cfg, chain, b.public.PublicKeys[i], wire.ChainCode(b.madeBy, i))
			keys[i].ID = wire.KeyID{Batch: b.ID, Index: i}.String()
		}
	})
	return keys, errors.Join(errs...)
}

// resultKey is what a result says of a key, except its id.
func resultKey(cfg CoordinatorConfig, chain string, publicKey []byte, chainCode [32]byte) (key wire.Key, err error) {
	key.PublicKey, key.ChainCode = publicKey, chainCode[:]
	network := cfg.Manifest.Network
	if key.Address, err = cfg.Address(chain, network, publicKey); err == nil {
		key.Descriptor, err = cfg.Descriptor(chain, network, publicKey, chainCode)
	}
	return key, err
}

// nodeList names nodes for a sentence.
func nodeList(nodes []int) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = strconv.Itoa(n)
	}
	return "node " + strings.Join(words, ", ")
}
